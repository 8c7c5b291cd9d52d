//! The functions that stand in front of those of libc.
#![allow(unsafe_code)]

use crate::{
    folder::{has_descriptor, has_path},
    plan::{Kind, plan},
    real::Real,
};
use libc::{
    AT_FDCWD, EACCES, EIO, EMFILE, ENOSPC, O_CREAT, c_char, c_int, c_uint, c_void, iovec, mode_t,
    off_t, size_t, ssize_t,
};

/// What a call does. The number is what a test is told of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Call {
    Open = 1,
    Create = 2,
    Write = 3,
    Flush = 4,
    Cut = 5,
    Reserve = 6,
    Rename = 7,
    Remove = 8,
    MakeFolder = 9,
}

impl Call {
    const fn opens(flags: c_int) -> Call {
        if flags & O_CREAT == 0 { Call::Open } else { Call::Create }
    }

    /// Whether it can fail with this error.
    fn can_give(self, error: c_int) -> bool {
        match error {
            EIO => true,
            ENOSPC => !matches!(self, Call::Open | Call::Cut | Call::Remove),
            EMFILE => matches!(self, Call::Open | Call::Create),
            EACCES => !matches!(self, Call::Write | Call::Flush | Call::Cut | Call::Reserve),
            _ => false,
        }
    }
}

/// What a function of libc returns.
trait Outcome {
    /// What it returns when it fails.
    fn failed(error: c_int) -> Self;
}

impl Outcome for c_int {
    fn failed(error: c_int) -> c_int {
        // SAFETY: the number of the last error of this thread is there as long as the thread is.
        unsafe { *libc::__errno_location() = error };
        -1
    }
}

impl Outcome for ssize_t {
    fn failed(error: c_int) -> ssize_t {
        c_int::failed(error) as ssize_t
    }
}

/// Of those that return the number of the error.
#[repr(transparent)]
struct ErrorNumber(c_int);

impl Outcome for ErrorNumber {
    fn failed(error: c_int) -> ErrorNumber {
        ErrorNumber(error)
    }
}

/// Carries a call out, if it is not the one to which something else is to happen. `half` carries out
/// half of it, where that can be.
fn carry_out<R: Outcome>(
    call: Call,
    is_counted: bool,
    whole: &dyn Fn() -> R,
    half: Option<&dyn Fn() -> R>,
) -> R {
    let Some(plan) = plan().filter(|_| is_counted) else { return whole() };
    if call == Call::Flush && !plan.flush_delay.is_zero() {
        std::thread::sleep(plan.flush_delay);
    }
    let number = plan.control.count(call as u8);
    if plan.call == 0 || number < plan.call {
        return whole();
    }
    let can_happen = match plan.kind {
        Kind::Fails(error) => call.can_give(error),
        Kind::Short | Kind::Torn => half.is_some(),
        Kind::KilledBefore | Kind::KilledAfter => true,
    };
    if !can_happen || !plan.control.claim(number, plan.is_sticky) {
        return whole();
    }
    match (plan.kind, half) {
        (Kind::Fails(error), _) => R::failed(error),
        (Kind::Short, Some(half)) => half(),
        (Kind::Torn, Some(half)) => {
            half();
            die()
        }
        (Kind::KilledAfter, _) => {
            whole();
            die()
        }
        _ => die(),
    }
}

/// Ends the process as a kill from outside would.
fn die() -> ! {
    loop {
        // SAFETY: neither takes a pointer.
        unsafe {
            libc::kill(libc::getpid(), libc::SIGKILL);
            libc::pause();
        }
    }
}

/// Half of so many bytes; none if that would be nothing.
fn half_of(length: size_t) -> Option<size_t> {
    (length >= 2).then_some(length / 2)
}

