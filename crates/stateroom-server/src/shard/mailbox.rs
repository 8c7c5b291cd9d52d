//! How a shard is told things by other threads.

use super::{handshaking::NewClient, room_turn::FinishedTurn};
use crate::{counters::Counters, factory::RoomFactory, kept::requests::Answers, room_http::Asked};
use std::{
    io,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    time::Instant,
};

/// What a shard is told.
pub(crate) enum ShardMessage<F: RoomFactory> {
    /// A client wants to join one of this shard's rooms.
    NewClient(NewClient),
    /// An HTTP request is for one of this shard's rooms.
    Request(Asked),
    /// The turn of a room is over that took so long that the shard went on without it.
    Finished(Box<FinishedTurn<F>>),
    /// What the thread has counted on which such a room was.
    Counted(Box<Counters>),
    /// Every room is to run the services of another factory.
    Swap(Arc<F>),
    /// What became of what rooms wanted to be kept.
    Answers(Answers),
    /// Have these rooms be in memory then: something is due in them.
    Timers(Vec<(Instant, Arc<str>)>),
    /// Have these rooms be forgotten, unless somebody is in them.
    Forget(Vec<Arc<str>>),
    /// Close everybody, and end.
    ShutDown,
}

/// The way to a shard.
pub(crate) struct Mailbox<F: RoomFactory> {
    messages: Sender<ShardMessage<F>>,
    waker: mio::Waker,
}

impl<F: RoomFactory> Mailbox<F> {
    /// A mailbox whose messages wake up `poll` with an event of this token.
    pub(crate) fn new(
        poll: &mio::Poll,
        token: mio::Token,
    ) -> io::Result<(Arc<Self>, Receiver<ShardMessage<F>>)> {
        let (messages, receiver) = channel();
        let waker = mio::Waker::new(poll.registry(), token)?;
        Ok((Arc::new(Mailbox { messages, waker }), receiver))
    }

    /// Brings a message to the shard; one that has ended reads no more.
    pub(crate) fn send(&self, message: ShardMessage<F>) {
        if self.messages.send(message).is_ok()
            && let Err(error) = self.waker.wake()
        {
            tracing::error!(%error, "a thread of the server cannot be woken");
        }
    }
}
