//! A buffer for input, one a thread: frames are decoded and heard where they lie in it.

use std::cell::RefCell;

/// How much of one socket's input is read before the other sockets have their turn, in bytes.
const READ_AT_ONCE: usize = 64 * 1024;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_AT_ONCE]);
}

/// Lends this thread's buffer for input. While it is lent, others get one of their own.
pub(crate) fn with_scratch<T>(use_it: impl FnOnce(&mut [u8]) -> T) -> T {
    SCRATCH.with(|scratch| match scratch.try_borrow_mut() {
        Ok(mut scratch) => use_it(&mut scratch),
        Err(_) => use_it(&mut vec![0; READ_AT_ONCE]),
    })
}
