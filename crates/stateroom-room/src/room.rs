//! The room itself: its members, its timer and its service.

use crate::{
    answers::Answers,
    command::Command,
    failure::{RoomEnded, StartFailure, build},
    journal::Journal,
    members::Members,
    outbox::{Outbox, RoomContext, RoomOutbox},
    sessions::Sessions,
    timestamp::Timestamp,
};
use stateroom::{ClientId, MemoryLimits, Sleep, StateroomService, StateroomServiceFactory};

/// One room: a running service, its members and its timer. See the [crate] for how to drive it.
#[derive(Debug)]
pub struct Room<S> {
    pub(crate) service: S,
    pub(crate) outbox: RoomOutbox,
    pub(crate) members: Members,
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) ended: Option<RoomEnded>,
    /// When it last heard something.
    pub(crate) now: Timestamp,
    /// What the service may use.
    pub(crate) limits: MemoryLimits,
    /// Whether a client has ever sent it anything, but requests that left nothing worth keeping.
    pub(crate) was_spoken_in: bool,
    /// Where it is to outlive its process.
    pub(crate) journal: Option<Box<Journal>>,
    pub(crate) sessions: Sessions,
    /// To requests with a key.
    pub(crate) answers: Answers,
}

impl<S: StateroomService> Room<S> {
    /// Starts the room `room_id` at the time `now`, with nobody in it. It keeps no journal: see
    /// [`Room::found`] for one that does.
    ///
    /// # Errors
    /// When the service cannot be started.
    pub fn start<F>(
        factory: &F,
        room_id: &str,
        now: Timestamp,
    ) -> Result<Self, StartFailure<F::Error>>
    where
        F: StateroomServiceFactory<RoomContext, Service = S>,
    {
        let context = RoomContext::with_config(factory.config());
        let service = build(|| factory.build(room_id, context.clone()))?;
        Ok(Room::with(service, context, now, factory.limits()))
    }

    /// A room with nobody in it whose service was just made.
    pub(crate) fn with(
        service: S,
        context: RoomContext,
        now: Timestamp,
        limits: MemoryLimits,
    ) -> Self {
        let now = now.in_whole_microseconds();
        let mut room = Room {
            service,
            outbox: RoomOutbox::new(context),
            members: Members::default(),
            deadline: None,
            ended: None,
            now,
            limits,
            was_spoken_in: false,
            journal: None,
            sessions: Sessions::None,
            answers: Answers::default(),
        };
        room.take_requests(now);
        room
    }

    /// Takes what a call of the service has left to be done at once: the timer that it has set, and a client that it
    /// has closed.
    pub(crate) fn take_requests(&mut self, now: Timestamp) -> Option<ClientId> {
        let take = |outbox: &mut Outbox| (outbox.take_timer_request(), outbox.next_closed());
        let (timer, closed) = self.outbox.with(take);
        if let Some(milliseconds) = timer {
            self.deadline = (milliseconds > 0).then(|| now.after_milliseconds(milliseconds));
        }
        closed
    }

    /// Gives the commands of all events since the last call, in order. Those of a room with a journal
    /// come only when it says that they may: see [`Room::commit`].
    pub fn drain_commands(&mut self, carry_out: impl FnMut(Command<'_>)) {
        match &mut self.journal {
            Some(journal) if journal.records_events => {
                self.outbox.with(|outbox| outbox.drain_to(journal.released, carry_out));
                journal.drained();
            }
            _ => self.outbox.with(|outbox| outbox.drain(carry_out)),
        }
    }

    /// How many bytes the messages that wait to be drained take. A driver that hears many events
    /// before it drains should drain earlier when this grows large.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.outbox.payload_bytes()
    }

    /// When [`Event::Timer`](crate::Event::Timer) is next due.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        self.deadline
    }

    /// When the room last heard something that concerned it; at first, when it began.
    #[must_use]
    pub fn heard_at(&self) -> Timestamp {
        self.now
    }

    /// The clients that are connected, in the order of their ids.
    pub fn members(&self) -> impl Iterator<Item = ClientId> {
        self.members.iter()
    }

    /// What the service may use.
    #[must_use]
    pub fn limits(&self) -> MemoryLimits {
        self.limits
    }

    /// Whether any client has ever sent it a message, or a request that was not refused and may have changed something. Until then it has nothing that is worth keeping
    /// once everybody has left.
    #[must_use]
    pub fn was_spoken_in(&self) -> bool {
        self.was_spoken_in
    }

    /// How many clients are connected.
    #[must_use]
    pub fn member_count(&self) -> usize {
        self.members.len()
    }

    /// Whether `client`, a member, has a token to come back with.
    #[must_use]
    pub fn has_token(&self, client: ClientId) -> bool {
        self.members.has_token(client)
    }

    /// The token of `client`, a member.
    #[must_use]
    pub fn token(&self, client: ClientId) -> Option<&str> {
        self.members.token(client)
    }

    /// The running service, for whoever wants to look into it.
    pub fn service_mut(&mut self) -> &mut S {
        &mut self.service
    }

    /// Lets the service sleep until the next event. Its members stay, and so does its deadline; a
    /// driver that has heard [`Sleep::Asleep`] may run the work that comes with it wherever it likes.
    ///
    /// A room should be drained before it sleeps, for what waits in it takes memory.
    pub fn sleep(&mut self) -> Sleep {
        if self.ended.is_some() {
            return Sleep::StaysAwake;
        }
        let sleep = self.service.sleep();
        if matches!(sleep, Sleep::Asleep(_)) {
            self.outbox.with(|outbox| outbox.shrink());
            if let Some(host) = self.sessions.host() {
                host.shrink();
            }
            if let Some(journal) = &mut self.journal {
                journal.shrink();
            }
        }
        sleep
    }

    /// Wakes the service if it sleeps; `false` if there is no room for it among those awake now.
    /// To be called before [`Room::handle`] where rooms sleep: an event wakes a room by itself, but
    /// ends it when that cannot be.
    pub fn wake(&mut self) -> bool {
        self.service.wake()
    }

    /// Whether the service is awake.
    #[must_use]
    pub fn is_awake(&self) -> bool {
        self.service.is_awake()
    }

    /// About how many bytes the service holds (see [`StateroomService::footprint`]), and the answers that are
    /// remembered.
    #[must_use]
    pub fn footprint(&self) -> usize {
        self.service.footprint().saturating_add(self.answers.bytes())
    }
}
