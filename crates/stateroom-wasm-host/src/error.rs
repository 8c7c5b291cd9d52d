//! What can go wrong outside a running room: making the engine, loading a module, starting a room.

use stateroom::ServiceFailure;
use std::{io, path::PathBuf};

/// Why there is no [`WasmEngine`](crate::WasmEngine).
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The configuration asks for what cannot be.
    #[error("rooms cannot be set up so: {problem}")]
    Settings {
        /// What is wrong, and the fix.
        problem: String,
    },
    /// The system has not the address space for even one room.
    #[error(
        "cannot set up even one room, which takes 8 GiB of address space (not of memory): {reason}; \
         lift the limit on it (`ulimit -v`)"
    )]
    Pool {
        /// What wasmtime said.
        reason: String,
    },
    /// The thread that interrupts guests could not be started.
    #[error("cannot start the thread that interrupts guests: {0}")]
    Ticker(#[source] io::Error),
}

/// What is wrong with a module. Each names the module (a path, or the name it was given), the item,
/// and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The default engine of [`WasmHostFactory::new`](crate::WasmHostFactory::new) is not to be had.
    #[error(transparent)]
    Engine(#[from] EngineError),

    /// The file cannot be read.
    #[error("cannot read the module {}: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },

    /// It is not a WebAssembly module, or one that uses what this host does not support.
    #[error(
        "{module} is no WebAssembly module that can run here: {reason}; it should be a core module, \
         built for wasm32 (in Rust, for wasm32-wasip1)"
    )]
    NotWasm {
        /// Which module.
        module: String,
        /// What the parser or the compiler said.
        reason: String,
    },

    /// It uses what WebAssembly offers and a room does not.
    #[error(
        "{module} uses {}, which WebAssembly has proposed and rooms do not offer: build it without \
         that feature",
        list(proposals)
    )]
    NotAllowed {
        /// Which module.
        module: String,
        /// The names of the proposals.
        proposals: Vec<String>,
    },

    /// The thread on which a module is tried could not be started.
    #[error("{module} could not be tried, for no thread can be started: {source}")]
    NoThread {
        /// Which module.
        module: String,
        /// Why.
        source: io::Error,
    },

    /// Its memory or table is not of the kind that a room has.
    #[error("{module} cannot run as a room: {problem}")]
    Memory {
        /// Which module.
        module: String,
        /// What is wrong, and the fix.
        problem: String,
    },

    /// It lacks something that the host calls.
    #[error(
        "{module} does not export `{export}` {wanted}: docs/guests.md tells what a room exports; in \
         Rust, a service is a library (`crate-type = [\"cdylib\"]`) with one type marked \
         #[stateroom_wasm]"
    )]
    MissingExport {
        /// Which module.
        module: String,
        /// The name that is missing.
        export: &'static str,
        /// What it should be.
        wanted: String,
    },

    /// An import or export has another type than the guest interface says.
    #[error(
        "{module} has `{item}` as {found}, where the guest interface has {wanted}: docs/guests.md \
         tells the interface; in Rust, build it with the `stateroom-wasm` crate, and let no function \
         of its own bear that name"
    )]
    WrongSignature {
        /// Which module.
        module: String,
        /// The import or export.
        item: String,
        /// What it should be.
        wanted: String,
        /// What it is.
        found: String,
    },

    /// It wants something that the host does not have.
    #[error(
        "{module} imports `{import}`, which no room has: docs/guests.md tells what a service can \
         import; look for a dependency that is meant for browsers (in Rust, wasm-bindgen) or \
         another host"
    )]
    UnknownImport {
        /// Which module.
        module: String,
        /// Module and name of the import.
        import: String,
    },

    /// It uses something that only a newer host has.
    #[error(
        "{module} imports {import}, which this version of Stateroom does not have: it needs a newer one, or a \
         `stateroom-wasm` that matches this one"
    )]
    NewerImport {
        /// Which module.
        module: String,
        /// Module and name of the import.
        import: String,
    },

    /// It was built for another version of the guest interface.
    #[error(
        "{module} has {export} {found}, and this host speaks {wanted}: build it for that one (in \
         Rust, with a `stateroom-wasm` that matches this host)"
    )]
    WrongVersion {
        /// Which module.
        module: String,
        /// The global that says so.
        export: &'static str,
        /// What the host speaks.
        wanted: u32,
        /// What the module says.
        found: u32,
    },

    /// It fails before it is even asked to start a room.
    #[error("{module} fails as it starts, in its start function or `_initialize`: {failure}")]
    FailsAtStart {
        /// Which module.
        module: String,
        /// How.
        failure: ServiceFailure,
    },

    /// It is machine code, and nobody has vouched for it.
    #[error(
        "{module} is precompiled, which is machine code that nothing can check: load the .wasm \
         instead, or set `trust_precompiled` if you have made this file yourself"
    )]
    Untrusted {
        /// Which module.
        module: String,
    },

    /// It was precompiled by another version of this program, or for other limits.
    #[error(
        "{module} was precompiled for another host ({reason}): precompile it again with this one"
    )]
    ForeignPrecompiled {
        /// Which module.
        module: String,
        /// What differs.
        reason: String,
    },
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ")
}

/// Why a room did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// As many rooms live as may. Trying later may help.
    #[error("room {room_id:?} cannot start: all {max_rooms} rooms that may live at once do")]
    Full {
        /// Which room.
        room_id: String,
        /// How many may live.
        max_rooms: u32,
    },

    /// The system has no randomness to give.
    #[error("room {room_id:?} cannot start: the system has no randomness for it ({reason})")]
    NoRandomness {
        /// Which room.
        room_id: String,
        /// What the system says.
        reason: String,
    },

    /// The service failed while it started.
    #[error("room {room_id:?} did not start: {failure}")]
    Failed {
        /// Which room.
        room_id: String,
        /// How.
        failure: ServiceFailure,
    },
}