/// The first part of what is to be written.
///
/// # Safety
/// There are `count` parts at `parts`.
unsafe fn first_part(parts: *const iovec, count: c_int) -> Option<iovec> {
    if count < 1 {
        return None;
    }
    // SAFETY: there is at least one.
    let first = unsafe { *parts };
    if count > 1 && first.iov_len > 0 {
        return Some(first);
    }
    Some(iovec { iov_len: half_of(first.iov_len)?, ..first })
}

/// Each function, what it does, whether it is counted, and how half of it is carried out.
macro_rules! hooks {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty {
        $call:expr, $counted:expr $(, half of $part:ident = $half_length:expr => ($($half:expr),*))?
    })*) => { $(
        #[doc = concat!("In front of `", stringify!($name), "`.")]
        ///
        /// # Safety
        /// As the function of libc of this name. One of those that take some arguments only with some
        /// flags is given whatever was in their registers, and passes that on.
        // SAFETY: of the type that libc's has.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($argument: $type),*) -> $result {
            static REAL: Real = Real::new(match std::ffi::CStr::from_bytes_with_nul(
                concat!(stringify!($name), "\0").as_bytes(),
            ) {
                Ok(name) => name,
                Err(_) => panic!("ends with a zero"),
            });
            type Function = unsafe extern "C" fn($($type),*) -> $result;
            // SAFETY: that is the type of libc's function, and the arguments are the caller's.
            unsafe {
                let real: Function = std::mem::transmute(REAL.address());
                let half: Option<&dyn Fn() -> $result> = None;
                $(
                    let shorter = $half_length.map(|$part| move || real($($half),*));
                    let half = shorter.as_ref().map(|half| half as &dyn Fn() -> $result).or(half);
                )?
                carry_out($call, $counted, &|| real($($argument),*), half)
            }
        }
    )* };
}

