//! Brings a room back: from its state after some of its events, and the records of those since.

use crate::{
    event::describe,
    failure::{StartFailure, build},
    journal::{Beginning, Journal},
    outbox::{Mark, RoomContext, RoomOutbox},
    record::{NoRecord, Record},
    room::Room,
    sessions::Sessions,
    state::{Lived, NoState, Read, Stored},
    timestamp::Timestamp,
};
use stateroom::{Birth, RestoreFailure, StateroomService, StateroomServiceFactory};
use std::sync::Arc;

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
        Room::begin(birth, factory.config(), |context| factory.build_at(room_id, context, birth))
    }

    fn begin<E>(
        birth: &Birth,
        config: Option<Arc<str>>,
        start: impl FnOnce(RoomContext) -> Result<S, E>,
    ) -> Result<Self, StartFailure<E>> {
        let context = RoomContext::with_config(config);
        let service = build(|| start(context.clone()))?;
        let now = Timestamp::from_origin(birth.time);
        let mut room = Room::with(service, context, now, birth.limits);
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
        let Read { stored, sessions, answers, told } = Stored::read(state)?;
        match stored {
            Stored::Begun { time, seed, limits, digest } => {
                let birth = Birth { time, seed, limits };
                let begun = Room::begin(&birth, told.config, |context| {
                    factory.build_again(room_id, context, &birth)
                });
                let mut room = begun.map_err(ReturnFailure::Start)?;
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
                let Lived { now, deadline, members, limits, was_spoken_in, service } = *lived;
                let context = RoomContext::default();
                context.tell_presence(&members, told);
                let service = factory
                    .restore(room_id, context.clone(), &service)
                    .map_err(ReturnFailure::Restore)?;
                let journal = Some(Box::new(Journal::new(None, at)));
                let ended = None;
                Ok(Room {
                    service,
                    outbox: RoomOutbox::new(context),
                    members,
                    deadline,
                    ended,
                    now,
                    limits,
                    was_spoken_in,
                    journal,
                    sessions: sessions.map_or(Sessions::None, Sessions::of),
                    answers,
                })
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

    /// Brings the room `id` back with all that is kept of it: its state after `at` events, and the
    /// `journal`, in parts, before each of which come so many events. `between` is called before each
    /// part, for a journal may take a while.
    ///
    /// # Errors
    /// When it can't be brought back.
    pub fn bring_back<'a, F>(
        factory: &F,
        id: &str,
        (at, state): (u64, &[u8]),
        journal: impl IntoIterator<Item = (u64, &'a [u8])>,
        mut between: impl FnMut(),
    ) -> Result<Self, ReturnFailure<F::Error>>
    where
        F: StateroomServiceFactory<RoomContext, Service = S>,
    {
        let mut room = Room::restore(factory, id, at, state)?;
        for (follows, records) in journal {
            between();
            room.replay(follows, records)?;
        }
        Ok(room)
    }

    /// Lets a room hear one event of its journal, and leaves its commands to be drained.
    ///
    /// What ends an event that is new, as when it computes for too long, ends none that has passed.
    ///
    /// # Errors
    /// When it leads somewhere else than it did.
    pub fn hear_again<E>(&mut self, record: &Record<'_>) -> Result<(), ReturnFailure<E>> {
        self.service.set_replaying(true);
        let heard = self.hear_recorded(record);
        self.service.set_replaying(false);
        heard
    }

    fn hear_recorded<E>(&mut self, record: &Record<'_>) -> Result<(), ReturnFailure<E>> {
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
        let mark = self.outbox.end();
        if let Err(ended) = self.hear(record.event, now) {
            return diverged(ended.failure.to_string());
        }
        let digest = self.digest_since(mark);
        if digest != record.digest {
            let how = "it sends something else, or sets another timer";
            return diverged(how.to_owned());
        }
        let end = self.outbox.end();
        if let Some(journal) = &mut self.journal {
            journal.skip();
            journal.released = end;
        }
        self.note_for_sessions(record.event, mark);
        Ok(())
    }

    fn forget_commands(&mut self) {
        self.outbox.with(|outbox| outbox.drain(|_| {}));
        if let Some(journal) = &mut self.journal {
            journal.drained();
        }
    }
}
