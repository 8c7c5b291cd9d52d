//! The wall clock, ahead or behind.
#![allow(unsafe_code)]

use crate::{plan::plan, real::Real};
use libc::{
    CLOCK_REALTIME, CLOCK_REALTIME_COARSE, c_int, c_void, clockid_t, time_t, timespec, timeval,
};

fn offset() -> time_t {
    plan().map_or(0, |plan| plan.clock_offset)
}

/// In front of `clock_gettime`.
///
/// # Safety
/// As the function of libc of this name.
// SAFETY: of the type that libc's has.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: clockid_t, into: *mut timespec) -> c_int {
    static REAL: Real = Real::new(c"clock_gettime");
    type Function = unsafe extern "C" fn(clockid_t, *mut timespec) -> c_int;
    // SAFETY: that is the type of libc's function, and the arguments are the caller's; where it
    // returns 0 it has written there.
    unsafe {
        let real: Function = std::mem::transmute(REAL.address());
        let returned = real(clock, into);
        if returned == 0 && matches!(clock, CLOCK_REALTIME | CLOCK_REALTIME_COARSE) {
            (*into).tv_sec += offset();
        }
        returned
    }
}

/// In front of `gettimeofday`.
///
/// # Safety
/// As the function of libc of this name.
// SAFETY: of the type that libc's has.
#[unsafe(no_mangle)]
unsafe extern "C" fn gettimeofday(into: *mut timeval, zone: *mut c_void) -> c_int {
    static REAL: Real = Real::new(c"gettimeofday");
    type Function = unsafe extern "C" fn(*mut timeval, *mut c_void) -> c_int;
    // SAFETY: as above.
    unsafe {
        let real: Function = std::mem::transmute(REAL.address());
        let returned = real(into, zone);
        if returned == 0 && !into.is_null() {
            (*into).tv_sec += offset();
        }
        returned
    }
}

/// In front of `time`.
///
/// # Safety
/// As the function of libc of this name.
// SAFETY: of the type that libc's has.
#[unsafe(no_mangle)]
unsafe extern "C" fn time(into: *mut time_t) -> time_t {
    static REAL: Real = Real::new(c"time");
    type Function = unsafe extern "C" fn(*mut time_t) -> time_t;
    // SAFETY: as above.
    unsafe {
        let real: Function = std::mem::transmute(REAL.address());
        let now = real(std::ptr::null_mut()) + offset();
        if !into.is_null() {
            *into = now;
        }
        now
    }
}
