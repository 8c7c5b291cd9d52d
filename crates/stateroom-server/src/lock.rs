//! Takes a lock of which what it holds is whole at every point.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks `mutex`, also after somebody has panicked while it was locked.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
