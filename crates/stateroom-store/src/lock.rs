//! The one way to take a lock.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Takes it, whoever had it: what is locked here is changed by steps each of which leaves it whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
