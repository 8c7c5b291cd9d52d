//! A room that outlives its process: it keeps a journal of what it hears, holds its commands back
//! until that is durable, and can be brought back from a state and the records after it.

use crate::{
    Event, Records, Room, RoomContext, RoomState, StartFailure, Timestamp,
    journal::{Beginning, Journal},
    outbox::Mark,
    record::{NoRecord, Record},
    room::build,
    state::{Lived, NoState, Stored},
};
use stateroom::{
    Birth, ClientId, RestoreFailure, ServiceFailure, StateroomService, StateroomServiceFactory,
};
use std::fmt;

/// A room could not be brought back.
#[derive(Debug, thiserror::Error)]
pub enum ReturnFailure<E> {
    /// What was kept of its state can't be read.
    #[error(transparent)]
    NoState(#[from] NoState),
    /// What was kept of its journal can't be read.
    #[error(transparent)]
    NoRecord(#[from] NoRecord),
    /// It could not be started again as it was.
    #[error("{0}")]
    Start(StartFailure<E>),
    /// Its service could not be brought back.
    #[error("{0}")]
    Restore(RestoreFailure),
    /// Some of its journal is not there.
    #[error("the journal lacks events: it goes on after {found} events where {wanted} are known")]
    Gap {
        /// How many events come before the first record.
        found: u64,
        /// How many the room knows.
        wanted: u64,
    },
    /// It did something else than it had done, or failed. Its service is not deterministic, or runs
    /// with other limits; or this is another version of the program.
    #[error(
        "event {event} of the journal, {what}, does not do again what it did: {how}; the room is \
         stopped rather than continued from another state"
    )]
    Diverged {
        /// Which event of the room's life, counted from 1.
        event: u64,
        /// What was heard.
        what: String,
        /// How it differs.
        how: String,
    },
}

/// A service could not take over the state of the one before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TakeOverFailure {
    /// One of the two has not opted in to that.
    #[error("{0} service does not carry its state over")]
    NotOffered(&'static str),
    /// The old one could not tell its state.
    #[error("the old service could not tell its state: {0}")]
    HandOver(ServiceFailure),
    /// The new one could not take it.
    #[error("the new service could not take the state of the old one: {0}")]
    TakeOver(RestoreFailure),
}

impl<S: StateroomService> Room<S> {
    /// Starts the room `room_id` as [`Room::start`] does, but one that keeps a journal of what it
    /// hears, so that it can be brought back by [`Room::restore`] and [`Room::replay`].
    ///
    /// # Errors
    /// When the service cannot be started.
    pub fn found<F>(
        factory: &F,
        room_id: &str,
        birth: &Birth,
    ) -> Result<Self, StartFailure<F::Error>>
    where
        F: StateroomServiceFactory<RoomContext, Service = S>,
    {
        let context = RoomContext::default();
        let service = build(|| factory.build_at(room_id, context.clone(), birth))?;
        let now = Timestamp::from_origin(birth.time);
        let mut room = Room::with(service, context, now, None);
        let digest = room.digest_since(Mark::default());
        let beginning = Beginning { birth: *birth, digest };
        room.journal = Some(Box::new(Journal::new(Some(beginning), 0)));
        Ok(room)
    }

    /// Brings the room `room_id` back from its state after `at` events; then [`Room::replay`] lets it
    /// hear what came after.
    ///
    /// # Errors
    /// When the state can't be read, or the service can't be brought back.
    pub fn restore<F>(
        factory: &F,
        room_id: &str,
        at: u64,
        state: &[u8],
    ) -> Result<Self, ReturnFailure<F::Error>>
    where
        F: StateroomServiceFactory<RoomContext, Service = S>,
    {
        match Stored::read(state)? {
            Stored::Begun { time, seed, limits, digest } => {
                let birth = Birth { time, seed, limits };
                let mut room =
                    Room::found(factory, room_id, &birth).map_err(ReturnFailure::Start)?;
                let again = room.journal.as_ref().and_then(|journal| journal.beginning);
                if again.is_none_or(|beginning| beginning.digest != digest) {
                    return Err(ReturnFailure::Diverged {
                        event: 0,
                        what: "the start".to_owned(),
                        how: "it sends something else".to_owned(),
                    });
                }
                room.forget_commands();
                Ok(room)
            }
            Stored::Lived(lived) => {
                let Lived { now, deadline, members, service } = *lived;
                let context = RoomContext::default();
                let service = factory
                    .restore(room_id, context.clone(), &service)
                    .map_err(ReturnFailure::Restore)?;
                let journal = Some(Box::new(Journal::new(None, at)));
                Ok(Room { service, context, members, deadline, ended: None, now, journal })
            }
        }
    }

    /// Lets a room that was brought back hear what is in its journal: `records`, before which come
    /// `follows` events. What it knows already is passed over. Its commands are dropped, for they
    /// have been carried out, or nobody waits for them.
    ///
    /// # Errors
    /// When the records can't be read, don't follow, or lead somewhere else than they did.
    pub fn replay<E>(&mut self, follows: u64, records: &[u8]) -> Result<(), ReturnFailure<E>> {
        let known = self.events();
        if follows > known {
            return Err(ReturnFailure::Gap { found: follows, wanted: known });
        }
        let (mut rest, mut number) = (records, follows);
        while !rest.is_empty() {
            let (record, after) = Record::read(rest)?;
            rest = after;
            if number >= known {
                self.hear_again(&record)?;
                self.forget_commands();
            }
            number += 1;
        }
        Ok(())
    }

