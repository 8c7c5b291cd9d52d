//! How important a thread is next to the others.

/// As low as a thread's priority can be: an event that takes long gets what the others leave, and a
/// fair share of it.
pub(crate) const LOWEST: i32 = 19;

/// Lower than that of the threads that clients wait for.
pub(crate) const LOW: i32 = 10;

/// Lowers the priority of this thread. Where that is refused, or where the system knows priorities of
/// whole processes only, the thread is as important as the others.
pub(crate) fn lower(_to: i32) {
    #[cfg(target_os = "linux")]
    {
        let _ = rustix::process::setpriority_process(None, _to);
    }
}
