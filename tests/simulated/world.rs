//! A server without sockets: the very rooms, committer and store that ship, on a simulated disk and clock,
//! and what its clients saw.

use super::ledger::{Ledger, Ledgers, TRAP};
use fastrand::Rng;
use stateroom::{Birth, ClientId, MemoryLimits};
use stateroom_room::{
    Command, Consequence, Event, Keep, KeptRoom, MessageKind, Room, RoomContext, RoomState,
    SetAside, Timestamp, session::SessionSettings,
};
use stateroom_store::{
    Committer, Durability, Fate, FileStore, ModuleHash, Options, Reader, Request, Store,
    StoreError, StoredRoom, Vitals, Write,
    files::{Chances, SimFiles},
};
use std::{
    collections::{HashMap, VecDeque},
    path::Path,
    sync::Arc,
    time::Duration,
};

const ROOMS: [&str; 4] = ["a", "b", "c", "d"];

/// The longest that a room's timer can be away: the longest it sets, and the longest between two tries.
const LONGEST_TIMER: Duration = Duration::from_secs(61);

/// Something wrong that whoever drives rooms could do. The simulation must notice each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Misdeed {
    /// Commands are let go as soon as their records are submitted.
    ReleasesEarly,
    /// What is submitted is said to be kept, and is not.
    DropsSubmission,
    /// A room whose clock was ahead is not told.
    LeavesClock,
    /// A changed limit is not told to rooms.
    HidesLimits,
    /// A room is brought back without the newest part of its journal.
    ForgetsJournal,
}

impl Misdeed {
    pub(crate) const ALL: [Misdeed; 5] = [
        Misdeed::ReleasesEarly,
        Misdeed::DropsSubmission,
        Misdeed::LeavesClock,
        Misdeed::HidesLimits,
        Misdeed::ForgetsJournal,
    ];
}

/// How often what happened.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) seen: u64,
    pub(crate) kills: u64,
    pub(crate) power_cuts: u64,
    pub(crate) failed_events: u64,
    pub(crate) brought_back: u64,
    pub(crate) refused: u64,
    pub(crate) failed_flushes: u64,
    pub(crate) checkpoints: u64,
    pub(crate) deploys: u64,
    pub(crate) forgotten: u64,
}

impl Counts {
    fn all(&mut self) -> [&mut u64; 10] {
        let Counts {
            seen,
            kills,
            power_cuts,
            failed_events,
            brought_back,
            refused,
            failed_flushes,
            checkpoints,
            deploys,
            forgotten,
        } = self;
        [
            seen,
            kills,
            power_cuts,
            failed_events,
            brought_back,
            refused,
            failed_flushes,
            checkpoints,
            deploys,
            forgotten,
        ]
    }

    pub(crate) fn add(&mut self, other: &Counts) {
        let mut other = *other;
        for (all, more) in self.all().into_iter().zip(other.all()) {
            *all += *more;
        }
    }

    pub(crate) fn everything_happened(mut self) -> bool {
        self.all().into_iter().all(|count| *count > 0)
    }
}

pub(crate) struct World {
    random: Rng,
    files: SimFiles,
    durability: Durability,
    misdeed: Option<Misdeed>,
    /// `None` only while another process begins.
    process: Option<Process>,
    /// The time of day, which may jump when the process ends.
    now: Duration,
    code: Ledgers,
    rooms: HashMap<&'static str, Live>,
    lives: u64,
    /// What is to be committed.
    waiting: VecDeque<Request<u64, Answer>>,
    /// What was seen of each room, ever.
    seen: HashMap<&'static str, Vec<u64>>,
    /// The numbers with which an event failed.
    trapped: Vec<u64>,
    last_number: u64,
    pub(crate) counts: Counts,
}

/// What ends with the process, beside the rooms.
struct Process {
    committer: Committer<u64, FileStore>,
    reader: Box<dyn Reader>,
}

struct Live {
    /// Names this life of the room.
    life: u64,
    kept: KeptRoom<Ledger<RoomContext>>,
    code: Ledgers,
    /// Its connections.
    clients: Vec<ClientId>,
}

