//! What a service answers when it is asked to sleep.

use std::fmt;

/// What became of [`StateroomService::sleep`](crate::StateroomService::sleep).
#[derive(Debug)]
#[must_use]
pub enum Sleep {
    /// The service stays awake: it is of a kind that cannot sleep, or it has failed.
    StaysAwake,
    /// The service is asleep and has given back what only a running one needs. What it keeps gets
    /// smaller by the given work, where there is any.
    Asleep(Option<Compression>),
}

/// Work that makes what a sleeping service keeps smaller.
///
/// It may be run on any thread, at any time, or never. A service that wakes before or during it
/// does not wait for it, and it does nothing then.
pub struct Compression(Box<dyn FnOnce() + Send>);

impl Compression {
    /// Makes it of what is to be done.
    #[must_use]
    pub fn new(work: impl FnOnce() + Send + 'static) -> Compression {
        Compression(Box::new(work))
    }

    /// Does the work: tens of microseconds for a small room, a few milliseconds for each megabyte.
    pub fn run(self) {
        (self.0)();
    }
}

impl fmt::Debug for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compression").finish_non_exhaustive()
    }
}
