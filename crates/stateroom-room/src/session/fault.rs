//! Deliberate faults, which the tests of sessions switch on one at a time: whatever checks sessions must notice each.
//! Outside these tests none is ever on, and nothing of them is left in the program.

/// Something that an implementation could do wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// A client goes on reading a socket that it has given up.
    ClientReadsOldSocket,
}

#[cfg(test)]
thread_local! {
    static ON: std::cell::Cell<Option<Fault>> = const { std::cell::Cell::new(None) };
}

/// Whether it is on.
#[cfg(test)]
pub(super) fn is_on(fault: Fault) -> bool {
    ON.get() == Some(fault)
}

/// Whether it is on: never.
#[cfg(not(test))]
pub(super) const fn is_on(_: Fault) -> bool {
    false
}
