//! How a shard is told things by other threads.

use super::{handshaking::Guest, room_turn::Returned};
use crate::{counts::Counts, factory::RoomFactory, kept::requests::Answers};
use std::{
    io,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    time::Instant,
};

/// What a shard is told.
pub(crate) enum Letter<F: RoomFactory> {
    /// A client wants to join one of this shard's rooms.
    Guest(Guest),
    /// A room that was busy for so long that the shard went on without it is done.
    Returned(Box<Returned<F>>),
    /// What the thread has counted on which such a room was.
    Counted(Box<Counts>),
    /// Every room is to run the services of another factory.
    Swap(Arc<F>),
    /// What became of what rooms wanted to be kept.
    Answers(Answers),
    /// Have these rooms attend then, though they are not in memory.
    Alarms(Vec<(Instant, Arc<str>)>),
    /// Have these rooms be forgotten, unless somebody is in them.
    Forget(Vec<Arc<str>>),
    /// Close everybody, and end.
    ShutDown,
}

/// The way to a shard.
pub(crate) struct Mailbox<F: RoomFactory> {
    letters: Sender<Letter<F>>,
    waker: mio::Waker,
}

impl<F: RoomFactory> Mailbox<F> {
    /// A mailbox whose letters wake up `poll` with an event of this token.
    pub(crate) fn new(
        poll: &mio::Poll,
        token: mio::Token,
    ) -> io::Result<(Arc<Self>, Receiver<Letter<F>>)> {
        let (letters, receiver) = channel();
        let waker = mio::Waker::new(poll.registry(), token)?;
        Ok((Arc::new(Mailbox { letters, waker }), receiver))
    }

    /// Brings a letter to the shard; one that has ended reads no more.
    pub(crate) fn send(&self, letter: Letter<F>) {
        if self.letters.send(letter).is_ok()
            && let Err(error) = self.waker.wake()
        {
            tracing::error!(%error, "a thread of the server cannot be woken");
        }
    }
}
