//! Nodes and a database with accidents, all from one seed; and what must be true whatever happens.

use super::{
    database::Database,
    fault::Fault,
    node::{Node, Told},
    session::{Entry, Session, Work},
};
use fastrand::Rng;
use stateroom_postgres::core::Part;
use std::collections::BTreeMap;

/// How often things have happened.
#[derive(Copy, Clone, Debug, Default)]
pub(crate) struct Counts {
    durable: u64,
    claimed: u64,
    lost: u64,
    cancelled: u64,
    terminated: u64,
    cut: u64,
    timed_out: u64,
    restarted: u64,
    promoted: u64,
    shrunk: u64,
    killed: u64,
    trimmed: u64,
}

impl Counts {
    fn each(&mut self) -> [&mut u64; 12] {
        let Counts { durable, claimed, lost, cancelled, terminated, cut, .. } = self;
        let Counts { timed_out, restarted, promoted, shrunk, killed, trimmed, .. } = self;
        [
            durable, claimed, lost, cancelled, terminated, cut, timed_out, restarted, promoted,
            shrunk, killed, trimmed,
        ]
    }

    pub(crate) fn add(&mut self, other: &Counts) {
        let mut other = *other;
        for (sum, more) in self.each().into_iter().zip(other.each()) {
            *sum += *more;
        }
    }

    pub(crate) fn everything_happened(mut self) -> bool {
        self.each().iter().all(|count| **count > 100)
    }
}

pub(crate) struct World {
    random: Rng,
    parts: Vec<Part>,
    database: Database,
    nodes: Vec<Node>,
    /// What was told to be durable, and what whoever claimed a part has found below.
    known: BTreeMap<(Part, i64), Entry>,
    bodies: u32,
    counts: Counts,
    /// How likely accidents are, of 256.
    accidents: u8,
}

impl World {
    pub(crate) fn new(seed: u64, fault: Option<Fault>) -> Self {
        let mut random = Rng::with_seed(seed);
        let parts: Vec<Part> = (0..random.u16(1..=2)).filter_map(Part::new).collect();
        let nodes = (0..random.usize(2..=3)).map(|_| Node::new(fault)).collect();
        World {
            database: Database::new(parts.clone(), fault),
            parts,
            nodes,
            known: BTreeMap::new(),
            bodies: 0,
            counts: Counts::default(),
            accidents: *random.choice([0, 1, 4, 16].iter()).unwrap_or(&1),
            random,
        }
    }

    pub(crate) fn step(&mut self) -> Result<(), String> {
        if self.random.u8(..) < self.accidents {
            return self.accident();
        }
        let node = self.random.usize(..self.nodes.len());
        let part = self.parts[self.random.usize(..self.parts.len())];
        match self.random.u8(..80) {
            0..10 => {
                self.bodies += 1;
                self.nodes[node].put(part, self.bodies);
            }
            10..20 => {
                let do_nothing = self.random.u8(..4) != 0;
                self.nodes[node].send(&mut self.database, do_nothing);
            }
            20 => {
                let how_many = self.random.usize(1..=self.parts.len());
                let wanted = self.parts[..how_many].to_vec();
                // Few bits, so that nothing rests on there being many.
                let bits = self.random.u32(..);
                self.nodes[node].claim(&mut self.database, &wanted, bits);
            }
            21 => {
                let last = self.database.tail(part).map_or(1, |(seq, _)| seq + 1);
                let below = self.random.i64(1..=last.max(1));
                if self.nodes[node].owns(part) {
                    self.counts.trimmed += 1;
                    self.nodes[node].trim(&mut self.database, part, below);
                }
            }
            22..32 => self.database.replicate(),
            32..46 => {
                if let Some(id) = self.session(|session| !session.inbox.is_empty()) {
                    self.database.deliver(id);
                }
            }
            46..64 => {
                let works = |session: &Session| !matches!(session.work, Work::Idle);
                if let Some(id) = self.session(works) {
                    self.database.advance(id, &mut self.random);
                }
            }
            _ => {
                if let Some(id) = self.session(|session| !session.outbox.is_empty()) {
                    return self.receive(id);
                }
            }
        }
        Ok(())
    }

