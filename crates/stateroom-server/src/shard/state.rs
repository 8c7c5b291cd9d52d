//! A shard: all that one thread's sockets and rooms are, and how they begin.

use super::{
    mailbox::{Mailbox, ShardMessage},
    slots::RoomSlots,
    socket_state::SocketSlot,
    tiers::{AwakeLimits, AwakeRooms},
    timers::{Expiries, RoomTimers},
};
use crate::{
    factory::RoomFactory,
    health::ThreadGuard,
    heartbeat::Heartbeats,
    http::HttpClient,
    kept::{archive::Archive, code::Code},
    room::Turn,
    shared::Shared,
};
use mio::{Events, Interest, Poll, Token, net::TcpListener};
use slab::Slab;
use std::{
    io,
    sync::{Arc, mpsc::Receiver},
    time::Instant,
};
use tokio::sync::mpsc::UnboundedSender;

pub(super) const MAILBOX: Token = Token(usize::MAX);
pub(super) const LISTENER: Token = Token(usize::MAX - 1);

/// How many events of sockets are taken at once.
const EVENTS: usize = 1024;

/// See the [module](self).
pub(crate) struct Shard<F: RoomFactory> {
    pub(super) number: usize,
    pub(super) shared: Arc<Shared>,
    /// The mailboxes of all shards, by number.
    pub(super) shards: Arc<[Arc<Mailbox<F>>]>,
    pub(super) factory: Arc<F>,
    /// Where rooms are kept, with the code of new ones.
    pub(super) kept: Option<(Arc<Archive<F>>, Code<F>)>,
    pub(super) poll: Poll,
    pub(super) events: Option<Events>,
    pub(super) messages: Receiver<ShardMessage<F>>,
    pub(super) http: UnboundedSender<HttpClient>,
    /// On one of the shards.
    pub(super) listener: Option<TcpListener>,
    pub(super) accepting: Accepting,
    pub(super) sockets: Slab<SocketSlot>,
    pub(super) rooms: RoomSlots<F>,
    /// When rooms that are not in memory have something to do.
    pub(super) timers: RoomTimers,
    /// Until when the clients may stay whose token ends.
    pub(super) expiries: Expiries,
    pub(super) awake: AwakeRooms,
    /// How many sleeping rooms are counted in the server's occupancy.
    pub(super) asleep: usize,
    /// And of those that are not in memory.
    pub(super) on_disk: usize,
    pub(super) heartbeats: Heartbeats,
    /// The tick of the heartbeats that it is.
    pub(super) tick: u32,
    /// A turn's buffers, for the next one.
    pub(super) turn: Option<Turn<F>>,
    /// Set when the server shuts down: when the last connections that are still closing are dropped.
    pub(super) ends_at: Option<Instant>,
    /// Dropped with the shard, which is how the server knows that it has ended.
    _running: UnboundedSender<()>,
    _guard: ThreadGuard,
}

/// How it stands with the listener.
#[derive(Debug, Default)]
pub(super) struct Accepting {
    /// Whether connections may be waiting.
    pub(super) ready: bool,
    /// Whether the last one could not be accepted.
    pub(super) exhausted: bool,
    pub(super) rests_until: Option<Instant>,
}

/// A shard without its surroundings, which must know its mailbox first.
pub(crate) struct Plan<F: RoomFactory> {
    poll: Poll,
    messages: Receiver<ShardMessage<F>>,
    pub(crate) mailbox: Arc<Mailbox<F>>,
}

impl<F: RoomFactory> Plan<F> {
    pub(crate) fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let (mailbox, messages) = Mailbox::new(&poll, MAILBOX)?;
        Ok(Plan { poll, messages, mailbox })
    }
}

/// What shards are given.
pub(crate) struct Surroundings<F: RoomFactory> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) shards: Arc<[Arc<Mailbox<F>>]>,
    pub(crate) factory: Arc<F>,
    pub(crate) kept: Option<(Arc<Archive<F>>, Code<F>)>,
    pub(crate) http: UnboundedSender<HttpClient>,
    pub(crate) running: UnboundedSender<()>,
}

impl<F: RoomFactory> Shard<F> {
    /// The shard of this number; one of them is given the listener.
    pub(crate) fn new(
        number: usize,
        plan: Plan<F>,
        surroundings: &Surroundings<F>,
        mut listener: Option<TcpListener>,
    ) -> io::Result<Box<Self>> {
        let Plan { poll, messages, .. } = plan;
        if let Some(listener) = &mut listener {
            poll.registry().register(listener, LISTENER, Interest::READABLE)?;
        }
        let config = &surroundings.shared.config;
        let count = surroundings.shards.len();
        let limits = AwakeLimits {
            rooms: (config.max_awake_rooms / count).max(1),
            bytes: config.max_awake_bytes / count,
            time: config.sleep_after,
        };
        let (interval, timeout) = (config.heartbeat_interval, config.heartbeat_timeout);
        Ok(Box::new(Shard {
            number,
            shared: surroundings.shared.clone(),
            shards: surroundings.shards.clone(),
            factory: surroundings.factory.clone(),
            kept: surroundings.kept.clone(),
            poll,
            events: Some(Events::with_capacity(EVENTS)),
            messages,
            http: surroundings.http.clone(),
            listener,
            accepting: Accepting::default(),
            sockets: Slab::new(),
            rooms: RoomSlots::new(),
            timers: RoomTimers::default(),
            expiries: Expiries::default(),
            awake: AwakeRooms::new(limits),
            asleep: 0,
            on_disk: 0,
            heartbeats: Heartbeats::new(interval, timeout, Instant::now()),
            tick: 0,
            turn: None,
            ends_at: None,
            _running: surroundings.running.clone(),
            _guard: surroundings.shared.health.guard(format!("stateroom-{number}")),
        }))
    }
}
