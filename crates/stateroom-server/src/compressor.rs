//! A thread that makes what sleeping rooms keep smaller, off the rooms' own way.

use crate::{counters::Totals, health::Health, priority};
use stateroom::Compression;
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc::{Sender, channel},
    },
    thread,
};

/// How much may wait for the thread. What waits takes some 20 KiB each, so when rooms fall asleep
/// faster than it can keep up with, their shards do the work themselves.
const MOST_WAITING: usize = 64;

/// The way to the thread, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Compressor {
    work: Sender<Compression>,
    waiting: Arc<AtomicUsize>,
}

impl Compressor {
    /// Begins the thread, which tells `totals` what it has counted.
    pub(crate) fn start(health: &Arc<Health>, totals: Arc<Totals>) -> io::Result<Self> {
        let (work, receiver) = channel::<Compression>();
        let waiting = Arc::new(AtomicUsize::new(0));
        thread::Builder::new().name("compressor".to_owned()).spawn({
            let (waiting, guard) = (waiting.clone(), health.guard("compressor"));
            move || {
                let _guard = guard;
                priority::lower(priority::LOW);
                for compression in receiver {
                    waiting.fetch_sub(1, Relaxed);
                    compression.run();
                    totals.collect(usize::MAX);
                }
            }
        })?;
        Ok(Compressor { work, waiting })
    }

    /// Has it done soon, or does it at once.
    pub(crate) fn compress(&self, compression: Compression) {
        if self.waiting.load(Relaxed) >= MOST_WAITING {
            return compression.run();
        }
        self.waiting.fetch_add(1, Relaxed);
        if let Err(unsent) = self.work.send(compression) {
            unsent.0.run();
        }
    }
}
