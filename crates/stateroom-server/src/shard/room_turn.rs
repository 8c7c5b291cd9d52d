//! A room that is taken out of its shard for a turn, and what comes back.

use crate::{
    counters,
    factory::RoomFactory,
    names::{Address, RoomKey},
    room::{DrivenRoom, End, Opener, Turn, discard},
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Instant,
};

/// A room that is taken out for its turn.
pub(crate) struct RoomTurn<F: RoomFactory> {
    pub(crate) key: RoomKey,
    pub(crate) id: Arc<str>,
    /// `None` if it has yet to be started.
    pub(crate) room: Option<Box<DrivenRoom<F>>>,
    pub(crate) turn: Turn<F>,
}

/// A room whose turn is over.
pub(crate) struct FinishedTurn<F: RoomFactory> {
    pub(crate) key: RoomKey,
    pub(crate) turn: Turn<F>,
    pub(crate) outcome: Outcome<F>,
}

/// How a turn ended.
pub(crate) enum Outcome<F: RoomFactory> {
    /// The room goes on, awake or not.
    GoesOn(Box<DrivenRoom<F>>, Option<Awake>),
    /// It is over.
    Over(End),
    /// It could not start.
    NotStarted,
    /// It panicked outside its events, and is lost, with its sockets.
    Lost,
}

/// A room that is awake after its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Awake {
    /// About how many bytes it takes.
    pub(crate) bytes: usize,
    /// Whether it heard anything.
    pub(crate) heard: bool,
}

impl<F: RoomFactory> RoomTurn<F> {
    /// The room's turn. Knows nothing of the shard, which may be on another thread by now.
    pub(super) fn run(self, opener: Option<Opener<F>>, shard: usize) -> FinishedTurn<F> {
        let RoomTurn { key, id, mut room, mut turn } = self;
        let now = Instant::now();
        // The room itself stays outside: dropping it may be the next thing that panics.
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            if let Some(opener) = opener {
                room =
                    DrivenRoom::open(opener, Address { shard, room: key }, &id, now).map(Box::new);
            }
            let Some(room) = &mut room else { return Err(None) };
            let heard_before = room.heard_at();
            match room.turn(&mut turn, now) {
                Ok(()) => Ok(room.is_awake().then(|| {
                    let heard = room.heard_at() != heard_before;
                    Awake { bytes: room.footprint(), heard }
                })),
                Err(end) => {
                    room.close_all(&end, &mut turn, now);
                    Err(Some(end))
                }
            }
        }));
        counters::add(|counters| counters.turn_ended(now.elapsed()));
        let outcome = match (outcome, room) {
            (Ok(Ok(awake)), Some(room)) => Outcome::GoesOn(room, awake),
            (outcome, room) => {
                discard(&id, room);
                match outcome {
                    Ok(Err(Some(end))) => Outcome::Over(end),
                    Ok(_) => Outcome::NotStarted,
                    Err(_) => {
                        tracing::error!(
                            room = &*id,
                            "a room panicked where it never should: it is lost"
                        );
                        Outcome::Lost
                    }
                }
            }
        };
        FinishedTurn { key, turn, outcome }
    }
}
