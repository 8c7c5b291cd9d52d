//! Lets this process open as many files as it may.

use crate::LoadError;

/// Raises the limit of open files to the most that is allowed, and checks that `wanted` fit.
#[cfg(unix)]
pub(crate) fn allow(wanted: u64) -> Result<(), LoadError> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    /// What the process needs besides its connections.
    const OTHERS: u64 = 64;

    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        // Where it cannot be raised, what it is counts.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    }
    match getrlimit(Resource::Nofile).current {
        Some(limit) if wanted + OTHERS > limit => Err(LoadError::OpenFiles { wanted, limit }),
        Some(_) | None => Ok(()),
    }
}

/// There is no such limit here.
#[cfg(not(unix))]
pub(crate) fn allow(_: u64) -> Result<(), LoadError> {
    Ok(())
}
