//! The functions of libc that those of this library stand in front of.
#![allow(unsafe_code)]

use libc::{RTLD_NEXT, c_void, dlsym};
use std::{
    ffi::CStr,
    ptr::null_mut,
    sync::atomic::{AtomicPtr, Ordering::Relaxed},
};

/// One of them, found when it is first called.
pub(crate) struct Real {
    name: &'static CStr,
    found: AtomicPtr<c_void>,
}

impl Real {
    pub(crate) const fn new(name: &'static CStr) -> Real {
        Real { name, found: AtomicPtr::new(null_mut()) }
    }

    /// Where it is. A process that calls what libc does not have cannot go on.
    pub(crate) fn address(&self) -> *mut c_void {
        let found = self.found.load(Relaxed);
        if !found.is_null() {
            return found;
        }
        // SAFETY: the name ends with a zero.
        let found = unsafe { dlsym(RTLD_NEXT, self.name.as_ptr()) };
        if found.is_null() {
            // SAFETY: it takes no arguments.
            unsafe { libc::abort() };
        }
        self.found.store(found, Relaxed);
        found
    }
}
