//! Deliberate faults, which the tests of sessions switch on one at a time: whatever checks sessions must notice each.
//! Outside these tests none is ever on, and nothing of them is left in the program.

/// Something that an implementation could do wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// A message is acknowledged as soon as it is read.
    AckAtReceipt,
    /// An acknowledgement tells of messages that are yet to be durable.
    AckAheadOfCommit,
    /// The count of messages heard is not in the snapshot.
    HeardNotInSnapshot,
    /// What may be sent again is not in the snapshot.
    TailNotInSnapshot,
    /// What is sent again begins one message too late.
    CursorTooFar,
    /// What is sent again begins one message too early.
    CursorTooNear,
    /// A socket is heard after a newer one has taken over.
    OldSocketHeard,
    /// A message that was set aside does not count.
    QuarantinedNotCounted,
    /// A welcome does not wait for what it tells.
    WelcomeUngated,
    /// A refusal does not wait for what it tells.
    RefusalUngated,
    /// A client goes on reading a socket that it has given up.
    ClientReadsOldSocket,
    /// A session is resumed though what it has missed is not there any more.
    BoundNotChecked,
    /// A message to one client does not count.
    SinglesNotCounted,
    /// A message to everyone but a client counts for that client.
    LeftOutNotCounted,
    /// After an event that failed, live sockets get again what was said since the snapshot.
    SetbackSendsAgain,
    /// A session that has come back ends when it would have without.
    GraceNotCancelled,
    /// Handshakes are obeyed in the order in which they are read.
    NoAttemptNumber,
    /// The room does not look whether it knows the key of a client that was never welcomed.
    KeyOfTheServer,
    /// It is not noticed that what was on the disk is older than what was told.
    CountsAlone,
    /// The end of an old socket ends the session's new one.
    OldSocketEndsNew,
    /// A session that is over is forgotten at once.
    NoTombstones,
    /// What a room says while it hears its journal again is not kept.
    #[cfg(test)]
    ReplayForgetsCommands,
    /// Handshakes are answered while a room hears its journal again.
    #[cfg(test)]
    ResumeBeforeReplay,
}

#[cfg(test)]
impl Fault {
    /// Each of them.
    pub(super) const ALL: [Fault; 23] = [
        Fault::AckAtReceipt,
        Fault::AckAheadOfCommit,
        Fault::HeardNotInSnapshot,
        Fault::TailNotInSnapshot,
        Fault::ReplayForgetsCommands,
        Fault::CursorTooFar,
        Fault::CursorTooNear,
        Fault::OldSocketHeard,
        Fault::QuarantinedNotCounted,
        Fault::ResumeBeforeReplay,
        Fault::WelcomeUngated,
        Fault::RefusalUngated,
        Fault::ClientReadsOldSocket,
        Fault::BoundNotChecked,
        Fault::SinglesNotCounted,
        Fault::LeftOutNotCounted,
        Fault::SetbackSendsAgain,
        Fault::GraceNotCancelled,
        Fault::NoAttemptNumber,
        Fault::KeyOfTheServer,
        Fault::CountsAlone,
        Fault::OldSocketEndsNew,
        Fault::NoTombstones,
    ];
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

/// Does something in this thread with a fault, or with none.
#[cfg(test)]
pub(super) fn with<T>(fault: Option<Fault>, act: impl FnOnce() -> T) -> T {
    ON.set(fault);
    let done = act();
    ON.set(None);
    done
}
