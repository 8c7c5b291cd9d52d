//! How important a thread is next to the others.

/// As low as a thread's priority can be. On Linux it has a seventieth of the time that a thread of the
/// usual priority gets.
pub(crate) const LOWEST: i32 = 19;

/// Lower than that of the threads that clients wait for. On Linux it has a ninth of the time that a
/// thread of the usual priority gets.
pub(crate) const LOW: i32 = 10;

/// Lowers the priority of this thread. Where that is refused, or where the system knows priorities of
/// whole processes only, the thread is as important as the others.
pub(crate) fn lower(_to: i32) {
    #[cfg(target_os = "linux")]
    {
        let _ = rustix::process::setpriority_process(None, _to);
    }
}
