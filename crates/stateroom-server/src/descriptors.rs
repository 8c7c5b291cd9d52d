//! How many sockets the process may have open.

/// Descriptors that are left to everything but clients: the server's own, files being served, and
/// connections that are about to be told that there is no room.
const RESERVED: u64 = 256;

/// Raises the process's limit on descriptors as far as it may, and returns how many clients that
/// leaves room for.
pub(crate) fn room_for_clients() -> usize {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let before = getrlimit(Resource::Nofile);
        let raised = Rlimit { current: before.maximum, maximum: before.maximum };
        // Where it can't be raised, what there is must do.
        let limit = match setrlimit(Resource::Nofile, raised) {
            Ok(()) => before.maximum,
            Err(_) => before.current,
        };
        let Some(limit) = limit else { return usize::MAX };
        let clients = limit.saturating_sub(RESERVED).max(limit / 2);
        tracing::info!(descriptors = limit, clients, "the limit on open descriptors");
        usize::try_from(clients).unwrap_or(usize::MAX)
    }
    #[cfg(not(unix))]
    usize::MAX
}
