//! A node in the model: drives what the crate decides with, and believes what that says.

use super::{
    database::Database,
    fault::Fault,
    session::{Entry, Row, Statement, ToClient, ToServer},
};
use stateroom_postgres::core::{Fate, Heard, InFlight, Lane, Part, Place};
use std::collections::BTreeMap;

/// What a node has learned.
pub(crate) enum Told {
    /// A record of its own is durable, at this position.
    Durable(Part, i64, Entry),
    /// It owns the part by this claim.
    Claimed(Part, Place),
    Lost,
}

#[derive(Default)]
pub(crate) struct Node {
    fault: Option<Fault>,
    lane: Lane,
    on_lane: Option<u32>,
    on_control: Option<u32>,
    claim: Option<InFlight<Place>>,
    /// What each part that it owns has had, as far as it knows.
    pub(crate) histories: BTreeMap<Part, Vec<Entry>>,
    /// The last positions that it has known of, also of parts that it has lost.
    known: BTreeMap<Part, i64>,
    /// What is on its way.
    sent: BTreeMap<Part, Row>,
}

impl Node {
    pub(crate) fn new(fault: Option<Fault>) -> Self {
        Node { fault, ..Node::default() }
    }

    pub(crate) fn owns(&self, part: Part) -> bool {
        self.lane.last(part).is_some()
    }

    /// Takes over what it believes of a part.
    pub(crate) fn adopt(&mut self, part: Part, claim: Place, history: Vec<Entry>) {
        self.histories.insert(part, history);
        self.known.insert(part, claim.seq);
        self.lane.adopt(part, claim);
    }

    pub(crate) fn put(&mut self, part: Part, body: u32) {
        // Refused while another one is on its way, or the part is not owned.
        let _ = self.lane.put(part, body.to_le_bytes().to_vec().into());
    }

    pub(crate) fn send(&mut self, database: &mut Database, on_conflict_do_nothing: bool) {
        let rows: Vec<Row> = self
            .lane
            .next_statement()
            .into_iter()
            .map(|row| {
                let body = u32::from_le_bytes(row.body[..].try_into().unwrap());
                Row { part: row.part, place: row.place, body }
            })
            .collect();
        if rows.is_empty() {
            return;
        }
        self.sent.extend(rows.iter().map(|row| (row.part, *row)));
        let session = *self.on_lane.get_or_insert_with(|| database.connect());
        execute(database, session, Statement::Append { rows, on_conflict_do_nothing });
    }

    pub(crate) fn claim(&mut self, database: &mut Database, wanted: &[Part], random: u32) {
        let parts: Vec<(Part, i64)> = wanted
            .iter()
            .filter(|part| !self.owns(**part))
            .map(|part| (*part, self.known.get(part).copied().unwrap_or(0)))
            .collect();
        if self.claim.is_some() || parts.is_empty() {
            return;
        }
        self.claim = Some(InFlight::new(parts.iter().map(|(part, _)| *part)));
        let session = *self.on_control.get_or_insert_with(|| database.connect());
        execute(database, session, Statement::Claim { parts, random });
    }

    /// Saves what a part has had and has it trimmed, without waiting for it.
    pub(crate) fn trim(&mut self, database: &mut Database, part: Part, below: i64) {
        let Some(last) = self.lane.last(part) else { return };
        let Some(history) = self.histories.get(&part) else { return };
        let below = match self.fault {
            Some(Fault::LastTrimmed) => last.seq + 1,
            _ => below.clamp(1, last.seq),
        };
        let state = history[..below as usize - 1].to_vec();
        let session = database.connect();
        execute(database, session, Statement::Trim { part, epoch: last.epoch, below, state });
    }

    /// It has waited for too long.
    pub(crate) fn time_out(&mut self, database: &mut Database) -> Vec<Told> {
        if self.claim.take().is_some() {
            drop_session(database, self.on_control.take());
        }
        if !self.lane.is_busy() {
            return Vec::new();
        }
        drop_session(database, self.on_lane.take());
        self.hear(database, Heard::TimedOut)
    }

    /// It is killed and starts anew.
    pub(crate) fn restart(&mut self, database: &mut Database) {
        drop_session(database, self.on_lane.take());
        drop_session(database, self.on_control.take());
        *self = Node::new(self.fault);
    }

