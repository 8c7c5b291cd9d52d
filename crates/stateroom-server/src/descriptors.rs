//! How many descriptors the process may have, and how many of them are for connections.

/// Descriptors that are kept aside for everything but connections, the store's files above all. Where
/// there are few, a half is.
#[cfg(unix)]
const RESERVED: u64 = 256;

/// And as many for each thread that has rooms: what it waits with, and its way to the store.
#[cfg(unix)]
const RESERVED_PER_THREAD: u64 = 8;

/// What macOS gives a process at most, though it says that there is no limit.
#[cfg(unix)]
const ASKED_AT_LEAST: u64 = 10_240;

/// Raises the process's limit on descriptors as far as it may, and returns how many connections that
/// leaves room for beside so many threads.
pub(crate) fn for_connections(threads: usize) -> usize {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let before = getrlimit(Resource::Nofile);
        let raised = Rlimit { current: before.maximum, maximum: before.maximum };
        let fewer = Rlimit { current: Some(ASKED_AT_LEAST), maximum: before.maximum };
        let is_more = before.current.is_some_and(|current| current < ASKED_AT_LEAST);
        // Where it can't be raised, what there is must do.
        let limit = match setrlimit(Resource::Nofile, raised) {
            Ok(()) => before.maximum,
            Err(_) if is_more && setrlimit(Resource::Nofile, fewer).is_ok() => fewer.current,
            Err(_) => before.current,
        };
        let Some(limit) = limit else { return usize::MAX };
        let threads = u64::try_from(threads).unwrap_or(u64::MAX);
        let reserved = RESERVED.saturating_add(RESERVED_PER_THREAD.saturating_mul(threads));
        let connections = limit.saturating_sub(reserved).max(limit / 2);
        tracing::info!(descriptors = limit, connections, "the limit on open descriptors");
        usize::try_from(connections).unwrap_or(usize::MAX)
    }
    #[cfg(not(unix))]
    {
        let _ = threads;
        usize::MAX
    }
}
