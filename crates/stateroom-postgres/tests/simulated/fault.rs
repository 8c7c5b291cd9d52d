//! What can be done wrong on purpose, to see that the simulation notices.

/// A rule that is broken.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A record only has to follow another one, of whatever epoch.
    AppendWithoutEpoch,
    /// Two claims after the same one have the same epoch.
    EpochsOnlyCount,
    /// A record is taken for durable when its row is reported.
    DurableAtTheRow,
    /// A claim is taken for acknowledged when its row is reported.
    ClaimedAtTheRow,
    /// A claim leaves a position free.
    ClaimSkips,
    /// A claim goes after the last record that its owner knew of.
    ClaimAfterWhatWasKnown,
    /// What is not known is settled by looking.
    SettledByRead,
    /// That the key is there already is taken for success.
    DuplicateIsSuccess,
    /// Warnings are not heard.
    WarningIgnored,
    /// What appends and claims does not lock the row that it follows.
    NothingLocked,
    /// A trim takes the last record, too.
    LastTrimmed,
    /// Somebody who is no owner any more can trim and save.
    TrimNotFenced,
}

impl Fault {
    pub(crate) const ALL: [Fault; 12] = [
        Fault::AppendWithoutEpoch,
        Fault::EpochsOnlyCount,
        Fault::DurableAtTheRow,
        Fault::ClaimedAtTheRow,
        Fault::ClaimSkips,
        Fault::ClaimAfterWhatWasKnown,
        Fault::SettledByRead,
        Fault::DuplicateIsSuccess,
        Fault::WarningIgnored,
        Fault::NothingLocked,
        Fault::LastTrimmed,
        Fault::TrimNotFenced,
    ];
}
