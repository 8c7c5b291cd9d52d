//! A store on a simulated disk, with the accidents that real ones have: for tests of whoever uses a
//! store. Nothing happens by itself, and everything follows from a seed.

mod store;

pub use store::FaultyStore;

use crate::{
    Durability, StoreError, Write,
    contents::{Contents, Part},
    store::Settled,
};
use fastrand::Rng;
use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What may happen to a commit.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// It cannot be flushed: the commit returns [`Failed`](StoreError::Failed), the store is closed,
    /// and when it is opened again, the commit may be there or not.
    FailedFlush,
    /// There is no space: the commit returns [`Full`](StoreError::Full), the next may succeed.
    DiskFull,
    /// It was under way when the process ended. The commit returns [`Closed`](StoreError::Closed),
    /// since it has to return something, but who sees [`FaultyDisk::is_in_doubt`] has to forget that
    /// and to call [`FaultyDisk::crash`] or [`FaultyDisk::power_cut`]. Then it is there or not.
    NeverReturns,
}

/// How likely each accident is, from 0 (never) to 1 (always).
#[derive(Copy, Clone, Debug, Default, PartialEq)]
pub struct Chances {
    /// [`Fault::FailedFlush`], for each commit.
    pub failed_flush: f64,
    /// [`Fault::DiskFull`], for each commit.
    pub disk_full: f64,
    /// [`Fault::NeverReturns`], for each commit.
    pub never_returns: f64,
    /// A flipped bit in some room's snapshot or journal, each time the store is opened.
    pub flipped_bit: f64,
}

/// A simulated disk, which outlives the stores that are opened on it. A clone is the same disk.
///
/// ```
/// use stateroom_store::{Durability, FaultyDisk, ModuleHash, Store, Vitals, Write};
///
/// let start = Write::Snapshot {
///     room: "lobby".into(),
///     at: 0,
///     module: ModuleHash([7; 32]),
///     state: Vec::new(),
///     vitals: Vitals::default(),
/// };
/// let disk = FaultyDisk::new(1);
/// let mut store = disk.open(Durability::Synced)?;
/// store.commit(&[start])?;
/// disk.power_cut();
/// assert!(store.commit(&[]).is_err());
/// assert!(disk.open(Durability::Synced)?.reader()?.load("lobby")?.is_some());
/// # Ok::<(), stateroom_store::StoreError>(())
/// ```
#[derive(Clone, Debug)]
pub struct FaultyDisk(Arc<Mutex<Disk>>);

#[derive(Debug)]
struct Disk {
    random: Rng,
    chances: Chances,
    /// Those that were ordered, for the next commits.
    faults: VecDeque<Fault>,
    /// As the operating system has it: what a process sees.
    seen: Contents,
    /// As the platter has it: what is there after a power cut.
    synced: Contents,
    /// The commits that lead from `synced` to `seen`.
    unsynced: VecDeque<Vec<Write>>,
    /// One of which nobody knows whether it is there.
    in_doubt: Option<Vec<Write>>,
    /// Counts the processes that there were.
    process: u64,
    is_open: bool,
}