    /// The next of what is on its way from the server arrives.
    pub(crate) fn receive(&mut self, database: &mut Database, id: u32) -> Vec<Told> {
        let Some(session) = database.sessions.get_mut(&id) else { return Vec::new() };
        if ![self.on_lane, self.on_control].contains(&Some(id)) {
            return Vec::new();
        }
        let Some(answer) = session.outbox.pop_front() else { return Vec::new() };
        let is_cut = matches!(answer, ToClient::Cut);
        let told = match self.on_lane == Some(id) {
            true => self.hear_of_records(database, answer),
            false => self.hear_of_claims(answer),
        };
        if is_cut {
            for mine in [&mut self.on_lane, &mut self.on_control] {
                if *mine == Some(id) {
                    drop_session(database, mine.take());
                }
            }
        }
        told
    }

    fn hear_of_records(&mut self, database: &Database, answer: ToClient) -> Vec<Told> {
        let mut told = Vec::new();
        match (self.fault, answer) {
            (Some(Fault::WarningIgnored), ToClient::Warning) => {}
            (Some(Fault::DurableAtTheRow), ToClient::Row(part, _)) => {
                self.hear(database, Heard::Row(part, ()));
                told = self.hear(database, Heard::Ready);
            }
            (Some(Fault::DuplicateIsSuccess), ToClient::Failed("23505")) => {
                let parts: Vec<Part> = self.sent.keys().copied().collect();
                for part in parts {
                    self.hear(database, Heard::Row(part, ()));
                }
                told = self.hear(database, Heard::Ready);
            }
            (_, answer) => {
                let heard = match answer {
                    ToClient::Row(part, _) => Heard::Row(part, ()),
                    ToClient::Warning => Heard::Warning,
                    ToClient::Ready => Heard::Ready,
                    ToClient::Failed(code) => Heard::Failed(code.into()),
                    ToClient::Cut => Heard::Cut("the model has cut it".into()),
                };
                told = self.hear(database, heard);
            }
        }
        told
    }

    fn hear(&mut self, database: &Database, heard: Heard) -> Vec<Told> {
        let was_busy = self.lane.is_busy();
        let fates = self.lane.hear(heard);
        let told = fates.into_iter().map(|fate| self.believe(database, fate)).collect();
        if was_busy && !self.lane.is_busy() {
            self.sent.clear();
        }
        told
    }

    fn believe(&mut self, database: &Database, fate: Fate) -> Told {
        match fate {
            Fate::Durable(part, seq) => self.durable(part, seq),
            Fate::Lost(part, _) if self.fault == Some(Fault::SettledByRead) => {
                let Some(row) = self.sent.get(&part).copied() else { return Told::Lost };
                let Place { seq, epoch } = row.place;
                let is_there = database.row(part, seq).is_some_and(|(there, _)| there == epoch);
                let last = if is_there { seq } else { seq - 1 };
                self.lane.adopt(part, Place { seq: last, epoch });
                if is_there { self.durable(part, seq) } else { Told::Lost }
            }
            Fate::Lost(part, _) => {
                self.histories.remove(&part);
                Told::Lost
            }
        }
    }

    fn durable(&mut self, part: Part, seq: i64) -> Told {
        let Some(row) = self.sent.get(&part) else { return Told::Lost };
        let entry = (row.place.epoch, row.body);
        self.histories.entry(part).or_default().push(entry);
        self.known.insert(part, seq);
        Told::Durable(part, seq, entry)
    }

    fn hear_of_claims(&mut self, answer: ToClient) -> Vec<Told> {
        let Some(claim) = &mut self.claim else { return Vec::new() };
        let heard = match answer {
            ToClient::Row(part, place) => Heard::Row(part, place),
            ToClient::Warning if self.fault == Some(Fault::WarningIgnored) => return Vec::new(),
            ToClient::Warning => Heard::Warning,
            ToClient::Ready => Heard::Ready,
            ToClient::Failed(code) => Heard::Failed(code.into()),
            ToClient::Cut => Heard::Cut("the model has cut it".into()),
        };
        let is_row = matches!(heard, Heard::Row(..));
        let mut ended = claim.hear(heard);
        if is_row && self.fault == Some(Fault::ClaimedAtTheRow) {
            ended = claim.hear(Heard::Ready);
        }
        let Some(ended) = ended else { return Vec::new() };
        self.claim = None;
        let durable = ended.durable.into_iter();
        durable.map(|(part, place)| Told::Claimed(part, place)).collect()
    }
}

fn execute(database: &mut Database, session: u32, statement: Statement) {
    if let Some(session) = database.sessions.get_mut(&session) {
        session.inbox.extend([ToServer::Execute(statement), ToServer::Sync]);
    }
}

fn drop_session(database: &mut Database, session: Option<u32>) {
    if let Some(session) = session.and_then(|id| database.sessions.get_mut(&id)) {
        session.is_dropped = true;
        session.outbox.clear();
    }
}
