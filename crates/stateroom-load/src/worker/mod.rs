//! One thread of a run: an epoll loop around its share of the clients.

mod client;
mod opening;
mod phases;
mod receiving;
mod sending;
mod share;

pub(crate) use opening::{AT_ONCE, MAX_CLOSING};
pub(crate) use share::Share;

use crate::{
    Dialect, Plan,
    compose::Composer,
    errors_by_kind::Ending,
    pacing::Pacing,
    progress::Common,
    stamp::Finder,
    tally::Tally,
    timer::{Timer, Wait},
    wire::{Kind, Mask},
};
use client::Stage;
use mio::{Events, Poll, Token};
use std::{collections::VecDeque, io, sync::PoisonError, time::Duration};

/// The token of the timer; the others are the clients' indices.
const TIMER: Token = Token(usize::MAX);
/// How many sockets are heard of at once.
const EVENTS: usize = 1024;
/// How often progress is made known, in nanoseconds.
const PUBLISH: u64 = 50_000_000;

/// One thread of a run.
pub(crate) struct Worker<'a> {
    plan: &'a Plan,
    dialect: &'a dyn Dialect,
    common: &'a Common,
    share: Share,
    poll: Poll,
    events: Events,
    timer: Timer,
    /// What all sockets are read into.
    buffer: Vec<u8>,
    /// What is written next.
    outgoing: Vec<u8>,
    composer: Composer<'a>,
    finder: Finder,
    tally: Tally,
    first_reply: Option<Vec<u8>>,
    own_first_byte: Option<u8>,
    /// How many handshakes are under way.
    opening: u32,
    /// Clients whose handshakes have begun, and may have ended.
    handshakes: VecDeque<usize>,
    /// Clients that we have closed.
    closing: VecDeque<usize>,
    /// The schedule of an open loop.
    pacing: Option<Pacing>,
    next_due: u64,
    /// The window of a closed loop, while it sends.
    window: Option<u64>,
    publish_at: u64,
}

impl<'a> Worker<'a> {
    pub(crate) fn new(
        plan: &'a Plan,
        dialect: &'a dyn Dialect,
        common: &'a Common,
        share: Share,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let timer = Timer::new(poll.registry(), TIMER)?;
        Ok(Worker {
            plan,
            dialect,
            common,
            share,
            poll,
            events: Events::with_capacity(EVENTS),
            timer,
            buffer: Vec::new(),
            outgoing: Vec::new(),
            composer: Composer::new(plan, dialect, common.marker, Mask::random()),
            finder: Finder::new(common.marker),
            tally: Tally::default(),
            first_reply: dialect.first_reply(),
            own_first_byte: dialect.own_first_byte(),
            opening: 0,
            handshakes: VecDeque::new(),
            closing: VecDeque::new(),
            pacing: None,
            next_due: u64::MAX,
            window: None,
            publish_at: 0,
        })
    }

    /// Waits for sockets until `until` at the latest, and does what they are ready for.
    fn pump(&mut self, until: u64) -> io::Result<()> {
        let now = self.common.clock.now();
        self.publish(now);
        let timeout = match self.timer.wait(now, until)? {
            Wait::No => Some(Duration::ZERO),
            Wait::Yes(timeout) => timeout,
        };
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            let Token(index) = event.token();
            if event.token() != TIMER {
                self.ready(index, event.is_readable(), event.is_writable() || event.is_error());
            }
        }
        self.events = events;
        Ok(())
    }

    /// The socket of the client `index` is ready.
    #[inline]
    fn ready(&mut self, index: usize, readable: bool, writable: bool) {
        let Some(client) = self.share.clients.get_mut(index) else { return };
        if writable {
            let done = match client.stage {
                Stage::Connecting => self.connected(index),
                _ => client.flush().map_err(Ending::Io),
            };
            if let Err(ending) = done {
                return self.end(index, Some(&ending));
            }
        }
        if readable && let Err(ending) = self.receive(index) {
            self.end(index, Some(&ending));
        }
    }

    /// Tells the server that we are done.
    fn close(&mut self, index: usize) {
        let Some(client) = self.share.clients.get_mut(index) else { return };
        let mut frame = Vec::new();
        self.composer.append_other(Kind::Close, &1000_u16.to_be_bytes(), &mut frame);
        let written = client.write(&frame);
        client.stage = Stage::Closing;
        if written.is_err() {
            self.end(index, None);
        }
    }

    /// The connection of the client `index` has ended, and something may have gone wrong.
    #[cold]
    fn end(&mut self, index: usize, ending: Option<&Ending>) {
        let Some(client) = self.share.clients.get_mut(index) else { return };
        let mut ending = ending;
        match client.stage {
            Stage::Ended => return,
            Stage::Waiting => {}
            Stage::Connecting
            | Stage::Inquiring
            | Stage::Upgrading(_)
            | Stage::FirstMessage
            | Stage::FirstEcho => self.opening = self.opening.saturating_sub(1),
            Stage::Open => {
                self.tally.counts.open = self.tally.counts.open.saturating_sub(1);
                if let Some(room) = self.share.rooms.get_mut(client.room as usize) {
                    room.open = room.open.saturating_sub(1);
                }
            }
            Stage::Closing => ending = None,
        }
        if let Some(ending) = ending {
            self.tally.errors.note(ending);
            self.tally.counts.failed += 1;
            if let Ending::Closed { .. } = ending {
                let mut frame = Vec::new();
                self.composer.append_other(Kind::Close, &1000_u16.to_be_bytes(), &mut frame);
                // The server may be gone already.
                let _ = client.write(&frame);
            }
        }
        client.end();
    }

    /// Makes known how far this thread is.
    fn publish(&mut self, now: u64) {
        if now >= self.publish_at {
            self.publish_now(now);
        }
    }

    fn publish_now(&mut self, now: u64) {
        self.publish_at = now + PUBLISH;
        if let Some(place) = self.common.counts.get(self.share.thread as usize) {
            *place.lock().unwrap_or_else(PoisonError::into_inner) = self.tally.counts;
        }
    }
}
