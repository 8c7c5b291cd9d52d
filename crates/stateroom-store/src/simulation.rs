//! Runs a store over a [simulated disk](SimFiles) through random accidents, and compares it with what must be
//! there: everything that was told to be durable, whole commits only, nothing twice, and nothing refused.
//!
//! [`World`] is one such disk with one store; whoever drives rooms over it can use the parts of it.

use crate::{
    Durability, FileStore, ModuleHash, Options, Outcome, Quarantined, Reader, Store, StoreError,
    StoredRoom, Ticket, Vitals, Write,
    contents::Contents,
    files::{Chances, Files, SimFiles},
    log::{
        layout::{FoundHeader, Header},
        scan,
    },
};
use fastrand::Rng;
use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

/// How many steps a run has.
const STEPS: usize = 60;

/// All that can be told of a store, to be compared.
type Dump = (Vec<(Arc<str>, StoredRoom, Vec<Quarantined>)>, Vec<Option<Vec<u8>>>);

/// A simulated disk with a store on it, and what that must hold.
pub struct World {
    random: Rng,
    files: SimFiles,
    store: Option<FileStore>,
    level: Durability,
    /// What the store may hold, the oldest first: after each record that it took since it was opened.
    history: VecDeque<Contents>,
    /// The position of the record before the first of `history`'s changes.
    base: u64,
    /// Up to where the checkpoint was when the process ended.
    applied: u64,
    /// What the store held since a reader began.
    trail: Vec<Contents>,
    /// Which of `history` was told to be durable.
    durable: usize,
    /// Records that were appended and not settled.
    waiting: Vec<(Ticket, Vec<Write>)>,
    /// After all that waits.
    tentative: Contents,
    /// Whether an accident was let happen that may have a record refused.
    has_accidents: bool,
    next_byte: u8,
    /// In some worlds files are also followed by the next for the number of rooms.
    rooms_a_file: usize,
}

/// Runs one seed.
///
/// # Errors
/// What was wrong, in words.
pub fn run(seed: u64) -> Result<(), String> {
    let mut world = World::new(seed)?;
    for step in 0..STEPS {
        world.step().map_err(|error| format!("seed {seed}, step {step}: {error}"))?;
    }
    world.end().map_err(|error| format!("seed {seed}, at the end: {error}"))
}

impl World {
    /// An empty disk with a store.
    ///
    /// # Errors
    /// What was wrong.
    pub fn new(seed: u64) -> Result<Self, String> {
        // Names of logs and large files follow from the seed too.
        fastrand::seed(seed);
        let random = Rng::with_seed(seed);
        let files = SimFiles::new(seed);
        let mut world = World {
            random,
            files,
            store: None,
            level: Durability::Synced,
            history: VecDeque::from([Contents::default()]),
            base: 0,
            trail: Vec::new(),
            applied: 0,
            durable: 0,
            waiting: Vec::new(),
            tentative: Contents::default(),
            has_accidents: false,
            next_byte: 0,
            rooms_a_file: if seed % 4 == 3 { 3 } else { usize::MAX },
        };
        world.open()?;
        Ok(world)
    }

    /// The options that it is opened with.
    #[must_use]
    pub fn options(&self) -> Options {
        Options {
            segment_bytes: 1500,
            rooms_a_file: self.rooms_a_file,
            large_bytes: 300,
            thread: false,
            finish_time: Duration::MAX,
            rooms_at_once: 2,
            files: Arc::new(self.files.clone()),
        }
    }

    /// The disk.
    #[must_use]
    pub fn files(&self) -> &SimFiles {
        &self.files
    }

