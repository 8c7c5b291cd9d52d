//! A server without sockets: the very rooms, committer and store that ship, on a simulated disk and clock,
//! and what its clients saw.

use super::{
    counts::Counts,
    ledger::{CLOSE, Ledger, Ledgers, Said, TRAP},
    misdeed::Misdeed,
    requester::Requesters,
    session_sockets::SessionSockets,
    visitor::{NUMBERS, Visitor},
    wire::Wire,
};
use fastrand::Rng;
use stateroom::{Birth, ClientId, LeaveReason, MemoryLimits};
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
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    path::Path,
    sync::Arc,
    time::Duration,
};

/// The token of one of the visitors, who may also come without a session.
const VISITOR: &str = "visitor 1";

pub(super) const ROOMS: [&str; 4] = ["a", "b", "c", "d"];

/// The longest that a room's timer can be away: the longest it sets, and the longest between two tries.
const LONGEST_TIMER: Duration = Duration::from_secs(61);

pub(crate) struct World {
    pub(super) random: Rng,
    pub(super) files: SimFiles,
    durability: Durability,
    pub(super) misdeed: Option<Misdeed>,
    /// `None` only while another process begins.
    process: Option<Process>,
    /// The time of day, which may jump when the process ends.
    pub(super) now: Duration,
    /// How long it has been going on.
    pub(super) elapsed: Duration,
    /// How many things have happened.
    pub(super) moment: u64,
    code: Ledgers,
    pub(super) rooms: HashMap<&'static str, Live>,
    lives: u64,
    /// What is to be committed.
    waiting: VecDeque<Request<u64, Answer>>,
    /// What was seen of each room, ever.
    seen: HashMap<&'static str, Vec<u64>>,
    /// The numbers that are in no room: an event failed with them, or they were said in a session that was over.
    pub(super) trapped: Vec<u64>,
    last_number: u64,
    /// All that each room has said, as it would say it.
    pub(super) said: HashMap<&'static str, Vec<Said>>,
    /// Whether what is durable may be lacking.
    may_lack: bool,
    /// Whether nothing breaks any more.
    pub(super) is_ending: bool,
    pub(super) settings: SessionSettings,
    last_incarnation: u64,
    pub(super) visitors: BTreeMap<u64, Visitor>,
    pub(super) last_visitor: u64,
    pub(super) wires: BTreeMap<u64, Wire>,
    pub(super) last_wire: u64,
    /// Whose session each client of a room is, by its key.
    pub(super) names: BTreeMap<(&'static str, ClientId), (u64, u64)>,
    /// The visitors of whom a room that runs has heard that they have left for good.
    pub(super) left: BTreeSet<u64>,
    /// The numbers that visitors were told are durable.
    pub(super) requesters: Requesters,
    pub(super) promised: HashMap<&'static str, Vec<(u64, u64)>>,
    pub(crate) counts: Counts,
}

/// What ends with the process, beside the rooms.
struct Process {
    committer: Committer<u64, FileStore>,
    reader: Box<dyn Reader>,
}

pub(super) struct Live {
    /// Names this life of the room.
    life: u64,
    pub(super) kept: KeptRoom<Ledger<RoomContext>>,
    code: Ledgers,
    /// Its connections without sessions.
    clients: Vec<ClientId>,
    /// Those that have yet to be let in: whether they are without sessions.
    pub(super) newcomers: VecDeque<bool>,
    pub(super) sessions: SessionSockets,
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
        // The store names its log by a number of its own.
        fastrand::seed(seed);
        let files = SimFiles::new(seed);
        let durability = if random.bool() { Durability::Synced } else { Durability::Buffered };
        let settings = SessionSettings {
            grace: Duration::from_millis(if random.bool() { 300 } else { 2_000 }),
            retained_bytes: if random.u32(..4) == 0 { 200 } else { 256 << 10 },
            ack_after: Duration::from_millis(20),
            ..SessionSettings::default()
        };
        let process = Process::begin(&files, durability);
        let limits = MemoryLimits { memory_bytes: 1 << 20, table_elements: 10 };
        let mut world = World {
            random,
            files,
            durability,
            misdeed,
            process: Some(process),
            now: Duration::from_secs(1_000_000),
            elapsed: Duration::ZERO,
            moment: 0,
            code: Ledgers { version: 1, limits, loud: None },
            rooms: HashMap::new(),
            lives: 0,
            waiting: VecDeque::new(),
            seen: HashMap::new(),
            trapped: Vec::new(),
            last_number: 0,
            said: HashMap::new(),
            may_lack: false,
            is_ending: false,
            settings,
            last_incarnation: 1,
            visitors: BTreeMap::new(),
            last_visitor: 0,
            wires: BTreeMap::new(),
            last_wire: 0,
            names: BTreeMap::new(),
            left: BTreeSet::new(),
            requesters: Requesters::default(),
            promised: HashMap::new(),
            counts: Counts::default(),
        };
        world.keep_code();
        (0..3).for_each(|place| world.visitor_comes(place));
        world
    }