#[derive(Clone, Copy)]
enum Answer {
    Kept,
    StateKept { at: u64 },
    StateNotKept,
}

impl World {
    pub(crate) fn new(seed: u64, misdeed: Option<Misdeed>) -> World {
        let mut random = Rng::with_seed(seed);
        let files = SimFiles::new(seed);
        let durability = if random.bool() { Durability::Synced } else { Durability::Buffered };
        let process = Some(Process::begin(&files, durability));
        let limits = MemoryLimits { memory_bytes: 1 << 20, table_elements: 10 };
        let mut world = World {
            random,
            files,
            durability,
            misdeed,
            process,
            now: Duration::from_secs(1_000_000),
            code: Ledgers { version: 1, limits },
            rooms: HashMap::new(),
            lives: 0,
            waiting: VecDeque::new(),
            seen: HashMap::new(),
            trapped: Vec::new(),
            last_number: 0,
            counts: Counts::default(),
        };
        world.keep_code();
        world
    }

    /// One thing happens.
    pub(crate) fn step(&mut self) {
        self.now += Duration::from_micros(self.random.u64(0..20_000));
        let id = ROOMS[self.random.usize(..ROOMS.len())];
        match self.random.u32(..100) {
            0..9 => {
                let token = ["x", "y", "z"].get(self.random.usize(..6)).copied();
                self.tell(id, |_| Some(Event::Connect { token }));
            }
            9..15 => {
                let pick = self.random.usize(..8);
                self.tell(id, |live| {
                    let client = *live.clients.get(pick)?;
                    live.clients.retain(|other| *other != client);
                    Some(Event::Disconnect { client })
                });
            }
            15..56 => self.message(id),
            56..64 => self.tell(id, |_| Some(Event::Timer)),
            64..84 => self.commit(),
            84..87 => self.save(id),
            87..90 => self.rest(id),
            90..94 => self.checkpoint(),
            94 => self.part_with_the_absent(id),
            95 => self.leave(id),
            96 => self.deploy(id),
            97 => self.have_accidents(),
            98 => self.stop(false),
            _ => self.stop(true),
        }
        self.look_at_timers();
    }

    fn message(&mut self, id: &'static str) {
        self.last_number += 1;
        let number = self.last_number;
        let text = match self.random.u32(..20) {
            0 => format!("{TRAP} {number}"),
            1..5 => format!("{} {number}", self.random.u32(..60)),
            _ => number.to_string(),
        };
        let (pick, is_dear) = (self.random.usize(..4), self.random.u32(..10) == 0);
        let mut said = false;
        self.tell(id, |live| {
            let client = *live.clients.get(pick)?;
            said = true;
            Some(Event::Text { client, text: &text })
        });
        if said && text.starts_with(TRAP) {
            self.trapped.push(number);
        }
        if is_dear && let Some(live) = self.rooms.get_mut(id) {
            live.kept.computed(Duration::from_millis(30));
        }
    }

