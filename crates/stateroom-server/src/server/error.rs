//! Why a server ends, though nobody told it to.

use crate::health::Failure;
use std::io;

/// Why a server has ended, though nobody told it to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It could not begin.
    #[error(transparent)]
    System(#[from] io::Error),
    /// Its store has failed: nothing can be kept any more. What clients were shown is kept; a server that is
    /// started anew brings it back.
    #[error("the store has failed: {reason}; check the disk, and start the server anew")]
    StoreFailed {
        /// What the store said.
        reason: String,
    },
    /// It was stopped, and there was no time to save every room. They are kept by their states alone, so some are
    /// lost, or are as they were when they were last saved.
    #[error(
        "the server was stopped before every room was saved; the log says which are lost (a longer \
         `--shutdown-timeout` gives it more time, and `--survives crash` needs none)"
    )]
    RoomsLost,
    /// One of its threads is gone.
    #[error(
        "the thread {thread} {}; this is a bug of the server: report it, and start the server anew",
        if *panicked { "panicked" } else { "has ended" }
    )]
    ThreadGone {
        /// The name of the thread.
        thread: String,
        /// Whether it panicked.
        panicked: bool,
    },
}

impl From<RunError> for io::Error {
    fn from(error: RunError) -> Self {
        match error {
            RunError::System(error) => error,
            error => io::Error::other(error),
        }
    }
}

impl From<Failure> for RunError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Store(reason) => RunError::StoreFailed { reason: reason.to_string() },
            Failure::Panicked { thread } => {
                RunError::ThreadGone { thread: thread.to_string(), panicked: true }
            }
            Failure::Ended { thread } => {
                RunError::ThreadGone { thread: thread.to_string(), panicked: false }
            }
        }
    }
}
