//! How many calls there were, and what happened: in a file that a test reads and writes as well.
//!
//! Numbers of 8 bytes, as this machine writes them: how many calls were counted, the first of them to
//! which something happened (0 for none), how many it happened to, and one that the test sets to 1 when
//! it is over with a fault that is sticky. Then a byte for each of the first calls, which says what
//! it was (see `Call` in `hooks.rs`).
#![allow(unsafe_code)]

use crate::refuse::refuse;
use std::{
    ffi::{CString, OsString},
    os::unix::ffi::OsStringExt as _,
    ptr::null_mut,
    sync::atomic::{
        AtomicU8, AtomicU64,
        Ordering::{Relaxed, SeqCst},
    },
};

/// How many calls it is told of what they were.
const TOLD: usize = (1 << 18) - 32;

#[repr(C)]
pub(crate) struct Control {
    calls: AtomicU64,
    first: AtomicU64,
    happened: AtomicU64,
    is_over: AtomicU64,
    told: [AtomicU8; TOLD],
}

static OWN: Control = Control {
    calls: AtomicU64::new(0),
    first: AtomicU64::new(0),
    happened: AtomicU64::new(0),
    is_over: AtomicU64::new(0),
    told: [const { AtomicU8::new(0) }; TOLD],
};

impl Control {
    /// In `file`, with what is there already; in the memory of this process if there is none.
    pub(crate) fn open(file: Option<OsString>) -> &'static Control {
        let Some(file) = file else { return &OWN };
        let name = file.to_string_lossy().into_owned();
        let Ok(path) = CString::new(file.into_vec()) else { refuse("FILE", &name) };
        let size = size_of::<Control>();
        // SAFETY: the path ends with a zero, the descriptor is our own, and a mapping of a file of
        // this size is made of atomic numbers, for which any bytes will do.
        unsafe {
            let flags = libc::O_RDWR | libc::O_CREAT | libc::O_CLOEXEC;
            let descriptor = libc::open(path.as_ptr(), flags, 0o644);
            if descriptor < 0 || libc::ftruncate(descriptor, size as libc::off_t) != 0 {
                refuse("FILE", &name);
            }
            let rights = libc::PROT_READ | libc::PROT_WRITE;
            let mapped = libc::mmap(null_mut(), size, rights, libc::MAP_SHARED, descriptor, 0);
            libc::close(descriptor);
            if mapped == libc::MAP_FAILED {
                refuse("FILE", &name);
            }
            &*mapped.cast::<Control>()
        }
    }

    /// The number of a call, from 1.
    pub(crate) fn count(&self, what: u8) -> u64 {
        let before = self.calls.fetch_add(1, SeqCst);
        let place = usize::try_from(before).ok();
        if let Some(told) = place.and_then(|place| self.told.get(place)) {
            told.store(what, Relaxed);
        }
        before + 1
    }

    /// Whether it may happen to this call: to the first one, or to each if it is sticky.
    pub(crate) fn claim(&self, number: u64, is_sticky: bool) -> bool {
        if self.is_over.load(SeqCst) != 0 {
            return false;
        }
        let is_first = self.first.compare_exchange(0, number, SeqCst, SeqCst).is_ok();
        let claimed = is_first || is_sticky;
        if claimed {
            self.happened.fetch_add(1, SeqCst);
        }
        claimed
    }
}
