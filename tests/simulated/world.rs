//! A server without sockets: rooms, one store on a disk that may fail, and what its clients saw.

use super::ledger::{Ledger, Ledgers, TRAP};
use fastrand::Rng;
use stateroom::{Birth, ClientId, MemoryLimits};
use stateroom_room::{Command, Event, MessageKind, Room, RoomContext, RoomState, Timestamp};
use stateroom_store::{
    Chances, Durability, FaultyDisk, FaultyStore, ModuleHash, Reader, Store, StoreError, Vitals,
    Write,
};
use std::{collections::HashMap, sync::Arc, time::Duration};

const ROOMS: [&str; 3] = ["a", "b", "c"];
const CODE: ModuleHash = ModuleHash([1; 32]);

pub(crate) struct World {
    random: Rng,
    disk: FaultyDisk,
    durability: Durability,
    store: FaultyStore,
    now: Duration,
    rooms: HashMap<&'static str, Live>,
    /// What is to be committed next, and of which room it is a submission.
    desk: Vec<(Write, Option<&'static str>)>,
    /// What was seen of each room, ever.
    seen: HashMap<&'static str, Vec<u64>>,
    /// The numbers with which an event failed.
    trapped: Vec<u64>,
    last_number: u64,
    counts: [u64; 7],
}

struct Live {
    room: Room<Ledger<RoomContext>>,
    /// Its connections.
    clients: Vec<ClientId>,
    /// Who was in it before, and is not back.
    absent: Vec<ClientId>,
    /// The state that the store is to be told first; `None` once it knows the room.
    first: Option<RoomState>,
    /// The event that has failed.
    failed: Option<Failed>,
}

#[derive(Clone, Copy)]
enum Failed {
    Message(ClientId),
    Disconnect(ClientId),
    Timer,
}

impl World {
    pub(crate) fn new(seed: u64) -> World {
        let mut random = Rng::with_seed(seed);
        let disk = FaultyDisk::new(seed);
        let durability = if random.bool() { Durability::Synced } else { Durability::Buffered };
        let store = disk.open(durability).unwrap();
        disk.set_chances(Chances {
            failed_flush: 0.01,
            disk_full: 0.02,
            never_returns: 0.02,
            ..Chances::default()
        });
        World {
            random,
            disk,
            durability,
            store,
            now: Duration::from_secs(1_000_000),
            rooms: HashMap::new(),
            desk: Vec::new(),
            seen: HashMap::new(),
            trapped: Vec::new(),
            last_number: 0,
            counts: [0; 7],
        }
    }

    /// One thing happens.
    pub(crate) fn step(&mut self) {
        self.now += Duration::from_micros(self.random.u64(0..20_000));
        let id = ROOMS[self.random.usize(..ROOMS.len())];
        match self.random.u32(..100) {
            0..10 => {
                let token = ["x", "y", "z"].get(self.random.usize(..6)).copied();
                self.tell(id, |_| Some(Event::Connect { token }));
            }
            10..16 => {
                let pick = self.random.usize(..8);
                self.tell(id, |live| {
                    let client = *live.clients.get(pick)?;
                    live.clients.retain(|other| *other != client);
                    Some(Event::Disconnect { client })
                });
            }
            16..60 => self.message(id),
            60..70 => self.tell(id, |_| Some(Event::Timer)),
            70..90 => self.commit(),
            90..94 => self.save(id),
            94..97 => self.hibernate(id),
            97 => self.part_with_the_absent(id),
            98 => self.stop(false),
            _ => self.stop(true),
        }
    }

    fn message(&mut self, id: &'static str) {
        self.last_number += 1;
        let number = self.last_number;
        let text = match self.random.u32(..20) {
            0 => format!("{TRAP} {number}"),
            1..5 => format!("{} {number}", self.random.u32(..60)),
            _ => number.to_string(),
        };
        let pick = self.random.usize(..4);
        let mut said = false;
        self.tell(id, |live| {
            let client = *live.clients.get(pick)?;
            said = true;
            Some(Event::Text { client, text: &text })
        });
        if said && text.starts_with(TRAP) {
            self.trapped.push(number);
        }
    }

    /// Lets a room hear something, and submits what it may.
    fn tell<'a>(&mut self, id: &'static str, event: impl FnOnce(&mut Live) -> Option<Event<'a>>) {
        let now = Timestamp::from_origin(self.now);
        let Some(live) = self.live(id) else { return };
        // While an event that failed is being set aside, the room hears nothing.
        if live.failed.is_some() {
            return;
        }
        let Some(event) = event(live) else { return };
        if live.room.handle(event, now).is_err() {
            live.failed = Some(match event {
                Event::Text { client, .. } => Failed::Message(client),
                Event::Disconnect { client } => Failed::Disconnect(client),
                Event::Timer => Failed::Timer,
                other => panic!("{other:?} does not fail"),
            });
        }
        self.submit(id);
    }

