//! The loop that everything in a server happens in: a shard waits until something happens, notes which rooms
//! that is for, and gives each of them a turn.

use super::{
    mailbox::ShardMessage,
    socket_state::SocketState,
    state::{LISTENER, MAILBOX, Shard},
    tiers::Urgency,
};
use crate::{
    counters,
    factory::RoomFactory,
    kept::{code::Code, requests::Answers},
    room::Order,
};
use std::{
    io::{self, ErrorKind},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// How many rooms that are not in memory are brought back at once because their time has come: after
/// a server's start there may be thousands, and clients must not wait for all of them.
const TIMERS_AT_ONCE: usize = 16;

/// How soon it is looked at again whether what the last rooms have saved is written.
const WAITS_FOR_COMMITS: Duration = Duration::from_millis(1);

impl<F: RoomFactory> Shard<F> {
    /// Runs the shard to its end, or until another thread goes on with it.
    pub(crate) fn run(mut self: Box<Self>) {
        loop {
            let now = Instant::now();
            if self.has_ended(now) {
                return;
            }
            if let Some((archive, _)) = &self.kept {
                let answers = archive.keeper.pass_on(self.number);
                self.tell(answers);
            }
            if let Err(error) = self.wait_for_events(now) {
                tracing::error!(%error, "a thread of the server cannot wait for its sockets");
                return;
            }
            // Each room that has something to hear gets one turn before the shard looks for events again.
            for _ in 0..self.rooms.queued() {
                if self.has_no_more_time() {
                    break;
                }
                match self.give_turn() {
                    Some(shard) => self = shard,
                    None => return,
                }
                if let Some((archive, _)) = &self.kept {
                    let answers = archive.keeper.pass_on_many(self.number);
                    self.tell(answers);
                }
            }
        }
    }

    /// Waits until something happens, and notes what it is.
    fn wait_for_events(&mut self, now: Instant) -> io::Result<()> {
        let asleep = self.rooms.asleep();
        if asleep != self.asleep {
            self.shared.occupancy.rooms_sleep(self.asleep, asleep);
            self.asleep = asleep;
        }
        let on_disk = self.rooms.on_disk();
        if on_disk != self.on_disk {
            self.shared.occupancy.rooms_hibernate(self.on_disk, on_disk);
            self.on_disk = on_disk;
        }
        let timeout = if self.rooms.queued() > 0 || self.may_accept(now) {
            Some(Duration::ZERO)
        } else {
            self.next_due(now).map(|due| due.saturating_duration_since(now))
        };
        let Some(mut events) = self.events.take() else { return Ok(()) };
        let polled = self.poll.poll(&mut events, timeout);
        let now = Instant::now();
        self.check_heartbeats(now);
        self.close_expired();
        for event in &events {
            match event.token() {
                MAILBOX => {}
                LISTENER => self.accepting.ready = true,
                _ => self.notice(event),
            }
        }
        self.events = Some(events);
        match polled {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        while let Ok(message) = self.messages.try_recv() {
            self.take_message(message, now);
        }
        if self.may_accept(now) {
            self.accept(now);
        }
        self.rooms.wake_due(now);
        for _ in 0..TIMERS_AT_ONCE {
            let Some((_, room)) = self.timers.pop_due(now) else { break };
            self.have_in_memory(&room);
        }
        while let Some(room) = self.awake.quiet(now) {
            self.put_to_sleep(room, Urgency::WhenQuiet, now);
        }
        Ok(())
    }

    /// When something is to be done even if nothing happens.
    fn next_due(&self, now: Instant) -> Option<Instant> {
        let rest = self.accepting.rests_until.filter(|_| self.accepting.ready);
        let due = [
            self.rooms.next_due(),
            self.timers.next(),
            self.awake.next_quiet(),
            self.heartbeats.next(),
            self.next_expiry(now),
            rest,
            self.ends_at,
        ];
        due.into_iter().flatten().min()
    }

    fn take_message(&mut self, message: ShardMessage<F>, now: Instant) {
        match message {
            ShardMessage::NewClient(new_client) => self.admit(new_client, None),
            ShardMessage::Request(asked) => self.pass_on(asked),
            ShardMessage::Finished(finished) => {
                self.take_back(*finished);
            }
            ShardMessage::Counted(counted) => counters::add(|counters| counters.merge(&counted)),
            ShardMessage::Answers(answers) => self.tell(answers),
            ShardMessage::Timers(timers) => {
                timers.into_iter().for_each(|(when, room)| self.timers.add(when, room));
            }
            ShardMessage::Forget(rooms) => rooms.iter().for_each(|room| self.have_forgotten(room)),
            ShardMessage::Swap(factory) => {
                self.factory = factory.clone();
                if let Some((_, code)) = &mut self.kept
                    && let Ok(version) = factory.version()
                {
                    *code = Code { factory: factory.clone(), version };
                }
                self.rooms.order_all(|| Order::Swap(factory.clone()));
            }
            ShardMessage::ShutDown => self.shut_down(now),
        }
    }

    /// Tells rooms what became of what they wanted to be kept.
    fn tell(&mut self, answers: Answers) {
        // Before those who wait for their turn: they have had the first half of theirs.
        for (room, answer) in answers.into_iter().rev() {
            self.rooms.order_next(room, Order::Answer(answer));
        }
    }

    /// Brings a room to memory in which something happens though nobody has come. Not when the server
    /// is about to end: it will be done after the next start.
    fn have_in_memory(&mut self, id: &Arc<str>) {
        if self.shared.occupancy.is_stopping() {
            return;
        }
        let room = self.rooms.find(id).unwrap_or_else(|| {
            // What rooms there are has been decided before.
            self.shared.occupancy.room_comes(usize::MAX);
            self.rooms.add(id)
        });
        self.rooms.order(room, Order::BeInMemory);
    }

    /// Has a room forgotten that nobody has visited for long, unless it is in use.
    fn have_forgotten(&mut self, id: &Arc<str>) {
        if !self.shared.occupancy.is_stopping() && self.rooms.find(id).is_none() {
            self.shared.occupancy.room_comes(usize::MAX);
            let room = self.rooms.add(id);
            self.rooms.order(room, Order::Forget);
        }
    }

    /// Lets nobody in any more, and has every room close its clients and end.
    fn shut_down(&mut self, now: Instant) {
        self.listener = None;
        self.ends_at = Some(now + self.shared.config.shutdown_timeout);
        let handshaking: Vec<u32> = self
            .sockets
            .iter()
            .filter(|(_, slot)| matches!(slot.state, SocketState::Handshaking(_)))
            .map(|(socket, _)| socket as u32)
            .collect();
        handshaking.into_iter().for_each(|socket| self.free(socket));
        self.rooms.order_all(|| Order::ShutDown);
    }

    /// Whether the server ends, and no room is to have its turn any more. Each is saved then, but not faster
    /// than that is written: the states of all would fill the memory.
    fn has_no_more_time(&self) -> bool {
        let Some(ends_at) = self.ends_at else { return false };
        while let Some((archive, _)) = &self.kept
            && archive.keeper.has_much_to_commit()
            && Instant::now() < ends_at
        {
            thread::sleep(WAITS_FOR_COMMITS);
        }
        Instant::now() >= ends_at
    }

    fn has_ended(&self, now: Instant) -> bool {
        let Some(ends_at) = self.ends_at else { return false };
        if now >= ends_at {
            tracing::warn!("some connections did not close in time");
            // They have not had their turn since the server is to end.
            if let Some((archive, _)) = &self.kept {
                let rooms = self.rooms.unsaved();
                rooms.for_each(|room| archive.tell_of_unsaved(room, "there was no time"));
            }
            return true;
        }
        self.rooms.is_empty() && self.sockets.is_empty()
    }
}
