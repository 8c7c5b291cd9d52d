//! What whoever drives rooms, and the sockets of their sessions, could do wrong.

macro_rules! misdeeds {
    ($($(#[$comment:meta])* $name:ident),* $(,)?) => {
        /// Something wrong that whoever drives rooms could do. The simulation must notice each.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Misdeed {
            $($(#[$comment])* $name,)*
        }

        impl Misdeed {
            pub(crate) const ALL: &[Misdeed] = &[$(Misdeed::$name),*];
        }
    };
}

misdeeds! {
    /// Commands are let go as soon as their records are submitted.
    ReleasesEarly,
    /// What is submitted is said to be kept, and is not.
    DropsSubmission,
    /// A room whose clock was ahead is not told.
    LeavesClock,
    /// A changed limit is not told to rooms.
    HidesLimits,
    /// Changed settings are not told to rooms.
    HidesSettings,
    /// What the token of a client says is not told to rooms.
    HidesClaims,
    /// A room is brought back without the newest part of its journal.
    ForgetsJournal,
    /// The incarnation is always the same.
    KeepsIncarnation,
    /// The room does not hear of a client that its sessions do not know.
    ForgetsJoin,
    /// A client gets what is said in the room as soon as it has asked to come.
    AttachesEarly,
    /// A client that comes back is not told what it has missed.
    DropsTail,
    /// Nobody is told what is durable.
    DropsAcks,
    /// The sessions do not hear that a socket has ended.
    HidesEnds,
    /// The end of an old socket is told as that of the newest.
    EndsTheNewest,
    /// What comes on an old socket is told as if it came on the newest.
    FeedsOldSocket,
    /// What comes while the room may hear nothing is read, and lost.
    DropsWhileBlocked,
    /// Sessions are told the driver's time, rather than the room's.
    TellsDriversTime,
    /// Sessions never hear that time has passed.
    ForgetsTimer,
    /// A client whose message was set aside is closed, and the room hears that it has left.
    EndsTheSkipped,
    /// The room does not hear that a client has left for good.
    ForgetsLeaving,
    /// What is to be said in sessions is not said while the room is not in memory.
    SilentAtRest,
    /// Those without a session are heard whose place somebody with a session has taken.
    HearsTheReplaced,
    /// A request is answered as soon as it is heard.
    AnswersEarly,
    /// What was answered is not in the state of a room.
    ForgetsAnswers,
}