    /// One thing happens.
    pub(crate) fn step(&mut self) {
        let time = Duration::from_micros(self.random.u64(0..20_000));
        self.pass(time);
        match self.random.bool() {
            true => self.visit(),
            false => self.happen(),
        }
        self.look_at_timers();
    }

    /// Time passes.
    pub(super) fn pass(&mut self, time: Duration) {
        self.moment += 1;
        self.now += time;
        self.elapsed += time;
    }

    /// Something happens to the server, or to somebody who has no session.
    fn happen(&mut self) {
        let id = ROOMS[self.random.usize(..ROOMS.len())];
        match self.random.u32(..100) {
            0..9 => {
                let token = ["x", "y", "z", VISITOR].get(self.random.usize(..8)).copied();
                if token == Some(VISITOR) {
                    self.may_replace(id, VISITOR);
                }
                self.comes(id, token, |world| world.tell(id, |_| Some(Event::Connect { token })));
            }
            9..15 => {
                let pick = self.random.usize(..8);
                self.leave_one(id, pick);
            }
            15..48 => self.message(id),
            48..56 => self.request(id),
            56..64 => {
                self.tell(id, |_| Some(Event::Timer));
                self.look_after_sessions(id);
            }
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
    }

    /// One of those without sessions leaves, if there are so many.
    pub(super) fn leave_one(&mut self, id: &'static str, pick: usize) {
        let misdeed = self.misdeed;
        self.tell(id, |live| {
            let client = *live.clients.get(pick)?;
            live.clients.retain(|other| *other != client);
            let event = Event::Leave { client, reason: LeaveReason::Lost };
            (!live.is_replaced(client, misdeed)).then_some(event)
        });
    }

    fn message(&mut self, id: &'static str) {
        self.last_number += 1;
        let number = self.last_number;
        let text = match self.random.u32(..20) {
            0 => format!("{TRAP} {number}"),
            1 if self.random.bool() => format!("{CLOSE} {number}"),
            1..5 => format!("{} {number}", self.random.u32(..60)),
            _ => number.to_string(),
        };
        let (pick, is_dear) = (self.random.usize(..4), self.random.u32(..10) == 0);
        let (mut said, misdeed) = (false, self.misdeed);
        self.tell(id, |live| {
            let client = *live.clients.get(pick)?;
            said = !live.is_replaced(client, misdeed);
            if !said {
                return None;
            }
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
    pub(super) fn tell<'a>(
        &mut self,
        id: &'static str,
        event: impl FnOnce(&mut Live) -> Option<Event<'a>>,
    ) {
        let now = Timestamp::from_origin(self.now);
        let Some(live) = self.live(id) else { return };
        if live.kept.is_blocked() {
            return;
        }
        let Some(event) = event(live) else { return };
        self.bring_in(id);
        if let Some(live) = self.rooms.get_mut(id) {
            // What follows from a failure comes with what was submitted before it.
            let is_heard = live.kept.handle(event, now).is_ok();
            if is_heard && matches!(event, Event::Connect { .. }) {
                live.newcomers.push_back(true);
            }
        }
        self.submit(id);
    }

    /// Notes what the room has said.
    fn note(&mut self, id: &'static str) {
        let Some(live) = self.rooms.get_mut(id).filter(|live| !live.kept.has_failed()) else {
            return;
        };
        let Some(room) = live.kept.room_mut() else { return };
        let (known, said) = (self.said.entry(id).or_default(), &room.service_mut().pages.said);
        known.extend_from_slice(said.get(known.len()..).expect("what was said was said"));
    }

    pub(super) fn submit(&mut self, id: &'static str) {
        self.note(id);
        self.let_out(id);
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
        self.commit_some(most);
    }

    pub(super) fn commit_all(&mut self) {
        self.commit_some(self.waiting.len());
    }

    fn commit_some(&mut self, most: usize) {
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
                    self.close_all(id);
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
            self.forget(id);
            return;
        }
        let (seen, counts) = (self.seen.entry(id).or_default(), &mut self.counts);
        let mut answers = Vec::new();
        let Live { clients, newcomers, kept, .. } = live;
        kept.drain_commands(|command| match command {
            Command::Open { client } => {
                if newcomers.pop_front() == Some(true) {
                    clients.push(client);
                }
            }
            Command::Close { client, .. } => clients.retain(|other| *other != client),
            Command::Send { kind: MessageKind::Text, bytes, .. } => {
                let (word, _) = Said::read(std::str::from_utf8(bytes).unwrap()).unwrap();
                if let Ok(number) = word.parse() {
                    counts.seen += 1;
                    seen.push(number);
                }
            }
            Command::Send { .. } => panic!("it sends texts only"),
            Command::Answer { number, response } => answers.push((number, response.to_vec())),
        });
        answers.into_iter().for_each(|(number, response)| self.answered(number, &response));
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
        match live.kept.back_again(room, now) {
            Consequence::Close(client, _) => {
                live.clients.retain(|other| *other != client);
                // Its connection is closed, so the room hears that it left; and that may fail.
                self.tell(id, |_| Some(Event::Leave { client, reason: LeaveReason::Lost }));
            }
            Consequence::Told(client) => self.was_set_aside(id, client),
            Consequence::Unanswered(number) => self.unanswered(number),
            Consequence::None => {}
        }
        self.submit(id);
    }

    pub(super) fn save(&mut self, id: &'static str) {
        let Some(live) = self.rooms.get_mut(id) else { return };
        let vitals = vitals(&live.kept);
        if self.misdeed == Some(Misdeed::ForgetsAnswers)
            && let Some(room) = live.kept.room_mut()
        {
            room.forget_answers();
        }
        if let Some(state) = live.kept.take_state() {
            let at = state.at;
            let writes = vec![snapshot(id, state, live.code.version, vitals)];
            let then = Some((live.life, Answer::StateKept { at }));
            let otherwise = Some(Answer::StateNotKept);
            self.waiting.push_back(Request { writes, then, otherwise });
        }
    }

    pub(super) fn rest(&mut self, id: &'static str) {
        let Some(live) = self.rooms.get_mut(id) else { return };
        let before = (live.kept.events(), live.kept.deadline());
        live.kept.leave_memory();
        assert_eq!((live.kept.events(), live.kept.deadline()), before);
    }

    pub(super) fn bring_in(&mut self, id: &'static str) {
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
        if self.random.u32(..30) == 0 && !self.is_ending {
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

    pub(super) fn part_with_the_absent(&mut self, id: &'static str) {
        let now = Timestamp::from_origin(self.now);
        loop {
            let Some(live) = self.rooms.get_mut(id) else { return };
            // A newcomer may be one of them.
            if live.kept.is_blocked() || !live.newcomers.is_empty() {
                return;
            }
            let Live { clients, sessions, kept, .. } = live;
            let is_here =
                |client| clients.contains(&client) || sessions.newest_of(client).is_some();
            let Some(client) = kept.next_absent(now, is_here) else { return };
            self.tell(id, |_| Some(Event::Leave { client, reason: LeaveReason::Lost }));
        }
    }

    /// Nobody is there any more: a room with nothing in it is forgotten.
    fn leave(&mut self, id: &'static str) {
        let has_sessions = self.has_sessions(id);
        let Some(live) = self.rooms.get_mut(id).filter(|_| !has_sessions) else { return };
        if live.clients.is_empty() && live.kept.is_in_memory() && !live.kept.is_worth_keeping() {
            live.kept.forget();
            self.submit(id);
            if self.rooms.get(id).is_some_and(|live| live.kept.is_forgotten()) {
                self.forget(id);
            }
        }
    }

    fn forget(&mut self, id: &'static str) {
        self.rooms.remove(id);
        self.said.remove(id);
        self.names.retain(|(room, _), _| *room != id);
        // Whoever has asked for a session just now asks again.
        self.close_all(id);
        for visitor in self.visitors.values_mut().filter(|visitor| visitor.room == id) {
            visitor.goes_back(0, true);
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
        self.requests_end();
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
        if self.random.u32(..4) == 0 {
            self.code.loud = [None, Some(1), Some(2)][self.random.usize(..3)];
        }
        self.may_lack = power_cut && self.durability == Durability::Buffered;
        self.all_sockets_end(self.may_lack);
        self.process = Some(Process::begin(&self.files, self.durability));
        self.keep_code();
        for id in ROOMS {
            self.check(id);
        }
        self.may_lack = false;
    }

    /// The room, brought back or founded where it has to be.
    pub(super) fn live(&mut self, id: &'static str) -> Option<&mut Live> {
        if !self.rooms.contains_key(id) {
            let stored = self.load(id);
            let (kept, code) = match stored {
                None => {
                    let birth = self.birth();
                    let kept = KeptRoom::found(&self.code, id, &birth, true).unwrap();
                    (kept, self.code)
                }
                Some(stored) => self.opened(id, &stored),
            };
            self.lives += 1;
            let mut live = Live {
                life: self.lives,
                kept,
                code,
                clients: Vec::new(),
                newcomers: VecDeque::new(),
                sessions: SessionSockets::default(),
            };
            if let Some(room) = live.kept.room_mut() {
                self.goes_on(id, &room.service_mut().pages.said);
                let with_sessions = room.members().filter(|client| room.has_session(*client));
                live.sessions = SessionSockets::of(with_sessions, self.now);
            }
            self.rooms.insert(id, live);
        }
        self.rooms.get_mut(id)
    }

    /// A room goes on that has said so much, as far as is kept.
    fn goes_on(&mut self, id: &'static str, said: &[Said]) {
        let known = self.said.entry(id).or_default();
        let is_same = known.starts_with(said);
        // It may be one that was forgotten, since that is lacking.
        assert!(is_same || self.may_lack, "{known:?} was said, and is {said:?} now");
        *known = said.to_vec();
        for visitor in self.visitors.values_mut().filter(|visitor| visitor.room == id) {
            match is_same {
                true => visitor.goes_back(said.len(), self.may_lack),
                false => visitor.is_in_another_life(),
            }
        }
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
        let mut kept =
            KeptRoom::open(room, (stored.snapshot.at, bytes), true, self.settings, now, until);
        let is_deployed = code.version != self.code.version && self.random.bool();
        if is_deployed && self.misdeed != Some(Misdeed::HidesLimits) {
            code = self.code;
            let birth = self.birth();
            kept.take_over(&code, id, &birth).expect("nothing has happened to it");
            self.counts.deploys += 1;
        }
        kept.set_limits(limits, now);
        if self.misdeed != Some(Misdeed::HidesSettings) {
            kept.set_config(code.settings().as_deref(), now);
        }
        kept.set_incarnation(self.fresh_incarnation(), now);
        (kept, code)
    }

    /// What is kept of a room. Where the system lacks the means at the moment, it is tried again.
    fn load(&mut self, id: &str) -> Option<StoredRoom> {
        let reader = &mut self.process().reader;
        let mut tries = (0..100).map(|_| reader.load(id));
        tries.find_map(Result::ok).expect("it can be read")
    }

    /// A number that no incarnation of a room has had.
    pub(super) fn fresh_incarnation(&mut self) -> u64 {
        if self.misdeed != Some(Misdeed::KeepsIncarnation) {
            self.last_incarnation += 1;
        }
        self.last_incarnation
    }

    fn code_of(&self, stored: &StoredRoom) -> Ledgers {
        Ledgers { version: stored.snapshot.module.0[0], ..self.code }
    }

    fn made_again(&mut self, id: &str, code: Ledgers) -> Room<Ledger<RoomContext>> {
        self.counts.brought_back += 1;
        let stored = self.load(id).expect("it is kept");
        let mut room = self.again(id, &stored, code);
        assert_eq!(Some(&room.service_mut().pages.said), self.said.get(id), "it is as it was");
        room
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
    fn check(&mut self, id: &'static str) {
        let Some(live) = self.live(id) else { return };
        let Ledgers { limits: expected, loud: settings, .. } = live.code;
        let room = live.kept.room_mut().expect("it was just brought back");
        let present = room.members().collect::<Vec<_>>();
        let limits = room.limits();
        let (pages, loud) = (room.service_mut().pages.clone(), room.service_mut().loud());
        assert_eq!(room.service_mut().clients(), present, "it is told who is there");
        let is_new = live.kept.events() == 0;
        assert_eq!((limits, pages.limits), (expected, expected), "it knows what it may use");
        assert_eq!(loud, settings, "it knows its settings");
        let mut last = HashMap::new();
        for number in &pages.entries {
            let before = last.insert(number / NUMBERS, *number);
            assert!(before.is_none_or(|before| before < *number), "out of order: {pages:?}");
        }
        let seen = self.seen.entry(id).or_default();
        let promised = self.promised.entry(id).or_default();
        if self.may_lack {
            seen.retain(|number| pages.entries.contains(number));
        }
        promised.retain(|(serial, number)| {
            let is_there = pages.entries.contains(number);
            assert!(is_there || self.may_lack, "{number} is not durable: {pages:?}");
            if !is_there && let Some(visitor) = self.visitors.get_mut(serial) {
                visitor.was_told_too_much(*number);
            }
            is_there
        });
        let mut entries = pages.entries.iter();
        for number in seen {
            assert!(entries.any(|entry| entry == number), "{number} is lost: {pages:?}");
        }
        self.check_answers(id, &pages.entries, self.may_lack);
        let failed = self.trapped.iter().find(|number| pages.entries.contains(number));
        assert_eq!(failed, None, "{pages:?}");
        let mut written_down = pages.present.clone();
        written_down.sort_unstable();
        // Whoever could not be let go may have come again.
        written_down.dedup();
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

    /// Everything comes to rest; then one more kill, and what has happened.
    pub(crate) fn end(mut self) -> Counts {
        self.come_to_rest();
        self.answer_everybody();
        self.stop(false);
        self.counts
    }
}

impl Live {
    /// Whether somebody with a session has the id now of a client without one, which has yet to be closed.
    fn is_replaced(&self, client: ClientId, misdeed: Option<Misdeed>) -> bool {
        misdeed != Some(Misdeed::HearsTheReplaced) && self.kept.has_session(client)
    }
}

impl Process {
    fn begin(files: &SimFiles, durability: Durability) -> Process {
        let options = Options {
            segment_bytes: 4 << 10,
            rooms_a_file: 3,
            large_bytes: 512,
            thread: false,
            finish_time: Duration::MAX,
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