    /// Lets a room hear something, and submits what it may.
    fn tell<'a>(&mut self, id: &'static str, event: impl FnOnce(&mut Live) -> Option<Event<'a>>) {
        let now = Timestamp::from_origin(self.now);
        let Some(live) = self.live(id) else { return };
        if live.kept.is_blocked() {
            return;
        }
        let Some(event) = event(live) else { return };
        self.bring_in(id);
        if let Some(live) = self.rooms.get_mut(id) {
            // What follows from a failure comes with what was submitted before it.
            let _ = live.kept.handle(event, now);
        }
        self.submit(id);
    }

    fn submit(&mut self, id: &'static str) {
        let misdeed = self.misdeed;
        let Some(live) = self.rooms.get_mut(id) else { return };
        if let Some(keeps) = live.kept.submit() {
            let vitals = vitals(&live.kept);
            let version = live.code.version;
            let writes = keeps.into_iter().map(|keep| write(id, keep, version, vitals)).collect();
            match misdeed {
                Some(Misdeed::DropsSubmission) => return self.kept(id),
                Some(Misdeed::ReleasesEarly) => {
                    self.waiting.push_back(Request { writes, then: None, otherwise: None });
                    return self.kept(id);
                }
                _ => {
                    let then = Some((live.life, Answer::Kept));
                    self.waiting.push_back(Request { writes, then, otherwise: None });
                }
            }
        }
        let Some(live) = self.rooms.get_mut(id) else { return };
        if live.kept.state_is_due() {
            self.save(id);
        }
        self.go_on(id);
    }

    /// A part of what waits is committed together.
    fn commit(&mut self) {
        let most = self.random.usize(..=self.waiting.len());
        let group: Vec<_> = self.waiting.drain(..most).collect();
        if group.is_empty() {
            return;
        }
        self.may_die();
        let committer = &mut self.process().committer;
        let fates = committer.commit(group);
        let has_failed = committer.failure().is_some();
        if has_failed || self.files.is_dead() {
            // Nobody was told what became of it.
            self.counts.failed_flushes += u64::from(has_failed);
            let power_cut = self.random.bool();
            return self.stop(power_cut);
        }
        self.files.die_after(None);
        for (life, fate) in fates {
            let Some(id) = self.room_of(life) else { continue };
            match fate {
                Fate::Kept(Answer::Kept) => self.kept(id),
                Fate::Kept(Answer::StateKept { at }) => {
                    if let Some(live) = self.rooms.get_mut(id) {
                        live.kept.state_kept(at);
                    }
                    self.submit(id);
                }
                Fate::Refused(..) | Fate::Kept(Answer::StateNotKept) => {
                    self.counts.refused += 1;
                    if let Some(live) = self.rooms.get_mut(id) {
                        live.kept.state_not_kept();
                    }
                    self.submit(id);
                }
                Fate::Lost(_) => {
                    // It ends, and comes back as it was.
                    self.counts.refused += 1;
                    self.rooms.remove(id);
                }
            }
        }
    }

    fn room_of(&self, life: u64) -> Option<&'static str> {
        self.rooms.iter().find(|(_, live)| live.life == life).map(|(id, _)| *id)
    }

    /// A room's submission is durable: its clients see what follows from it.
    fn kept(&mut self, id: &'static str) {
        let Some(live) = self.rooms.get_mut(id) else { return };
        live.kept.kept();
        if live.kept.is_forgotten() {
            self.counts.forgotten += 1;
            let seen = self.seen.remove(id).unwrap_or_default();
            assert!(seen.is_empty(), "a room in which something was said is forgotten");
            self.rooms.remove(id);
            return;
        }
        let (seen, counts) = (self.seen.entry(id).or_default(), &mut self.counts);
        let clients = &mut live.clients;
        live.kept.drain_commands(|command| match command {
            Command::Open { client } => clients.push(client),
            Command::Close { client, .. } => clients.retain(|other| *other != client),
            Command::Send { kind: MessageKind::Text, bytes, .. } => {
                if let Ok(number) = std::str::from_utf8(bytes).unwrap().parse() {
                    counts.seen += 1;
                    seen.push(number);
                }
            }
            Command::Send { .. } => panic!("it sends texts only"),
        });
        self.submit(id);
    }

    /// Brings a room back that has failed, once it can be.
    fn go_on(&mut self, id: &'static str) {
        let now = Timestamp::from_origin(self.now);
        let Some(live) = self.rooms.get(id) else { return };
        if !live.kept.is_to_be_brought_back() {
            return;
        }
        self.counts.failed_events += 1;
        let code = live.code;
        let room = self.made_again(id, code);
        let Some(live) = self.rooms.get_mut(id) else { return };
        if let Consequence::Close(client, _) = live.kept.back_again(room, now) {
            live.clients.retain(|other| *other != client);
            // Its connection is closed, so the room hears that it left; and that may fail.
            self.tell(id, |_| Some(Event::Disconnect { client }));
        }
        self.submit(id);
    }

    fn save(&mut self, id: &'static str) {
        let Some(live) = self.rooms.get_mut(id) else { return };
        let vitals = vitals(&live.kept);
        if let Some(state) = live.kept.take_state() {
            let at = state.at;
            let writes = vec![snapshot(id, state, live.code.version, vitals)];
            let then = Some((live.life, Answer::StateKept { at }));
            let otherwise = Some(Answer::StateNotKept);
            self.waiting.push_back(Request { writes, then, otherwise });
        }
    }

    fn rest(&mut self, id: &'static str) {
        let Some(live) = self.rooms.get_mut(id) else { return };
        let before = (live.kept.events(), live.kept.deadline());
        live.kept.leave_memory();
        assert_eq!((live.kept.events(), live.kept.deadline()), before);
    }

    fn bring_in(&mut self, id: &'static str) {
        let Some(live) = self.rooms.get(id) else { return };
        if !live.kept.is_in_memory() {
            let (events, code) = (live.kept.events(), live.code);
            let room = self.made_again(id, code);
            if let Some(live) = self.rooms.get_mut(id) {
                live.kept.bring_in(room);
                assert!(live.kept.events() == events || self.misdeed.is_some());
            }
        }
    }

    fn checkpoint(&mut self) {
        self.may_die();
        let result = self.process().committer.store_mut().checkpoint_step();
        let is_final = matches!(result, Err(StoreError::Failed { .. } | StoreError::Closed { .. }));
        if is_final || self.files.is_dead() {
            let power_cut = self.random.bool();
            return self.stop(power_cut);
        }
        self.files.die_after(None);
        self.counts.checkpoints += u64::from(result.is_ok());
    }

    fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("a process runs")
    }

    /// Has the process perhaps die in the midst of what comes next.
    fn may_die(&mut self) {
        if self.random.u32(..30) == 0 {
            self.files.die_after(Some(self.random.u64(1..12)));
        }
    }

    /// From now on accidents happen to the disk, or no more.
    fn have_accidents(&mut self) {
        let chance = |is: bool, chance| if is { chance } else { 0.0 };
        self.files.set_chances(Chances {
            failed_flush: chance(self.random.u32(..3) == 0, 0.05),
            full: chance(self.random.bool(), 0.1),
            short_write: chance(self.random.bool(), 0.1),
            no_descriptor: chance(self.random.bool(), 0.1),
        });
    }

    fn part_with_the_absent(&mut self, id: &'static str) {
        let now = Timestamp::from_origin(self.now);
        loop {
            let Some(live) = self.rooms.get_mut(id) else { return };
            let clients = live.clients.clone();
            let next = live.kept.next_absent(now, |client| clients.contains(&client));
            let Some(client) = next.filter(|_| !live.kept.is_blocked()) else { return };
            self.tell(id, |_| Some(Event::Disconnect { client }));
        }
    }

    /// Nobody is there any more: a room with nothing in it is forgotten.
    fn leave(&mut self, id: &'static str) {
        let Some(live) = self.rooms.get_mut(id) else { return };
        if live.clients.is_empty() && live.kept.is_in_memory() && !live.kept.is_worth_keeping() {
            live.kept.forget();
            self.submit(id);
            if self.rooms.get(id).is_some_and(|live| live.kept.is_forgotten()) {
                self.rooms.remove(id);
            }
        }
    }

    /// New code takes over.
    fn deploy(&mut self, id: &'static str) {
        let birth = self.birth();
        self.code.version = self.code.version % 3 + 1;
        self.keep_code();
        let code = self.code;
        self.bring_in(id);
        let Some(live) = self.rooms.get_mut(id) else { return };
        if live.kept.is_quiet() && !live.kept.is_blocked() && live.code.version != code.version {
            live.kept.take_over(&code, id, &birth).unwrap();
            live.code = code;
            self.counts.deploys += 1;
        }
        self.submit(id);
    }

    fn keep_code(&mut self) {
        let hash = ModuleHash([self.code.version; 32]);
        let writes = vec![Write::Module { hash, bytes: vec![self.code.version; 100] }];
        self.waiting.push_back(Request { writes, then: None, otherwise: None });
    }

    /// The process ends, or the machine; and another process begins.
    fn stop(&mut self, power_cut: bool) {
        self.rooms.clear();
        self.waiting.clear();
        self.process = None;
        if power_cut {
            self.counts.power_cuts += 1;
            self.files.cut_power();
        } else {
            self.counts.kills += 1;
            self.files.kill();
        }
        // The clock may be set while the machine is off.
        if self.random.u32(..4) == 0 {
            let hour = Duration::from_secs(3600);
            self.now = if self.random.bool() { self.now + hour } else { self.now - hour };
        }
        if self.random.u32(..4) == 0 {
            self.code.limits.memory_bytes = 1 << self.random.u32(16..20);
        }
        self.process = Some(Process::begin(&self.files, self.durability));
        self.keep_code();
        let may_lack = power_cut && self.durability == Durability::Buffered;
        for id in ROOMS {
            self.check(id, may_lack);
        }
    }

    /// The room, brought back or founded where it has to be.
    fn live(&mut self, id: &'static str) -> Option<&mut Live> {
        if !self.rooms.contains_key(id) {
            let stored = self.process().reader.load(id).unwrap();
            let (kept, code) = match stored {
                None => {
                    let birth = self.birth();
                    let kept = KeptRoom::found(&self.code, id, &birth, true).unwrap();
                    (kept, self.code)
                }
                Some(stored) => self.opened(id, &stored),
            };
            self.lives += 1;
            let live = Live { life: self.lives, kept, code, clients: Vec::new() };
            self.rooms.insert(id, live);
        }
        self.rooms.get_mut(id)
    }

    /// A room as another process opens it: perhaps with new code, and under other limits.
    fn opened(
        &mut self,
        id: &str,
        stored: &StoredRoom,
    ) -> (KeptRoom<Ledger<RoomContext>>, Ledgers) {
        self.counts.brought_back += 1;
        let mut code = self.code_of(stored);
        let room = self.again(id, stored, code);
        let mut now = Timestamp::from_origin(self.now);
        let until = Timestamp::from_origin(self.now + Duration::from_millis(100));
        let mut limits = code.limits;
        match self.misdeed {
            Some(Misdeed::LeavesClock) => now = now.max(room.heard_at()),
            Some(Misdeed::HidesLimits) => limits = room.limits(),
            _ => {}
        }
        let bytes = stored.tail.iter().map(|part| part.records.len()).sum();
        let mut kept = KeptRoom::open(
            room,
            (stored.snapshot.at, bytes),
            true,
            SessionSettings::default(),
            now,
            until,
        );
        let is_deployed = code.version != self.code.version && self.random.bool();
        if is_deployed && self.misdeed != Some(Misdeed::HidesLimits) {
            code = self.code;
            let birth = self.birth();
            kept.take_over(&code, id, &birth).expect("nothing has happened to it");
            self.counts.deploys += 1;
        }
        kept.set_limits(limits, now);
        (kept, code)
    }

    fn code_of(&self, stored: &StoredRoom) -> Ledgers {
        Ledgers { version: stored.snapshot.module.0[0], limits: self.code.limits }
    }

    fn made_again(&mut self, id: &str, code: Ledgers) -> Room<Ledger<RoomContext>> {
        self.counts.brought_back += 1;
        let stored = self.process().reader.load(id).unwrap().expect("it is kept");
        self.again(id, &stored, code)
    }

    fn again(&self, id: &str, stored: &StoredRoom, code: Ledgers) -> Room<Ledger<RoomContext>> {
        let lacking = usize::from(self.misdeed == Some(Misdeed::ForgetsJournal));
        let parts = stored.tail.len().saturating_sub(lacking);
        let journal = stored.tail.iter().take(parts);
        let journal = journal.map(|part| (part.follows, &part.records[..]));
        Room::bring_back(&code, id, (stored.snapshot.at, &stored.snapshot.state), journal, || {})
            .expect("it can always be brought back")
    }

    fn birth(&mut self) -> Birth {
        Birth { time: self.now, seed: [self.random.u8(..); 32], limits: self.code.limits }
    }

    /// What was seen is in the state, once and in order; and nothing is that failed. After a power cut
    /// where nothing is flushed the end may be lacking, and what follows is as if it had never been.
    fn check(&mut self, id: &'static str, may_lack: bool) {
        let Some(live) = self.live(id) else { return };
        let expected = live.code.limits;
        let room = live.kept.room_mut().expect("it was just brought back");
        let present = room.members().collect::<Vec<_>>();
        let limits = room.limits();
        let pages = room.service_mut().pages.clone();
        let is_new = live.kept.events() == 0;
        assert_eq!((limits, pages.limits), (expected, expected), "it knows what it may use");
        assert!(pages.entries.is_sorted_by(|a, b| a < b), "out of order: {pages:?}");
        let seen = self.seen.entry(id).or_default();
        if may_lack {
            seen.retain(|number| pages.entries.contains(number));
        }
        let mut entries = pages.entries.iter();
        for number in seen {
            assert!(entries.any(|entry| entry == number), "{number} is lost: {pages:?}");
        }
        let failed = self.trapped.iter().find(|number| pages.entries.contains(number));
        assert_eq!(failed, None, "{pages:?}");
        let mut written_down = pages.present.clone();
        written_down.sort_unstable();
        written_down.retain(|client| present.contains(client));
        assert_eq!(written_down, present, "the service knows who is there");
        if is_new {
            // Nobody has asked for it.
            self.rooms.remove(id);
        } else {
            self.submit(id);
        }
    }

    /// No timer is farther away than it was set, whatever the clock did.
    fn look_at_timers(&self) {
        let latest = Timestamp::from_origin(self.now + LONGEST_TIMER);
        for (id, live) in &self.rooms {
            let deadline = live.kept.deadline();
            assert!(deadline.is_none_or(|deadline| deadline <= latest), "{id}: {deadline:?}");
        }
    }

    /// One more kill, and what has happened.
    pub(crate) fn end(mut self) -> Counts {
        self.stop(false);
        self.counts
    }
}

