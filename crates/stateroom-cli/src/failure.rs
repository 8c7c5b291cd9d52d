//! The kinds of failure that have an exit code of their own.

use stateroom_server::RunError;
use stateroom_store::StoreError;

/// What kind of failure ended the command. It is put around the cause with
/// [`anyhow::Context::context`], and [`exit_code`] finds it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The command line, the environment or `stateroom.toml` asks for something that cannot be.
    #[error("wrong usage")]
    Usage,
    /// Cargo, or what follows it in a build, failed.
    #[error("the build failed")]
    Build,
    /// Another program listens on the address.
    #[error("the address is in use")]
    AddressInUse,
    /// The module is not one that a room can run.
    #[error("the module was refused")]
    Module,
    /// The folder that rooms are kept in cannot be used.
    #[error("the store of rooms cannot be used")]
    Store,
    /// The store of rooms has failed while a server ran, or its disk was full at the start: the disk did not take what
    /// was to be kept.
    #[error("the store of rooms has failed")]
    StoreFailed,
    /// A file is no exported room, or a damaged one.
    #[error("the file of the room cannot be used")]
    RoomFile,
    /// What was tried with `stateroom load` did not go as it must.
    #[error("the service did not pass")]
    Load,
    /// A room did something else than it had done, or failed, as it heard its journal again.
    #[error("the room does not do again what it did")]
    Diverged,
}

/// The table that `stateroom --help` ends with.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  the command did what was asked; a server was told to stop
  1  it failed for a reason not listed here
  2  wrong usage: arguments, environment or stateroom.toml
  3  the build failed, or a Rust target is missing
  4  the address to listen on is in use
  5  the module was refused: not WebAssembly, or not a Stateroom service
  6  load: messages were lost, out of order or doubled, or connections failed
  7  the folder that rooms are kept in, or the file of a room, is in use,
     damaged, read-only, or of a newer version
  8  replay, rooms: a room does something else than it had done as it hears
     its events again
  74 a server's disk has failed, or was full at its start: what clients have
     seen is kept; start the server anew";

/// The exit code that tells how `error` came about; the numbers are those of [`EXIT_CODES`].
#[must_use]
pub fn exit_code(error: &anyhow::Error) -> u8 {
    match error.downcast_ref::<Failure>() {
        None => 1,
        Some(Failure::StoreFailed) => 74, // EX_IOERR of sysexits.h
        Some(Failure::Usage) => 2,
        Some(Failure::Build) => 3,
        Some(Failure::AddressInUse) => 4,
        Some(Failure::Module) => 5,
        Some(Failure::Load) => 6,
        Some(Failure::Store | Failure::RoomFile) => 7,
        Some(Failure::Diverged) => 8,
    }
}

/// What it means that a store could not be opened. Where its disk is full nothing is wrong with the folder.
pub(crate) fn not_opened(error: StoreError) -> anyhow::Error {
    let failure = match error {
        StoreError::Full { .. } => Failure::StoreFailed,
        _ => Failure::Store,
    };
    anyhow::Error::new(error).context(failure)
}

/// Why a server has ended, though nobody told it to.
pub(crate) fn of_server(error: RunError) -> anyhow::Error {
    let has_store_failed = matches!(error, RunError::StoreFailed { .. });
    let error = anyhow::Error::new(error);
    match has_store_failed {
        true => error.context(Failure::StoreFailed),
        false => error.context("the server failed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_is_full_at_the_start_is_no_folder_that_cannot_be_used() {
        let full = StoreError::Full { path: "rooms.db".into() };
        assert_eq!(exit_code(&not_opened(full)), 74);
        let damaged = StoreError::NotAStore { path: "rooms".into() };
        assert_eq!(exit_code(&not_opened(damaged)), 7);
    }

    #[test]
    fn a_store_that_fails_while_a_server_runs_has_a_code_of_its_own() {
        let error = of_server(RunError::StoreFailed { reason: "the disk is gone".into() });
        assert_eq!(exit_code(&error), 74);
        assert!(format!("{error:#}").contains("the disk is gone"), "{error:#}");
        let error = of_server(std::io::Error::other("no threads").into());
        assert_eq!(exit_code(&error), 1);
    }
}
