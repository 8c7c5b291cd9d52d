//! How a service outlives its process: what it is born with, its saved state, and who made it.

use std::{fmt, time::Duration};

/// All that makes one start of a service differ from another, besides the room's id.
///
/// Two services of the same [`CodeVersion`] with equal births, which hear the same events at the
/// same times, are equal bit by bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Birth {
    /// When the service is born: since 1970-01-01 00:00 UTC.
    pub time: Duration,
    /// What its randomness follows from. It must be hard to guess, as randomness is.
    pub seed: [u8; 32],
    /// What it may use, as far as it can see that.
    pub limits: MemoryLimits,
}

/// The limits that a service can see, since it is told when it has reached them: how much memory and
/// table it may have. They are part of what it is, so they go wherever its state goes, and change by an
/// event of their own: see [`StateroomService::set_limits`](crate::StateroomService::set_limits).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MemoryLimits {
    /// Linear memory, in bytes.
    pub memory_bytes: u64,
    /// Elements of the table of what can be called indirectly.
    pub table_elements: u64,
}

impl MemoryLimits {
    /// No limits at all, as for services that are native code.
    pub const NONE: MemoryLimits =
        MemoryLimits { memory_bytes: u64::MAX, table_elements: u64::MAX };
}

impl Default for MemoryLimits {
    fn default() -> Self {
        MemoryLimits::NONE
    }
}

/// Names the code of a service: the SHA-256 of its module.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CodeVersion(pub [u8; 32]);

impl fmt::Display for CodeVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for CodeVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CodeVersion({self})")
    }
}

/// The state of a service at one moment, which has yet to be made into bytes.
pub struct SavedState(Box<dyn FnOnce() -> Result<Vec<u8>, SaveFailure> + Send>);

/// The state of a service could not be made into bytes: there is no memory for it, or it is damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaveFailure(pub String);

impl SavedState {
    /// Makes it of the work that encodes it.
    #[must_use]
    pub fn new(encode: impl FnOnce() -> Result<Vec<u8>, SaveFailure> + Send + 'static) -> Self {
        SavedState(Box::new(encode))
    }

    /// The bytes that [`StateroomServiceFactory::restore`](crate::StateroomServiceFactory::restore)
    /// takes. May be called on any thread, at any time: tens of microseconds for a small room, a few
    /// milliseconds for each megabyte.
    ///
    /// # Errors
    /// When the state can't be encoded.
    pub fn encode(self) -> Result<Vec<u8>, SaveFailure> {
        (self.0)()
    }
}

impl fmt::Debug for SavedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SavedState").finish_non_exhaustive()
    }
}

impl fmt::Display for SaveFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the state of the room could not be saved: {}", self.0)
    }
}

impl std::error::Error for SaveFailure {}

/// Why a service could not be brought back from its saved state, or take over from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestoreFailure {
    /// Services of this kind can't be brought back.
    Unsupported,
    /// As many services are awake as there may be; later there may be room.
    Full,
    /// The state is damaged, or of other code.
    Damaged(String),
    /// The service failed as it took over.
    Failed(crate::ServiceFailure),
}

impl fmt::Display for RestoreFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RestoreFailure::Unsupported => {
                f.write_str("services of this kind can't be brought back from a saved state")
            }
            RestoreFailure::Full => f.write_str("as many rooms are awake as there may be"),
            RestoreFailure::Damaged(what) => write!(f, "the saved state can't be used: {what}"),
            RestoreFailure::Failed(failure) => write!(f, "the service failed: {failure}"),
        }
    }
}

impl std::error::Error for RestoreFailure {}