    fn step(&mut self) -> Result<(), String> {
        match self.random.u8(..100) {
            0..35 => {
                let most = if self.has_accidents { 2 } else { 4 };
                for _ in 0..self.random.usize(1..most) {
                    self.append();
                }
                self.settle()?;
            }
            // With accidents, a record may be refused without a word if nobody asks.
            35..40 if !self.has_accidents => self.append(),
            40..62 => {
                for _ in 0..self.random.usize(1..8) {
                    self.checkpoint_step()?;
                }
            }
            62..67 => self.crash()?,
            67..72 => {
                let after = self.random.u64(1..25);
                self.files.die_after(Some(after));
            }
            72..75 => {
                self.settle()?;
                self.has_accidents = true;
                let chances = Chances { failed_flush: 0.2, ..Chances::default() };
                self.files.set_chances(chances);
            }
            75..79 => {
                self.settle()?;
                self.has_accidents = true;
                let mut chance = || if self.random.bool() { 0.3 } else { 0.0 };
                let (full, short_write, no_descriptor) = (chance(), chance(), chance());
                let chances = Chances { full, short_write, no_descriptor, ..Chances::default() };
                self.files.set_chances(chances);
            }
            79..83 => self.files.set_chances(Chances::default()),
            83..86 => self.finish()?,
            86..93 => self.compare_live()?,
            _ => self.compare_reader()?,
        }
        if self.files.is_dead() {
            self.crash()?;
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        self.crash()?;
        self.compare_live()?;
        self.compare_reader()
    }

    /// Appends a record of some random changes.
    fn append(&mut self) {
        let mut record = Vec::new();
        let mut after = self.tentative.clone();
        for _ in 0..self.random.usize(1..4) {
            let write = self.random_write(&after);
            if after.check(std::slice::from_ref(&write)).is_ok() {
                after.apply(std::slice::from_ref(&write));
                record.push(write);
            }
        }
        let Some(store) = &mut self.store else { return };
        if record.is_empty() {
            return;
        }
        let ticket = store.append(&record);
        self.waiting.push((ticket, record));
        self.tentative = after;
    }

    fn random_write(&mut self, contents: &Contents) -> Write {
        let random = &mut self.random;
        let room: Arc<str> = ["a", "bc", "d", "ef"][random.usize(..4)].into();
        let vitals = Vitals {
            wake_at: random.bool().then(|| random.u64(..9)),
            clients: random.u32(..3),
            heard_at: random.u64(..9),
        };
        self.next_byte = self.next_byte.wrapping_add(1);
        let bytes = vec![self.next_byte; random.usize(..200)];
        let module = ModuleHash([random.u8(1..4); 32]);
        let Some(summary) = contents.summary(&room) else {
            let (at, state) = (random.u64(..3), bytes);
            return Write::Snapshot { room, at, module, state, vitals };
        };
        let events = summary.events;
        match random.u8(..20) {
            0 => Write::Delete { room },
            1 => {
                let bytes = vec![module.0[0]; 200 * usize::from(module.0[0])];
                Write::Module { hash: module, bytes }
            }
            2 => {
                let (at, time, reason) = (events, 5, "trap".to_owned());
                Write::Quarantine { room, at, time, reason, event: bytes }
            }
            3..8 => {
                let at = events.saturating_sub(random.u64(..3));
                let large = random.bool();
                let state =
                    if large { vec![self.next_byte; random.usize(300..700)] } else { bytes };
                Write::Snapshot { room, at, module, state, vitals }
            }
            _ => {
                let events_more = random.u32(1..3);
                let (follows, events) = (events, events_more);
                Write::Append { room, follows, events, records: bytes, vitals }
            }
        }
    }

    fn settle(&mut self) -> Result<(), String> {
        let Some(store) = &mut self.store else { return Ok(()) };
        let outcomes = store.settle();
        let waiting = std::mem::take(&mut self.waiting);
        if outcomes.len() != waiting.len() {
            return Err("not every record has an outcome".to_owned());
        }
        let mut newest = self.history.back().cloned().unwrap_or_default();
        let mut has_failed = false;
        for ((ticket, record), (told, outcome)) in waiting.into_iter().zip(outcomes) {
            if ticket != told {
                return Err("outcomes are told in another order".to_owned());
            }
            if let Outcome::Refused(error) = &outcome
                && !self.files.is_dead()
            {
                let fits = newest.check(&record).is_ok();
                if fits && !self.has_accidents {
                    return Err(format!("a record was refused for nothing: {error}"));
                }
                if fits
                    && matches!(error, StoreError::OutOfOrder { .. } | StoreError::Damaged { .. })
                {
                    return Err(format!("a record was refused that fits: {error}"));
                }
                continue;
            }
            newest.check(&record).map_err(|error| format!("it took what does not fit: {error}"))?;
            newest.apply(&record);
            self.history.push_back(newest.clone());
            self.trail.push(newest.clone());
            match outcome {
                Outcome::Durable => self.durable = self.history.len() - 1,
                Outcome::Fenced => return Err("nobody else writes".to_owned()),
                Outcome::Unknown(_) | Outcome::Refused(_) => has_failed = true,
            }
        }
        self.tentative = newest;
        if has_failed && !self.files.is_dead() {
            if !self.has_accidents {
                return Err("a record's outcome is unknown for nothing".to_owned());
            }
            return self.crash();
        }
        Ok(())
    }

    fn checkpoint_step(&mut self) -> Result<(), String> {
        let Some(store) = &mut self.store else { return Ok(()) };
        match store.checkpoint_step() {
            Err(error) if !self.has_accidents && !self.files.is_dead() => {
                Err(format!("the checkpoint fails for nothing: {error}"))
            }
            _ => Ok(()),
        }
    }

    fn finish(&mut self) -> Result<(), String> {
        self.settle()?;
        let Some(store) = &mut self.store else { return Ok(()) };
        match store.finish() {
            Ok(()) => self.durable = self.history.len() - 1,
            Err(_) if self.has_accidents || self.files.is_dead() => {}
            Err(error) => return Err(format!("it cannot end: {error}")),
        }
        self.crash()
    }

    /// Ends the process, or the machine too, and opens the store again.
    fn crash(&mut self) -> Result<(), String> {
        self.expect_waiting();
        if let Some(store) = self.store.take() {
            self.applied = store.monitor().figures().checkpointed;
        }
        self.end_process();
        self.open()
    }

    /// Takes what waits for handed over, as far as anybody knows.
    fn expect_waiting(&mut self) {
        let mut newest = self.history.back().cloned().unwrap_or_default();
        for (_, record) in std::mem::take(&mut self.waiting) {
            if newest.check(&record).is_ok() {
                newest.apply(&record);
                self.history.push_back(newest.clone());
            }
        }
    }

    fn end_process(&mut self) {
        if self.random.bool() {
            self.files.kill();
        } else {
            self.files.cut_power();
            if self.level == Durability::Buffered {
                let applied = usize::try_from(self.applied.saturating_sub(self.base));
                self.durable = self.durable.min(applied.unwrap_or(0));
            }
        }
        if self.random.u8(..8) == 0 {
            self.files.lose_database();
        }
        self.has_accidents = false;
    }

    /// Opens the store, maybe with accidents at first, and finds out which of the possible states it has.
    fn open(&mut self) -> Result<(), String> {
        for _ in 0..self.random.usize(..3) {
            match self.random.bool() {
                true => self.files.die_after(Some(self.random.u64(1..30))),
                false => self.files.set_chances(Chances {
                    failed_flush: 0.1,
                    no_descriptor: 0.05,
                    full: 0.05,
                    ..Chances::default()
                }),
            }
            let level = self.random_level();
            // Nobody was told what is there, so nothing more is durable than before.
            let opened = FileStore::open_with(store_folder(), level, self.options());
            drop(opened);
            self.end_process();
        }
        self.level = self.random_level();
        self.open_at_last()
    }

    fn open_at_last(&mut self) -> Result<(), String> {
        let opened = FileStore::open_with(store_folder(), self.level, self.options());
        let store = opened.map_err(|error| format!("it is refused: {error}"))?;
        let dump = dump(&mut *store.reader().map_err(|error| error.to_string())?)?;
        let possible = (self.durable..self.history.len()).rev();
        let found = possible.into_iter().find(|place| {
            self.history.get(*place).is_some_and(|contents| dump_of(contents) == dump)
        });
        let Some(found) = found else {
            let known = self.history.iter().position(|contents| dump_of(contents) == dump);
            return Err(match known {
                Some(known) => {
                    format!("it went back to {known} though {} was durable", self.durable)
                }
                None => format!("it has a state that never was: {dump:?}"),
            });
        };
        let contents = self.history.swap_remove_back(found).unwrap_or_default();
        self.tentative = contents.clone();
        self.trail.push(contents.clone());
        self.history = VecDeque::from([contents]);
        self.durable = 0;
        self.base = store.monitor().figures().records;
        self.store = Some(store);
        Ok(())
    }

    fn random_level(&mut self) -> Durability {
        if self.random.u8(..3) == 0 { Durability::Buffered } else { Durability::Synced }
    }

    fn compare_live(&mut self) -> Result<(), String> {
        self.settle()?;
        let Some(store) = &self.store else { return Ok(()) };
        if self.files.is_dead() || self.has_accidents {
            return Ok(());
        }
        let mut reader = store.reader().map_err(|error| error.to_string())?;
        self.compare(&mut *reader)
    }

    fn compare_reader(&mut self) -> Result<(), String> {
        self.settle()?;
        if self.files.is_dead() || self.has_accidents {
            return Ok(());
        }
        let mut reader = FileStore::open_read_only_with(store_folder(), &self.options())
            .map_err(|error| format!("a reader is refused: {error}"))?;
        self.compare(&mut reader)
    }

    fn compare(&self, reader: &mut dyn Reader) -> Result<(), String> {
        let Some(contents) = self.history.back() else { return Ok(()) };
        if dump(reader)? != dump_of(contents) {
            return Err("a reader sees something else".to_owned());
        }
        let mut needing = reader.needing_attention().map_err(|error| error.to_string())?;
        let mut expected = contents.needing_attention();
        needing.sort_by(|one, other| one.0.cmp(&other.0));
        expected.sort_by(|one, other| one.0.cmp(&other.0));
        if needing != expected {
            return Err("other rooms need attention".to_owned());
        }
        let mut quiet = reader.forgettable(5, 100).map_err(|error| error.to_string())?;
        quiet.sort();
        if quiet != contents.forgettable(5, 100) {
            return Err("other rooms are forgettable".to_owned());
        }
        Ok(())
    }
}

/// Reads everything.
fn dump(reader: &mut dyn Reader) -> Result<Dump, String> {
    let told = |error: StoreError| format!("it cannot be read: {error}");
    let mut dump = Vec::new();
    for summary in reader.list().map_err(told)? {
        if summary.damaged {
            reader.load(&summary.room).map_err(told)?;
        }
        let stored = reader.load(&summary.room).map_err(told)?;
        let stored = stored.ok_or_else(|| format!("{} is listed and not there", summary.room))?;
        let quarantined = reader.quarantined(&summary.room).map_err(told)?;
        dump.push((summary.room, stored, quarantined));
    }
    let modules = (1..4).map(|number| reader.module(&ModuleHash([number; 32])).map_err(told));
    Ok((dump, modules.collect::<Result<_, _>>()?))
}

fn dump_of(contents: &Contents) -> Dump {
    let rooms = contents.list().into_iter().filter_map(|summary| {
        let stored = contents.load(&summary.room)?;
        let quarantined = contents.quarantined(&summary.room);
        Some((summary.room, stored, quarantined))
    });
    let modules = (1..4).map(|number| contents.module(&ModuleHash([number; 32])));
    (rooms.collect(), modules.collect())
}

/// Reads by a [`FileReader`](crate::FileReader) while the store goes on between each of its looks.
///
/// # Errors
/// What was wrong.
pub fn read_beside(seed: u64) -> Result<(), String> {
    let world = Arc::new(Mutex::new(World::new(seed)?));
    let (files, options) = {
        let world = crate::lock::lock(&world);
        (world.files.clone(), world.options())
    };
    for round in 0..6 {
        let between = {
            let (world, mut random) = (world.clone(), Rng::with_seed(seed * 100 + round));
            Box::new(move || {
                let mut world = crate::lock::lock(&world);
                if seed.is_multiple_of(2) {
                    // A tail that is written anew each time.
                    if random.u8(..3) == 0 {
                        let _ = world.restart();
                    }
                    return;
                }
                for _ in 0..random.usize(..12) {
                    match random.u8(..24) {
                        0 => drop(world.restart()),
                        1..8 => {
                            world.append();
                            let _ = world.settle();
                        }
                        _ => drop(world.checkpoint_step()),
                    }
                }
            })
        };
        {
            let mut world = crate::lock::lock(&world);
            for _ in 0..8 {
                world.append();
                world.settle()?;
            }
            world.restart()?;
            let newest = world.history.back().cloned().unwrap_or_default();
            world.trail = vec![newest];
        }
        files.set_between(Some(between));
        let mut reader = FileStore::open_read_only_with(store_folder(), &options);
        let list = reader.as_mut().map_err(|error| error.clone()).and_then(|reader| reader.list());
        files.set_between(None);
        let list = match list {
            // It changes at each look, more quickly than any disk.
            Err(StoreError::Unreadable { .. }) => continue,
            list => list.map_err(|error| format!("seed {seed}: a reader is refused: {error}"))?,
        };
        let world = crate::lock::lock(&world);
        if !world.trail.iter().any(|contents| contents.list() == list) {
            return Err(format!("seed {seed}: a reader sees a state that never was"));
        }
    }
    Ok(())
}

/// Small scenes that chance rarely finds.
///
/// # Errors
/// What was wrong.
pub fn scenes(seed: u64) -> Result<(), String> {
    let told = |scene: &str, wrong: String| format!("seed {seed}, {scene}: {wrong}");
    the_cache_lies(seed).map_err(|wrong| told("the cache lies", wrong))?;
    the_tail_has_holes(seed).map_err(|wrong| told("a tail with holes", wrong))?;
    the_checkpoint_is_not_flushed(seed).map_err(|wrong| told("no flush of a checkpoint", wrong))?;
    a_bit_flips(seed, false).map_err(|wrong| told("a flipped bit", wrong))?;
    a_bit_flips(seed, true).map_err(|wrong| told("flipped bits", wrong))
}

/// A flush fails, and what it lost can still be read until the power is cut.
fn the_cache_lies(seed: u64) -> Result<(), String> {
    let mut world = World::quiet(seed)?;
    world.append_some(3)?;
    world.has_accidents = true;
    world.files.set_chances(Chances { failed_flush: 1.0, ..Chances::default() });
    world.append();
    if let Some(store) = &mut world.store {
        store.settle();
    }
    let record = std::mem::take(&mut world.waiting).pop();
    let mut newest = world.history.back().cloned().unwrap_or_default();
    if let Some((_, record)) = record {
        newest.apply(&record);
        world.history.push_back(newest);
    }
    world.store = None;
    world.files.kill();
    world.open_plainly()?;
    world.append_some(1)?;
    world.store = None;
    world.files.cut_power();
    world.open_plainly()
}

/// The power is cut while some records are not flushed.
fn the_tail_has_holes(seed: u64) -> Result<(), String> {
    let mut world = World::quiet(seed)?;
    for _ in 0..4 {
        for _ in 0..5 {
            world.append();
        }
        world.expect_waiting();
        world.store = None;
        world.files.cut_power();
        world.open_plainly()?;
    }
    Ok(())
}

/// The last transaction of a checkpoint cannot be flushed.
fn the_checkpoint_is_not_flushed(seed: u64) -> Result<(), String> {
    let mut world = World::quiet(seed)?;
    world.append_some(12)?;
    world.has_accidents = true;
    for _ in 0..world.random.usize(1..5) {
        world.checkpoint_step()?;
    }
    world.files.set_chances(Chances { failed_flush: 1.0, ..Chances::default() });
    for _ in 0..20 {
        world.checkpoint_step()?;
    }
    world.store = None;
    world.files.kill();
    world.open_plainly()
}

/// A bit of what was flushed flips: of an old record; or of the newest file's header, and of the record
/// before it. It is told, or nothing is lost.
fn a_bit_flips(seed: u64, of_header: bool) -> Result<(), String> {
    let mut world = World::quiet(seed)?;
    world.append_some(8)?;
    let newest = world.history.back().map(dump_of);
    world.store = None;
    world.files.kill();
    let log = store_folder().join("log");
    let mut names = world.files.list(&log).map_err(|error| error.to_string())?;
    names.sort();
    let headers = names.iter().filter_map(|name| {
        let bytes = world.files.beginning(&log.join(name), 96).ok()?;
        bytes.iter().any(|byte| *byte != 0).then(|| log.join(name))
    });
    let headers: Vec<PathBuf> = headers.collect();
    let byte = world.random.usize(100..140);
    match (of_header, &headers[..]) {
        (false, [first, ..]) => drop(world.files.flip(first, byte, 3)),
        (true, [.., before, last]) => {
            let bytes =
                world.files.beginning(before, 1 << 20).map_err(|error| error.to_string())?;
            let FoundHeader::Whole(header) = Header::read(&bytes) else { return Ok(()) };
            let Some((at, _)) = scan::heads(&bytes, 0, header.salt()).last() else { return Ok(()) };
            world.files.flip(last, 40, 3);
            world.files.flip(before, at + byte - 100, 3);
        }
        _ => return Ok(()),
    }
    let opened = FileStore::open_with(store_folder(), Durability::Synced, world.options());
    let Ok(store) = opened else { return Ok(()) };
    let mut reader = store.reader().map_err(|error| error.to_string())?;
    match dump(&mut *reader) {
        Ok(dump) if Some(&dump) != newest.as_ref() => {
            Err("what was durable is gone without a word".to_owned())
        }
        _ => Ok(()),
    }
}

impl World {
    /// A world in which nothing happens that is not ordered.
    fn quiet(seed: u64) -> Result<Self, String> {
        let mut world = World::new(seed)?;
        world.store = None;
        world.files.kill();
        world.open_plainly()?;
        Ok(world)
    }

    fn append_some(&mut self, records: usize) -> Result<(), String> {
        for _ in 0..records {
            self.append();
            self.settle()?;
        }
        Ok(())
    }

    /// Ends the process and opens the store again, without accidents.
    fn restart(&mut self) -> Result<(), String> {
        self.settle()?;
        self.store = None;
        self.files.kill();
        self.open_plainly()
    }

    fn open_plainly(&mut self) -> Result<(), String> {
        self.has_accidents = false;
        self.level = Durability::Synced;
        self.open_at_last()
    }
}

/// The folder that worlds have their stores in.
#[must_use]
pub fn store_folder() -> &'static Path {
    Path::new("store")
}