hooks! {
    open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
        Call::opens(flags), has_path(AT_FDCWD, path)
    }
    open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
        Call::opens(flags), has_path(AT_FDCWD, path)
    }
    openat(base: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
        Call::opens(flags), has_path(base, path)
    }
    openat64(base: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
        Call::opens(flags), has_path(base, path)
    }
    creat(path: *const c_char, mode: mode_t) -> c_int {
        Call::Create, has_path(AT_FDCWD, path)
    }
    creat64(path: *const c_char, mode: mode_t) -> c_int {
        Call::Create, has_path(AT_FDCWD, path)
    }

    write(file: c_int, bytes: *const c_void, length: size_t) -> ssize_t {
        Call::Write, has_descriptor(file), half of part = half_of(length) => (file, bytes, part)
    }
    pwrite(file: c_int, bytes: *const c_void, length: size_t, place: off_t) -> ssize_t {
        Call::Write, has_descriptor(file), half of part = half_of(length) => (file, bytes, part, place)
    }
    pwrite64(file: c_int, bytes: *const c_void, length: size_t, place: off_t) -> ssize_t {
        Call::Write, has_descriptor(file), half of part = half_of(length) => (file, bytes, part, place)
    }
    writev(file: c_int, parts: *const iovec, count: c_int) -> ssize_t {
        Call::Write, has_descriptor(file),
        half of part = first_part(parts, count) => (file, &part, 1)
    }
    pwritev(file: c_int, parts: *const iovec, count: c_int, place: off_t) -> ssize_t {
        Call::Write, has_descriptor(file),
        half of part = first_part(parts, count) => (file, &part, 1, place)
    }
    pwritev64(file: c_int, parts: *const iovec, count: c_int, place: off_t) -> ssize_t {
        Call::Write, has_descriptor(file),
        half of part = first_part(parts, count) => (file, &part, 1, place)
    }
    pwritev2(file: c_int, parts: *const iovec, count: c_int, place: off_t, flags: c_int) -> ssize_t {
        Call::Write, has_descriptor(file),
        half of part = first_part(parts, count) => (file, &part, 1, place, flags)
    }
    pwritev64v2(file: c_int, parts: *const iovec, count: c_int, place: off_t, flags: c_int) -> ssize_t {
        Call::Write, has_descriptor(file),
        half of part = first_part(parts, count) => (file, &part, 1, place, flags)
    }
    copy_file_range(
        from: c_int, from_place: *mut off_t, into: c_int, place: *mut off_t, length: size_t,
        flags: c_uint
    ) -> ssize_t {
        Call::Write, has_descriptor(into),
        half of part = half_of(length) => (from, from_place, into, place, part, flags)
    }
    sendfile(into: c_int, from: c_int, place: *mut off_t, length: size_t) -> ssize_t {
        Call::Write, has_descriptor(into),
        half of part = half_of(length) => (into, from, place, part)
    }
    sendfile64(into: c_int, from: c_int, place: *mut off_t, length: size_t) -> ssize_t {
        Call::Write, has_descriptor(into),
        half of part = half_of(length) => (into, from, place, part)
    }

    fsync(file: c_int) -> c_int { Call::Flush, has_descriptor(file) }
    fdatasync(file: c_int) -> c_int { Call::Flush, has_descriptor(file) }
    syncfs(file: c_int) -> c_int { Call::Flush, has_descriptor(file) }
    sync_file_range(file: c_int, place: off_t, length: off_t, flags: c_uint) -> c_int {
        Call::Flush, has_descriptor(file)
    }

    ftruncate(file: c_int, length: off_t) -> c_int { Call::Cut, has_descriptor(file) }
    ftruncate64(file: c_int, length: off_t) -> c_int { Call::Cut, has_descriptor(file) }
    truncate(path: *const c_char, length: off_t) -> c_int { Call::Cut, has_path(AT_FDCWD, path) }
    truncate64(path: *const c_char, length: off_t) -> c_int { Call::Cut, has_path(AT_FDCWD, path) }
    fallocate(file: c_int, mode: c_int, place: off_t, length: off_t) -> c_int {
        Call::Reserve, has_descriptor(file)
    }
    fallocate64(file: c_int, mode: c_int, place: off_t, length: off_t) -> c_int {
        Call::Reserve, has_descriptor(file)
    }
    posix_fallocate(file: c_int, place: off_t, length: off_t) -> ErrorNumber {
        Call::Reserve, has_descriptor(file)
    }
    posix_fallocate64(file: c_int, place: off_t, length: off_t) -> ErrorNumber {
        Call::Reserve, has_descriptor(file)
    }

    rename(from: *const c_char, to: *const c_char) -> c_int {
        Call::Rename, has_path(AT_FDCWD, from) || has_path(AT_FDCWD, to)
    }
    renameat(from_base: c_int, from: *const c_char, base: c_int, to: *const c_char) -> c_int {
        Call::Rename, has_path(from_base, from) || has_path(base, to)
    }
    renameat2(
        from_base: c_int, from: *const c_char, base: c_int, to: *const c_char, flags: c_uint
    ) -> c_int {
        Call::Rename, has_path(from_base, from) || has_path(base, to)
    }
    link(from: *const c_char, to: *const c_char) -> c_int {
        Call::Rename, has_path(AT_FDCWD, to)
    }
    linkat(
        from_base: c_int, from: *const c_char, base: c_int, to: *const c_char, flags: c_int
    ) -> c_int {
        Call::Rename, has_path(base, to)
    }
    unlink(path: *const c_char) -> c_int { Call::Remove, has_path(AT_FDCWD, path) }
    unlinkat(base: c_int, path: *const c_char, flags: c_int) -> c_int {
        Call::Remove, has_path(base, path)
    }
    rmdir(path: *const c_char) -> c_int { Call::Remove, has_path(AT_FDCWD, path) }
    mkdir(path: *const c_char, mode: mode_t) -> c_int {
        Call::MakeFolder, has_path(AT_FDCWD, path)
    }
    mkdirat(base: c_int, path: *const c_char, mode: mode_t) -> c_int {
        Call::MakeFolder, has_path(base, path)
    }
}
