//! What a room gives out to be kept: the records of what it has heard, which its commands wait for, and its
//! state.

use crate::{
    journal::Journal,
    record::Records,
    room::Room,
    state::{Lived, RoomState},
};
use stateroom::StateroomService;

impl<S: StateroomService> Room<S> {
    /// How many events the room has heard in its life; 0 for one that keeps no journal.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.journal.as_ref().map_or(0, |journal| journal.events)
    }

    /// How many bytes of records wait to be [submitted](Room::submit).
    #[must_use]
    pub fn unsubmitted(&self) -> usize {
        self.journal.as_ref().map_or(0, |journal| journal.pending())
    }

    /// Whether what was submitted last has yet to be [committed](Room::commit).
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.journal.as_ref().is_some_and(|journal| journal.is_waiting())
    }

    /// Takes the records of what the room has heard, to be made durable. All commands that there are
    /// wait for that; those of events that it hears meanwhile wait for the next ones. `None` while
    /// records that were taken before have yet to be committed, and for a room without records.
    ///
    /// There may be no records, as after the start of a room, whose commands wait all the same.
    pub fn submit(&mut self) -> Option<Records> {
        let end = self.outbox.look();
        let may_submit =
            |journal: &&mut Box<Journal>| journal.records_events && !journal.is_waiting();
        let journal = self.journal.as_mut().filter(may_submit)?;
        Some(journal.submit(end))
    }

    /// Says that the records that were taken are durable: the commands that waited for them can be
    /// drained.
    pub fn commit(&mut self) {
        if let Some(journal) = &mut self.journal {
            journal.release();
        }
    }

    /// The room as it is now; `None` where it can't be saved, has failed, or keeps no journal.
    pub fn state(&mut self) -> Option<RoomState> {
        let Room { service, members, deadline, ended, now, limits, was_spoken_in, answers, .. } =
            self;
        if ended.is_some() {
            return None;
        }
        let told = self.outbox.told();
        RoomState::of(self.journal.as_ref()?, self.sessions.ledger(), (answers, told), || {
            let service = service.save()?;
            let lived = Lived {
                now: *now,
                deadline: *deadline,
                members: members.clone(),
                limits: *limits,
                was_spoken_in: *was_spoken_in,
                service: Vec::new(),
            };
            Some((lived, service))
        })
    }

    /// Has the room count what it hears without keeping records, and its commands wait for nothing:
    /// for whoever keeps no more than a room's [state](Room::state).
    pub fn keep_no_records(&mut self) {
        if let Some(journal) = &mut self.journal {
            journal.records_events = false;
        }
    }
}