impl Process {
    fn begin(files: &SimFiles, durability: Durability) -> Process {
        let options = Options {
            segment_bytes: 4 << 10,
            large_bytes: 512,
            thread: false,
            rooms_at_once: 2,
            files: Arc::new(files.clone()),
        };
        let store = FileStore::open_with(Path::new("/rooms"), durability, options)
            .expect("it can always be opened");
        let reader = store.reader().expect("it can be read");
        Process { committer: Committer::new(store), reader }
    }
}

fn vitals(kept: &KeptRoom<Ledger<RoomContext>>) -> Vitals {
    let Some(room) = kept.room() else { return Vitals::default() };
    let wake_at = room.deadline().map(Timestamp::nanoseconds);
    let clients = room.member_count() as u32;
    Vitals { wake_at, clients, heard_at: room.heard_at().nanoseconds() }
}

fn write(id: &str, keep: Keep, version: u8, vitals: Vitals) -> Write {
    let room: Arc<str> = id.into();
    match keep {
        Keep::State(state) => snapshot(id, state, version, vitals),
        Keep::Records(records) => Write::Append {
            room,
            follows: records.follows,
            events: records.events,
            records: records.bytes,
            vitals,
        },
        Keep::SetAside(SetAside { at, time, reason, event }) => {
            Write::Quarantine { room, at, time: time.nanoseconds(), reason, event }
        }
        Keep::Forget => Write::Delete { room },
    }
}

fn snapshot(id: &str, state: RoomState, version: u8, vitals: Vitals) -> Write {
    let (room, at) = (id.into(), state.at);
    let state = state.encode().unwrap();
    Write::Snapshot { room, at, module: ModuleHash([version; 32]), state, vitals }
}
