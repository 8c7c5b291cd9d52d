//! Faults of our own, to see whether tests catch them. Without the feature `faults` there are none, and
//! asking for one costs nothing.

/// A fault that can be switched on. Each breaks a rule that FORMAT.md or the code tells.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Deliberate {
    /// A record is called durable before it is flushed.
    AcknowledgeBeforeFlush,
    /// Recovery forgets the last record.
    DropLastRecord,
    /// A large state is not flushed before the record that names it.
    LargeNotFlushed,
    /// Its name is not.
    LargeFolderNotFlushed,
    /// A large state is removed as soon as there is a newer one.
    LargeDroppedAtOnce,
    /// The checkpoint says that it has all before it does.
    AppliedAhead,
    /// Files go before the checkpoint says that it has all.
    AppliedAfterRemoval,
    /// The checkpoint says that it has all, and lacks a part.
    AppliedWithoutEffects,
    /// Rows don't know up to where they are.
    RowsWithoutPositions,
    /// The checkpoint takes what is not flushed yet.
    CheckpointPastFlushed,
    /// A hole before anything that is valid is taken for damage.
    LaterValidIsDamage,
    /// Recovery goes on behind a hole.
    SkipHole,
    /// The log is cut at every hole, whatever was promised.
    CutAlways,
    /// A file without a header is not searched.
    HeaderlessNoWitness,
    /// The store goes on after a failed flush.
    GoOnAfterFailedFlush,
    /// What could not be flushed is cut off again, and called refused.
    TakeBackAfterFailedFlush,
    /// Files are named by their first positions.
    FilesNamedByPosition,
    /// A snapshot of the past drops the journal that follows it.
    LaggardForgotten,
    /// Recovery goes on in the newest file, after what it found there.
    RecoverInOldFile,
    /// A new file is begun while the old one is not flushed.
    SwitchWithoutFlush,
    /// Recovery writes the header of its file before the tail.
    HeaderBeforeTail,
    /// Files go before the checkpoint is flushed.
    RemoveBeforeCheckpointFlush,
    /// A file goes that is still needed.
    RemoveOneTooMany,
    /// Files go the newest first.
    RemoveInAnyOrder,
    /// Recovery does not write the tail anew.
    TailNotRewritten,
    /// The name of the next file is not flushed.
    NextFolderNotFlushed,
    /// Recovery does not flush the tail.
    RecoverWithoutTailFlush,
    /// Recovery does not flush the header.
    RecoverWithoutHeaderFlush,
    /// Recovery does not flush the folder.
    RecoverWithoutFolderFlush,
    /// A file counts also where a later one begins.
    LaterDoesNotSupersede,
    /// A reader takes rows that are ahead of the log as it has read it.
    ReaderTakesRowsAhead,
    /// A reader believes what looks damaged at first.
    ReaderWithoutSecondLook,
    /// A reader goes on without a file that is gone.
    ReaderSkipsVanished,
    /// Recovery believes what it reads, and goes on behind it.
    CacheBelieved,
}

impl Deliberate {
    /// All of them.
    pub const ALL: [Deliberate; 34] = {
        use Deliberate::*;
        [
            AcknowledgeBeforeFlush,
            DropLastRecord,
            LargeNotFlushed,
            LargeFolderNotFlushed,
            LargeDroppedAtOnce,
            AppliedAhead,
            AppliedAfterRemoval,
            AppliedWithoutEffects,
            RowsWithoutPositions,
            CheckpointPastFlushed,
            LaterValidIsDamage,
            SkipHole,
            CutAlways,
            HeaderlessNoWitness,
            GoOnAfterFailedFlush,
            TakeBackAfterFailedFlush,
            FilesNamedByPosition,
            LaggardForgotten,
            RecoverInOldFile,
            SwitchWithoutFlush,
            HeaderBeforeTail,
            RemoveBeforeCheckpointFlush,
            RemoveOneTooMany,
            RemoveInAnyOrder,
            TailNotRewritten,
            NextFolderNotFlushed,
            RecoverWithoutTailFlush,
            RecoverWithoutHeaderFlush,
            RecoverWithoutFolderFlush,
            LaterDoesNotSupersede,
            ReaderTakesRowsAhead,
            ReaderWithoutSecondLook,
            ReaderSkipsVanished,
            CacheBelieved,
        ]
    };
}

#[cfg(feature = "faults")]
thread_local! {
    static ON: std::cell::Cell<Option<Deliberate>> = const { std::cell::Cell::new(None) };
}

/// Switches one on for this thread, or all off.
#[cfg(feature = "faults")]
pub fn switch_on(fault: Option<Deliberate>) {
    ON.set(fault);
}

#[cfg(feature = "faults")]
pub(crate) fn is_on(fault: Deliberate) -> bool {
    ON.get() == Some(fault)
}

#[cfg(not(feature = "faults"))]
#[inline(always)]
pub(crate) const fn is_on(_: Deliberate) -> bool {
    false
}
