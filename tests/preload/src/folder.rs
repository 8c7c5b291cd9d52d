//! Whether a path or a descriptor lies in the folder whose calls are counted.
//!
//! Nothing here allocates or calls a function of libc that this library stands in front of.
#![allow(unsafe_code)]

use crate::plan;
use libc::{AT_FDCWD, c_char, c_int};
use std::ffi::CStr;

const LONGEST: usize = 4096;

/// Whether what is open as `descriptor` lies in the folder, or is it.
pub(crate) fn has_descriptor(descriptor: c_int) -> bool {
    let Some(folder) = plan::folder() else { return false };
    let mut path = [0; LONGEST];
    descriptor >= 0 && lies_in(folder, read_link(link(descriptor).as_ptr().cast(), &mut path))
}

/// Whether `path` lies in the folder, or is it; one that is not absolute begins at the folder that
/// is open as `base`.
///
/// # Safety
/// `path` is null or ends with a zero.
pub(crate) unsafe fn has_path(base: c_int, path: *const c_char) -> bool {
    let Some(folder) = plan::folder() else { return false };
    if path.is_null() {
        return false;
    }
    // SAFETY: not null, and promised by the caller.
    let path = unsafe { CStr::from_ptr(path) }.to_bytes();
    if path.starts_with(b"/") {
        return lies_in(folder, path);
    }
    let mut whole = [0; LONGEST];
    let length = match base {
        AT_FDCWD => read_link(c"/proc/self/cwd".as_ptr(), &mut whole).len(),
        _ => read_link(link(base).as_ptr().cast(), &mut whole).len(),
    };
    let end = length + 1 + path.len();
    if length == 0 || end > LONGEST {
        return false;
    }
    whole[length] = b'/';
    whole[length + 1..end].copy_from_slice(path);
    lies_in(folder, &whole[..end])
}

fn lies_in(folder: &[u8], path: &[u8]) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// The path of the link that tells what is open as `descriptor`, with a zero at its end.
fn link(descriptor: c_int) -> [u8; 32] {
    let mut path = [0; 32];
    let start = b"/proc/self/fd/";
    path[..start.len()].copy_from_slice(start);
    let mut digits = [0; 10];
    let (mut rest, mut count) = (descriptor.unsigned_abs(), 0);
    loop {
        digits[count] = b'0' + (rest % 10) as u8;
        rest /= 10;
        count += 1;
        if rest == 0 {
            break;
        }
    }
    for (place, digit) in digits[..count].iter().rev().enumerate() {
        path[start.len() + place] = *digit;
    }
    path
}

/// What a link points to; empty if that cannot be told.
fn read_link(link: *const c_char, into: &mut [u8; LONGEST]) -> &[u8] {
    // SAFETY: the caller's link ends with a zero, and the bytes are as many as is said.
    let length = unsafe { libc::readlink(link, into.as_mut_ptr().cast(), LONGEST) };
    usize::try_from(length).map_or(&[], |length| &into[..length])
}