    fn submit(&mut self, id: &'static str) {
        let Some(live) = self.rooms.get_mut(id) else { return };
        if live.first.is_none() && live.room.unsubmitted() == 0 {
            return;
        }
        let Some(records) = live.room.submit() else { return };
        let vitals = vitals(&live.room);
        let mut writes = Vec::new();
        if let Some(state) = live.first.take() {
            writes.push(snapshot(id, state, vitals));
        }
        if records.events > 0 {
            writes.push(Write::Append {
                room: id.into(),
                follows: records.follows,
                events: records.events,
                records: records.bytes,
                vitals,
            });
        }
        let last = writes.len() - 1;
        for (number, write) in writes.into_iter().enumerate() {
            self.desk.push((write, (number == last).then_some(id)));
        }
    }

    /// Everything on the desk is committed together.
    fn commit(&mut self) {
        let desk = std::mem::take(&mut self.desk);
        let (writes, submitted): (Vec<_>, Vec<_>) = desk.into_iter().unzip();
        if writes.is_empty() {
            return;
        }
        let result = self.store.commit(&writes);
        if self.disk.is_in_doubt() && !matches!(result, Err(StoreError::Failed { .. })) {
            let power_cut = self.random.bool();
            return self.stop(power_cut);
        }
        match result {
            Ok(()) => {
                for id in submitted.into_iter().flatten() {
                    self.committed(id);
                }
            }
            Err(StoreError::Full { .. }) => {
                // Whose writes were refused is ended, and comes back as it was.
                self.counts[5] += 1;
                for room in writes.iter().filter_map(Write::room) {
                    self.rooms.remove(&**room);
                }
            }
            Err(StoreError::Failed { .. }) => {
                self.counts[5] += 1;
                self.stop(false);
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// A room's submission is durable: its clients see what follows from it.
    fn committed(&mut self, id: &'static str) {
        let Some(live) = self.rooms.get_mut(id) else { return };
        live.room.commit();
        let (seen, counts) = (self.seen.entry(id).or_default(), &mut self.counts);
        let clients = &mut live.clients;
        live.room.drain_commands(|command| match command {
            Command::Open { client } => clients.push(client),
            Command::Close { client, .. } => clients.retain(|other| *other != client),
            Command::Send { kind: MessageKind::Text, bytes, .. } => {
                if let Ok(number) = std::str::from_utf8(bytes).unwrap().parse() {
                    counts[0] += 1;
                    seen.push(number);
                }
            }
            Command::Send { .. } => panic!("it sends texts only"),
        });
        if live.failed.is_some() && !live.room.is_waiting() && live.room.unsubmitted() == 0 {
            self.recover(id);
        }
        self.submit(id);
    }

    /// An event failed: the room goes back to the moment before it.
    fn recover(&mut self, id: &'static str) {
        self.counts[3] += 1;
        let Some(Live { clients, absent, failed, .. }) = self.rooms.remove(id) else { return };
        let now = Timestamp::from_origin(self.now);
        let Some(live) = self.live(id) else { return };
        live.clients = clients;
        live.absent = absent;
        match failed {
            Some(Failed::Message(client)) => {
                live.clients.retain(|other| *other != client);
                // Its connection is closed, so the room hears that it left; and that may fail.
                self.tell(id, |_| Some(Event::Disconnect { client }));
            }
            Some(Failed::Disconnect(client)) => {
                live.room.handle(Event::Forget { client }, now).unwrap();
            }
            Some(Failed::Timer) => live.room.handle(Event::SkipTimer, now).unwrap(),
            None => {}
        }
    }

    fn save(&mut self, id: &'static str) {
        let Some(live) = self.rooms.get_mut(id) else { return };
        // A state must not get ahead of the records before it.
        if live.first.is_none()
            && live.room.unsubmitted() == 0
            && live.failed.is_none()
            && let Some(state) = live.room.state()
        {
            let vitals = vitals(&live.room);
            self.desk.push((snapshot(id, state, vitals), None));
        }
    }

    fn hibernate(&mut self, id: &'static str) {
        let on_desk =
            self.desk.iter().any(|(write, _)| write.room().is_some_and(|room| **room == *id));
        let is_quiet = |live: &Live| {
            live.first.is_none()
                && live.failed.is_none()
                && !live.room.is_waiting()
                && live.room.unsubmitted() == 0
        };
        if !on_desk && self.rooms.get(id).is_some_and(is_quiet) {
            let Some(live) = self.rooms.remove(id) else { return };
            let before = live.room;
            let (clients, absent) = (live.clients, live.absent);
            let Some(live) = self.live(id) else { return };
            live.clients = clients;
            live.absent = absent;
            assert_eq!(live.room.deadline(), before.deadline());
            assert_eq!(live.room.events(), before.events());
        }
    }

    fn part_with_the_absent(&mut self, id: &'static str) {
        let absent = self.rooms.get_mut(id).map(|live| std::mem::take(&mut live.absent));
        for client in absent.unwrap_or_default() {
            if self.rooms.get(id).is_some_and(|live| !live.clients.contains(&client)) {
                self.counts[6] += 1;
                self.tell(id, |_| Some(Event::Disconnect { client }));
            }
        }
    }

    /// The process ends, or the machine.
    fn stop(&mut self, power_cut: bool) {
        self.rooms.clear();
        self.desk.clear();
        if power_cut && self.durability == Durability::Synced {
            self.counts[2] += 1;
            self.disk.power_cut();
        } else {
            self.counts[1] += 1;
            self.disk.crash();
        }
        self.store = self.disk.open(self.durability).unwrap();
        for id in ROOMS {
            self.check(id);
        }
    }

    /// The room, brought back or founded where it has to be.
    fn live(&mut self, id: &'static str) -> Option<&mut Live> {
        if !self.rooms.contains_key(id) {
            let stored = self.reader().load(id).unwrap();
            let live = match stored {
                None => {
                    let birth = Birth {
                        time: self.now,
                        seed: [self.random.u8(..); 32],
                        limits: MemoryLimits::NONE,
                    };
                    let mut room = Room::found(&Ledgers, id, &birth).unwrap();
                    let (clients, absent, first) = (Vec::new(), Vec::new(), room.state());
                    Live { room, clients, absent, first, failed: None }
                }
                Some(stored) => {
                    self.counts[4] += 1;
                    let snapshot = &stored.snapshot;
                    let mut room = Room::restore(&Ledgers, id, snapshot.at, &snapshot.state)
                        .expect("it was saved");
                    for part in &stored.tail {
                        room.replay::<std::convert::Infallible>(part.follows, &part.records)
                            .expect("it does again what it did");
                    }
                    let absent = room.members().collect();
                    Live { room, clients: Vec::new(), absent, first: None, failed: None }
                }
            };
            self.rooms.insert(id, live);
        }
        self.rooms.get_mut(id)
    }

    fn reader(&self) -> Box<dyn Reader> {
        self.store.reader().unwrap()
    }

    /// What was seen is in the state, once and in order; and nothing is that failed.
    fn check(&mut self, id: &'static str) {
        let seen = self.seen.get(id).cloned().unwrap_or_default();
        let trapped = self.trapped.clone();
        let Some(live) = self.live(id) else { return };
        let present = live.room.members().collect::<Vec<_>>();
        let pages = &live.room.service_mut().pages;
        assert!(pages.entries.is_sorted_by(|a, b| a < b), "out of order: {pages:?}");
        let mut entries = pages.entries.iter();
        for number in &seen {
            assert!(entries.any(|entry| entry == number), "{number} is lost: {pages:?}");
        }
        assert!(!trapped.iter().any(|number| pages.entries.contains(number)), "{pages:?}");
        let mut written_down = pages.present.clone();
        written_down.sort_unstable();
        written_down.retain(|client| present.contains(client));
        assert_eq!(written_down, present, "the service knows who is there");
        if live.first.is_some() {
            // Nobody has asked for it.
            self.rooms.remove(id);
        }
    }

    /// One more kill, and what has happened.
    pub(crate) fn end(mut self) -> [u64; 7] {
        self.stop(false);
        self.counts
    }
}

fn vitals(room: &Room<Ledger<RoomContext>>) -> Vitals {
    let wake_at = room.deadline().map(Timestamp::nanoseconds);
    Vitals { wake_at, clients: room.member_count() as u32, heard_at: 0 }
}

fn snapshot(id: &str, state: RoomState, vitals: Vitals) -> Write {
    let at = state.at;
    let room: Arc<str> = id.into();
    Write::Snapshot { room, at, module: CODE, state: state.encode().unwrap(), vitals }
}
