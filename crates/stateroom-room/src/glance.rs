//! What can be told of a room that is kept without bringing it back: its time and its members, which
//! need neither its service nor the code of that.

use crate::{
    event::Event,
    members::Members,
    record::{NoRecord, Record},
    state::{Lived, NoState, Stored},
    timestamp::Timestamp,
};
use stateroom::ClientId;

/// A look at a room by its state, and at what its journal adds to that.
///
/// ```
/// use stateroom::{Birth, ClientId, MemoryLimits, SimpleServiceFactory, SimpleStateroomService, StateroomContext};
/// use stateroom_room::{Event, Glance, Room, Timestamp};
/// use std::time::Duration;
///
/// struct Silent;
/// impl SimpleStateroomService for Silent {
///     fn new(_: &str, _: &impl StateroomContext) -> Self {
///         Silent
///     }
/// }
///
/// let birth = Birth { time: Duration::from_secs(10), seed: [0; 32], limits: MemoryLimits::NONE };
/// let mut room = Room::found(&SimpleServiceFactory::<Silent>::new(), "lobby", &birth).unwrap();
/// let state = room.state().unwrap().encode().unwrap();
/// let now = Timestamp::from_origin(Duration::from_secs(12));
/// room.handle(Event::Connect { token: Some("secret") }, now).unwrap();
/// let records = room.submit().unwrap();
///
/// let mut glance = Glance::of(0, &state)?;
/// glance.hear(records.follows, &records.bytes)?;
/// assert_eq!((glance.events(), glance.time()), (1, now));
/// assert_eq!(glance.members().collect::<Vec<_>>(), [(ClientId(1), true)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Glance {
    events: u64,
    time: Timestamp,
    members: Members,
}

impl Glance {
    /// At the room with that state after `at` events.
    ///
    /// # Errors
    /// When the state can't be read.
    pub fn of(at: u64, state: &[u8]) -> Result<Self, NoState> {
        let (time, members) = match Stored::read(state)?.stored {
            Stored::Begun { time, .. } => {
                (Timestamp::from_origin(time).in_whole_microseconds(), Members::default())
            }
            Stored::Lived(lived) => {
                let Lived { now, members, .. } = *lived;
                (now, members)
            }
        };
        Ok(Glance { events: at, time, members })
    }

    /// Goes on with `records`, before which come `follows` events. What is known already is passed
    /// over, as by [`Room::replay`](crate::Room::replay).
    ///
    /// # Errors
    /// When the records can't be read.
    pub fn hear(&mut self, follows: u64, records: &[u8]) -> Result<(), NoRecord> {
        let (mut rest, mut number) = (records, follows);
        while !rest.is_empty() {
            let (record, after) = Record::read(rest)?;
            rest = after;
            if number >= self.events {
                self.hear_one(&record);
                self.events = number.saturating_add(1);
            }
            number = number.saturating_add(1);
        }
        Ok(())
    }

    fn hear_one(&mut self, record: &Record<'_>) {
        let time = self.time.microseconds().saturating_add(record.after);
        self.time = Timestamp::from_microseconds(time);
        match record.event {
            Event::Connect { token } | Event::Join { token, .. } => {
                // Somebody who comes back takes the place of who they were.
                if let Some(client) = self.members.known(token) {
                    self.members.leave(client);
                }
                self.members.join(token);
            }
            Event::Disconnect { client }
            | Event::Leave { client, .. }
            | Event::Forget { client } => {
                self.members.leave(client);
            }
            Event::Text { client, .. } | Event::Binary { client, .. } => {
                self.members.took_part(client);
            }
            Event::Timer
            | Event::Limits { .. }
            | Event::Skip { .. }
            | Event::Incarnate { .. }
            | Event::Claims { .. }
            | Event::Configure { .. }
            | Event::Request { .. } => {}
        }
    }

    /// How many events the room has heard in its life.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// When it heard the last of them, or began.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// The clients that are connected, in the order of their ids, and whether each has a token to
    /// come back with.
    pub fn members(&self) -> impl Iterator<Item = (ClientId, bool)> {
        self.members.iter().map(|client| (client, self.members.has_token(client)))
    }
}