    /// Lets a room hear one event of its journal, and leaves its commands to be drained.
    ///
    /// # Errors
    /// When it leads somewhere else than it did.
    pub fn hear_again<E>(&mut self, record: &Record<'_>) -> Result<(), ReturnFailure<E>> {
        let event = self.events() + 1;
        let diverged = |how| {
            let what = describe(record.event).to_string();
            Err(ReturnFailure::Diverged { event, what, how })
        };
        let now = self.now.microseconds().saturating_add(record.after);
        let now = Timestamp::from_microseconds(now);
        if !self.concerns(record.event, now) {
            return diverged("it is about a client, or a timer, that is not there".to_owned());
        }
        let now = self.advance(now);
        let mark = self.context.outbox().mark();
        if let Err(ended) = self.hear(record.event, now) {
            return diverged(ended.failure.to_string());
        }
        let digest = self.digest_since(mark);
        if digest != record.digest {
            let how = "it sends something else, or sets another timer";
            return diverged(how.to_owned());
        }
        let end = self.context.outbox().mark();
        if let Some(journal) = &mut self.journal {
            journal.skip();
            journal.released = end;
        }
        Ok(())
    }

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
        let end = self.context.outbox().mark();
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

    /// Has the room count what it hears without keeping records, and its commands wait for nothing:
    /// for whoever keeps no more than a room's [state](Room::state).
    pub fn keep_no_records(&mut self) {
        if let Some(journal) = &mut self.journal {
            journal.records_events = false;
        }
    }

    /// The room as it is now; `None` where it can't be saved, has failed, or keeps no journal.
    pub fn state(&mut self) -> Option<RoomState> {
        let Room { service, members, deadline, ended, now, journal, .. } = self;
        if ended.is_some() {
            return None;
        }
        RoomState::of(journal.as_ref()?, || {
            let service = service.save()?;
            let (deadline, members) = (*deadline, members.clone());
            Some((Lived { now: *now, deadline, members, service: Vec::new() }, service))
        })
    }

    /// Has a service of other code go on with the state of the one that runs. Members and timer stay,
    /// and nobody hears of it. A room that keeps a journal must be [saved](Room::state) next, for its
    /// journal doesn't tell of this.
    ///
    /// # Errors
    /// When they don't agree on the state; the old one goes on then, unless it failed.
    pub fn take_over<F>(
        &mut self,
        factory: &F,
        room_id: &str,
        birth: &Birth,
    ) -> Result<(), TakeOverFailure>
    where
        F: StateroomServiceFactory<RoomContext, Service = S>,
    {
        if !factory.takes_over() {
            return Err(TakeOverFailure::NotOffered("the new"));
        }
        let state = match self.service.hand_over() {
            None => return Err(TakeOverFailure::NotOffered("the old")),
            Some(Err(failure)) => return Err(TakeOverFailure::HandOver(failure)),
            Some(Ok(state)) => state,
        };
        let mark = self.context.outbox().mark();
        let taken = build(|| factory.take_over(room_id, self.context.clone(), birth, &state));
        let service = taken.map_err(|failure| {
            self.context.outbox().take_back(mark);
            TakeOverFailure::TakeOver(match failure {
                StartFailure::Factory(failure) => failure,
                StartFailure::Panicked(panic) => RestoreFailure::Damaged(panic),
            })
        })?;
        self.service = service;
        self.changed_code();
        Ok(())
    }

    /// Puts a new service in the place of the running one: it starts anew, born as `birth` tells, and
    /// every member is connected to it by the id it had. A room that keeps a journal must be
    /// [saved](Room::state) next, for its journal doesn't tell of this.
    ///
    /// # Errors
    /// When the new service cannot be started; the old one goes on then, as if nothing had been.
    pub fn start_anew<F>(
        &mut self,
        factory: &F,
        room_id: &str,
        birth: &Birth,
    ) -> Result<(), StartFailure<F::Error>>
    where
        F: StateroomServiceFactory<RoomContext, Service = S>,
    {
        let now = self.advance(Timestamp::from_origin(birth.time));
        let mark = self.context.outbox().mark();
        let built = build(|| factory.build_at(room_id, self.context.clone(), birth));
        self.service = built.inspect_err(|_| self.context.outbox().take_back(mark))?;
        self.start_over(now);
        self.changed_code();
        Ok(())
    }

    /// A state of before can no longer lead to this one.
    fn changed_code(&mut self) {
        if let Some(journal) = &mut self.journal {
            journal.beginning = None;
        }
    }

    /// Whether `client`, a member, has a token to come back with.
    #[must_use]
    pub fn has_token(&self, client: ClientId) -> bool {
        self.members.has_token(client)
    }

    /// The running service, for whoever wants to look into it.
    pub fn service_mut(&mut self) -> &mut S {
        &mut self.service
    }

    fn forget_commands(&mut self) {
        let mut outbox = self.context.outbox();
        let end = outbox.mark();
        outbox.drain_to(end, |_| {});
        if let Some(journal) = &mut self.journal {
            journal.drained();
        }
    }
}

/// What an event is, in words, without what was said in it.
pub fn describe(event: Event<'_>) -> impl fmt::Display {
    fmt::from_fn(move |f| match event {
        Event::Connect { token: None } => f.write_str("a client's connect"),
        Event::Connect { token: Some(_) } => f.write_str("a client's connect with a token"),
        Event::Text { client, text } => {
            write!(f, "a message of {} bytes from client {client}", text.len())
        }
        Event::Binary { client, bytes } => {
            write!(f, "a binary message of {} bytes from client {client}", bytes.len())
        }
        Event::Disconnect { client } => write!(f, "the disconnect of client {client}"),
        Event::Timer => f.write_str("the timer"),
        Event::Forget { client } => write!(f, "the removal of client {client}"),
        Event::SkipTimer => f.write_str("the removal of the timer"),
    })
}
