//! Why a run could not take place. What goes wrong during a run is told by its report instead.

use std::{io, path::PathBuf};

/// Why a run could not take place.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The URL is not one of a WebSocket.
    #[error("{url}: {problem}")]
    Url {
        /// The URL as it was given.
        url: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The host of the URL has no address.
    #[error("{host} cannot be resolved: {source}")]
    Host {
        /// Host and port.
        host: String,
        /// What the system says.
        source: io::Error,
    },
    /// The plan asks for what cannot be.
    #[error("{0}")]
    Plan(String),
    /// The script cannot be read.
    #[error("{}: cannot be read: {source}", file.display())]
    Script {
        /// The script.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The system lets this process open too few files.
    #[error(
        "{wanted} connections need as many open files, and this process may have {limit}: raise \
         the hard limit (`ulimit -Hn`), or run fewer"
    )]
    OpenFiles {
        /// How many connections were asked for.
        wanted: u64,
        /// How many files may be open.
        limit: u64,
    },
    /// The system gave no thread, or nothing to wait for sockets with.
    #[error("the generator could not start: {0}")]
    System(#[from] io::Error),
    /// A thread of the generator failed: a bug.
    #[error("a thread of the generator panicked")]
    Panicked,
}
