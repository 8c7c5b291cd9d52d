//! A bound on what all clients of a server take together: past half of it, each may take no more than an equal
//! part of that half, so that few who take much leave room for all others.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What is taken, and by how many.
#[derive(Debug)]
pub(crate) struct FairShare {
    most: usize,
    bytes: AtomicUsize,
    clients: AtomicUsize,
}

impl FairShare {
    pub(crate) fn new(most: usize) -> Self {
        FairShare { most, bytes: AtomicUsize::new(0), clients: AtomicUsize::new(0) }
    }

    /// How many bytes are taken.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Relaxed)
    }

    /// How many clients take some.
    pub(crate) fn clients(&self) -> usize {
        self.clients.load(Relaxed)
    }

    /// How many one of `clients` may take, when `all` are taken.
    pub(crate) fn share(&self, all: usize, clients: usize) -> usize {
        let half = self.most / 2;
        if all <= half {
            usize::MAX
        } else if all <= self.most {
            half / clients.max(1)
        } else {
            0
        }
    }

    /// Tells how many are taken then.
    pub(crate) fn add(&self, bytes: usize) -> usize {
        self.bytes.fetch_add(bytes, Relaxed).saturating_add(bytes)
    }

    pub(crate) fn remove(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Relaxed);
    }

    pub(crate) fn add_client(&self) {
        self.clients.fetch_add(1, Relaxed);
    }

    pub(crate) fn remove_client(&self) {
        self.clients.fetch_sub(1, Relaxed);
    }
}
