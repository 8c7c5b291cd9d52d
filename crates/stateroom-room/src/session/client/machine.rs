//! A client between what happens to it: its session, its socket and what it waits for.

use super::{action::Action, backoff::Backoff, queue::Queue};
use crate::{
    session::{
        key::Key,
        request::{Life, Request},
    },
    timestamp::Timestamp,
};
use std::{collections::VecDeque, time::Duration};

/// What an application may choose.
#[derive(Debug, Clone, Copy, Hash)]
pub struct ClientSettings {
    /// How many bytes may wait to be durable.
    pub queue_bytes: usize,
    /// How long a probe may stay unanswered.
    pub probe: Duration,
    /// How long a client that closes waits for what it has said to be durable.
    pub closing: Duration,
    /// How long it waits at most before it tells what it has got.
    pub ack_after: Duration,
}

impl Default for ClientSettings {
    fn default() -> Self {
        ClientSettings {
            queue_bytes: 1024 * 1024,
            probe: Duration::from_secs(4),
            closing: Duration::from_secs(2),
            ack_after: Duration::from_secs(1),
        }
    }
}

/// Where a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// It was never welcomed.
    Connecting,
    /// It was welcomed, and has its socket.
    Live,
    /// It was welcomed, and has lost its socket.
    Away,
    /// It was closed by the application, and waits for what that has said to be durable.
    Closing,
    /// It has ended.
    Closed,
}

/// One client of one room, as a pure state machine.
///
/// A driver goes round like this: [`dial`](Self::dial) when [that is due](Self::deadline), and open a socket; tell
/// it what comes ([`received`](Self::received)) and how it ends ([`lost`](Self::lost)), by the attempt that it
/// was opened for; carry out the [actions](Self::next_action); wait, at the longest until the
/// [`deadline`](Self::deadline), then call [`timer`](Self::timer).
#[derive(Debug, Clone, Hash)]
pub struct SessionClient {
    pub(super) settings: ClientSettings,
    pub(super) status: Status,
    pub(super) key: Option<Key>,
    pub(super) attempt: u64,
    /// Whether the attempt has a socket, or is about to have one.
    pub(super) has_socket: bool,
    /// Whether it was welcomed there.
    pub(super) is_welcomed: bool,
    /// `Some` once it was told.
    pub(super) life: Option<Life>,
    pub(super) have: u64,
    /// How often what it had sent was given up.
    pub(super) given_up: u64,
    pub(super) queue: Queue,
    pub(super) largest: u64,
    pub(super) ack_bytes: u64,
    /// How many bytes it has got and not told.
    pub(super) untold: u64,
    pub(super) backoff: Backoff,
    /// When it was last welcomed.
    pub(super) welcomed_at: Timestamp,
    pub(super) dial_at: Option<Timestamp>,
    pub(super) ack_at: Option<Timestamp>,
    pub(super) lost_at: Option<Timestamp>,
    pub(super) closed_at: Option<Timestamp>,
    pub(super) actions: VecDeque<Action>,
}

impl SessionClient {
    /// A client that connects at once.
    #[must_use]
    pub fn new(settings: ClientSettings, now: Timestamp) -> Self {
        SessionClient {
            settings,
            status: Status::Connecting,
            key: None,
            attempt: 0,
            has_socket: false,
            is_welcomed: false,
            life: None,
            have: 0,
            given_up: 0,
            queue: Queue::default(),
            largest: u64::MAX,
            ack_bytes: u64::MAX,
            untold: 0,
            backoff: Backoff::default(),
            welcomed_at: now,
            dial_at: Some(now),
            ack_at: None,
            lost_at: None,
            closed_at: None,
            actions: VecDeque::new(),
        }
    }

    /// What to do next.
    pub fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// What to ask for in a handshake, if one is due: on a new socket, which is that of the attempt in it.
    /// `fresh` makes a key from 128 random bits that are fit for secrets.
    pub fn dial(&mut self, now: Timestamp, fresh: impl FnOnce() -> Key) -> Option<Request> {
        self.dial_at.filter(|at| *at <= now && !self.has_socket)?;
        self.dial_at = None;
        self.attempt += 1;
        (self.has_socket, self.is_welcomed) = (true, false);
        let key = *self.key.get_or_insert_with(fresh);
        Some(Request {
            key,
            attempt: self.attempt,
            life: self.life(),
            have: self.have,
            acked: self.queue.settled,
            sent: self.queue.sent,
        })
    }

    /// When there is next something to do, if nothing happens before.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        [self.dial_at, self.ack_at, self.lost_at, self.closed_at].into_iter().flatten().min()
    }

    /// Where it is.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// The attempt whose socket it has, or is opening.
    #[must_use]
    pub fn socket(&self) -> Option<u64> {
        self.has_socket.then_some(self.attempt)
    }

    /// How often what it had sent was given up: with each session that ends, and by a room that began anew. What is
    /// counted below has nothing to do with what was counted before.
    #[must_use]
    pub fn given_up(&self) -> u64 {
        self.given_up
    }

    /// How many messages the application has sent in this session.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.queue.total()
    }

    /// How many of them are durable.
    #[must_use]
    pub fn settled(&self) -> u64 {
        self.queue.settled
    }

    /// The life of the room that it was last told of.
    #[must_use]
    pub fn life(&self) -> Life {
        self.life.unwrap_or_default()
    }

    /// How many counted messages it has got in this session.
    #[must_use]
    pub fn received_count(&self) -> u64 {
        self.have
    }

    /// How many bytes are not known to be durable.
    #[must_use]
    pub fn unsettled_bytes(&self) -> usize {
        self.queue.bytes()
    }

    /// How many bytes were not yet handed to a live socket.
    #[must_use]
    pub fn buffered_bytes(&self) -> usize {
        self.queue.unwritten_bytes()
    }
}