    fn accident(&mut self) -> Result<(), String> {
        let node = self.random.usize(..self.nodes.len());
        let session = self.session(|_| true);
        match (self.random.u8(..40), session) {
            (0..5, Some(id)) => {
                self.counts.cut += 1;
                self.database.cut(id, &mut self.random);
            }
            (5..8, Some(id)) => {
                self.counts.terminated += 1;
                self.database.terminate(id);
            }
            (8..15, _) => {
                // Whoever does that does it to all who wait.
                let waiting: Vec<u32> = self.database.sessions.keys().copied().collect();
                for id in waiting {
                    self.counts.cancelled += u64::from(self.database.cancel_wait(id));
                }
            }
            (15..20, _) => {
                self.counts.timed_out += 1;
                let told = self.nodes[node].time_out(&mut self.database);
                self.check(node, told)?;
            }
            (20..22, _) => {
                self.counts.restarted += 1;
                self.database.restart();
            }
            (22..26, _) => {
                self.counts.promoted += 1;
                self.database.promote(0);
            }
            (26..34, _) => {
                self.counts.shrunk += 1;
                self.database.promote(self.random.usize(1..6));
                // That is lost, and it is known. What follows must be one history all the same.
                let database = &self.database;
                self.known.retain(|(part, seq), _| {
                    database.tail(*part).is_some_and(|(last, _)| *seq <= last)
                });
            }
            (34..36, _) => {
                self.counts.killed += 1;
                self.nodes[node].restart(&mut self.database);
            }
            (36.., Some(id)) => self.database.notice_dropped(id),
            (_, None) => {}
        }
        Ok(())
    }

    fn session(&mut self, of: impl Fn(&Session) -> bool) -> Option<u32> {
        let sessions = self.database.sessions.iter().filter(|(_, session)| of(session));
        let sessions: Vec<u32> = sessions.map(|(id, _)| *id).collect();
        self.random.choice(sessions.iter()).copied()
    }

    fn receive(&mut self, session: u32) -> Result<(), String> {
        for node in 0..self.nodes.len() {
            let told = self.nodes[node].receive(&mut self.database, session);
            self.check(node, told)?;
        }
        Ok(())
    }

    /// Whoever is told something must know all that there is.
    fn check(&mut self, node: usize, told: Vec<Told>) -> Result<(), String> {
        for told in told {
            match told {
                Told::Durable(part, seq, entry) => {
                    self.counts.durable += 1;
                    let believed = self.nodes[node].histories.get(&part).cloned();
                    let believed = believed.unwrap_or_default();
                    if believed.len() as i64 != seq || believed.last() != Some(&entry) {
                        return Err(format!("node {node} has lost count of part {part}"));
                    }
                    self.compare(part, seq, &believed)?;
                }
                Told::Claimed(part, place) => {
                    self.counts.claimed += 1;
                    let history = self.database.history(part, place.seq)?;
                    self.compare(part, place.seq, &history)?;
                    self.nodes[node].adopt(part, place, history);
                }
                Told::Lost => self.counts.lost += 1,
            }
        }
        Ok(())
    }

    /// What somebody believes of a part must be what is there, and what was ever told.
    fn compare(&mut self, part: Part, seq: i64, believed: &[Entry]) -> Result<(), String> {
        let found = self.database.history(part, seq)?;
        if found != believed {
            return Err(format!("part {part} has {found:?}, and its owner believes {believed:?}"));
        }
        for (seq, entry) in (1..).zip(believed) {
            let known = self.known.entry((part, seq)).or_insert(*entry);
            if known != entry {
                return Err(format!("part {part} had {known:?} at {seq}, and has {entry:?}"));
            }
        }
        Ok(())
    }

    /// Everything comes to rest. A new node can claim all parts, and finds all that was ever told.
    pub(crate) fn end(mut self) -> Result<Counts, String> {
        let sessions: Vec<u32> = self.database.sessions.keys().copied().collect();
        sessions.into_iter().for_each(|id| self.database.terminate(id));
        self.nodes.push(Node::new(None));
        let node = self.nodes.len() - 1;
        let parts = self.parts.clone();
        for _ in 0..200 {
            let bits = self.random.u32(..);
            self.nodes[node].claim(&mut self.database, &parts, bits);
            self.database.replicate();
            let sessions: Vec<u32> = self.database.sessions.keys().copied().collect();
            for id in sessions {
                self.database.deliver(id);
                self.database.advance(id, &mut self.random);
                self.receive(id)?;
            }
        }
        for part in &parts {
            if !self.nodes[node].owns(*part) {
                return Err(format!("nobody can claim part {part}"));
            }
        }
        for ((part, seq), known) in &self.known {
            let history = self.nodes[node].histories.get(part);
            let found = history.and_then(|history| history.get(*seq as usize - 1));
            if found != Some(known) {
                return Err(format!("part {part} had {known:?} at {seq}, and now {found:?}"));
            }
        }
        Ok(self.counts)
    }
}
