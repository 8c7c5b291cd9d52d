//! How a store works, where a test or a simulation wants it otherwise.

use crate::files::{Files, RealFiles};
use std::{sync::Arc, time::Duration};

/// How a [`FileStore`](crate::FileStore) works. The default is what a server wants.
#[derive(Clone, Debug)]
pub struct Options {
    /// How large a file of the log becomes, in bytes, before the next one is begun: 64 MiB. Four times as
    /// much is what the log, the checkpoint's write-ahead log and large states take together at most,
    /// beside twice what rooms need.
    pub segment_bytes: u64,
    /// Of how many rooms more the log may tell, at about 300 bytes of memory each, before the next file is begun and
    /// the checkpoint takes this one: 16,384.
    pub rooms_a_file: usize,
    /// States and modules of more bytes than this are in files of their own: 256 KiB.
    pub large_bytes: usize,
    /// Whether the checkpoint has a thread. Else
    /// [`checkpoint_step`](crate::FileStore::checkpoint_step) is to be called, and appends never wait.
    pub thread: bool,
    /// How long [`finish`](crate::Store::finish) goes on with the checkpoint: 2 s. The next start does the rest.
    pub finish_time: Duration,
    /// How many rooms the checkpoint takes in one transaction: 200.
    pub rooms_at_once: usize,
    /// The disk.
    pub files: Arc<dyn Files>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            segment_bytes: 64 << 20,
            rooms_a_file: 16 << 10,
            large_bytes: 256 << 10,
            thread: true,
            finish_time: Duration::from_secs(2),
            rooms_at_once: 200,
            files: Arc::new(RealFiles),
        }
    }
}