impl FaultyDisk {
    /// An empty disk. All chance follows from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Disk {
            random: Rng::with_seed(seed),
            chances: Chances::default(),
            faults: VecDeque::new(),
            seen: Contents::default(),
            synced: Contents::default(),
            unsynced: VecDeque::new(),
            in_doubt: None,
            process: 0,
            is_open: false,
        })))
    }

    /// Opens the store on this disk.
    ///
    /// # Errors
    /// [`InUse`](StoreError::InUse), while another one is open.
    pub fn open(&self, durability: Durability) -> Result<FaultyStore, StoreError> {
        let mut disk = self.disk();
        if disk.is_open {
            return Err(StoreError::InUse { folder: path() });
        }
        disk.is_open = true;
        disk.decide();
        let chance = disk.chances.flipped_bit;
        if disk.happens(chance) {
            let parts = disk.seen.parts();
            if let Some((room, part)) = disk.random.choice(parts) {
                disk.damage(&room, part);
            }
        }
        let process = disk.process;
        drop(disk);
        Ok(FaultyStore {
            disk: self.clone(),
            durability,
            process,
            closed: None,
            settled: Settled::default(),
        })
    }

    /// Orders `fault` for the next commit that would succeed; for a later one if some are already
    /// ordered.
    pub fn next_fault(&self, fault: Fault) {
        self.disk().faults.push_back(fault);
    }

    /// Lets accidents happen by chance from now on.
    pub fn set_chances(&self, chances: Chances) {
        self.disk().chances = chances;
    }

    /// Ends the process: stores and readers that are open do nothing any more. What was committed is
    /// there, in either mode.
    pub fn crash(&self) {
        let mut disk = self.disk();
        disk.end_process();
        disk.decide();
    }

    /// Ends the process and the machine. What was committed as [`Synced`](Durability::Synced) is
    /// there, and of what came after, no more than the oldest part, by chance.
    pub fn power_cut(&self) {
        let mut disk = self.disk();
        disk.end_process();
        let in_doubt = disk.in_doubt.take();
        disk.unsynced.extend(in_doubt);
        let unsynced = disk.unsynced.len();
        let kept = disk.random.usize(..=unsynced);
        disk.unsynced.truncate(kept);
        disk.sync();
        disk.seen = disk.synced.clone();
    }

    /// Whether there is a commit of which it is open whether it is there: after a
    /// [`Fault::FailedFlush`] or [`Fault::NeverReturns`].
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        self.disk().in_doubt.is_some()
    }

    /// Flips a bit in the snapshot of `room`: it cannot be loaded until there is another one.
    pub fn damage_snapshot(&self, room: &str) {
        self.disk().damage(room, Part::Snapshot);
    }

    /// Flips a bit in the last append to the journal of `room`, if it has a journal: it cannot be
    /// loaded until a snapshot replaces that. Returns whether it has.
    pub fn damage_journal(&self, room: &str) -> bool {
        let mut disk = self.disk();
        let parts = disk.seen.parts();
        let of_room =
            parts.into_iter().filter(|(id, part)| &**id == room && *part != Part::Snapshot);
        let Some((_, part)) = of_room.last() else { return false };
        disk.damage(room, part);
        true
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        // Changed by code that cannot panic half way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disk {
    fn happens(&mut self, chance: f64) -> bool {
        // Draws none when there is no chance, so that ordered faults alone don't change the rest.
        chance > 0.0 && self.random.f64() < chance
    }

    fn draw_fault(&mut self) -> Option<Fault> {
        let Chances { failed_flush, disk_full, never_returns, .. } = self.chances;
        if let Some(fault) = self.faults.pop_front() {
            return Some(fault);
        }
        [
            (Fault::FailedFlush, failed_flush),
            (Fault::DiskFull, disk_full),
            (Fault::NeverReturns, never_returns),
        ]
        .into_iter()
        .find_map(|(fault, chance)| self.happens(chance).then_some(fault))
    }

    /// Decides whether the commit in doubt is there.
    fn decide(&mut self) {
        if let Some(writes) = self.in_doubt.take()
            && self.random.bool()
        {
            self.seen.apply(&writes);
            self.unsynced.push_back(writes);
        }
    }

    /// Brings everything to the platter.
    fn sync(&mut self) {
        for writes in self.unsynced.drain(..) {
            self.synced.apply(&writes);
        }
    }

    fn damage(&mut self, room: &str, part: Part) {
        self.seen.damage(room, part);
        // What isn't there yet cannot be damaged there.
        self.synced.damage(room, part);
    }

    fn end_process(&mut self) {
        self.process += 1;
        self.is_open = false;
    }
}

/// What errors name.
fn path() -> PathBuf {
    PathBuf::from("the simulated disk")
}
