//! How a room's task lets out: batches that are written, and clients that go.

use super::{End, RoomTask};
use crate::{
    connection::Connection, farewell::Farewell, rooms::RoomFactory, sockets::Trouble,
    websocket::CloseCode,
};
use stateroom_room::Event;
use std::time::Instant;

/// How a connection ends.
#[derive(Debug, Clone, Copy)]
pub(super) enum Leaving {
    /// The client is gone already.
    Gone,
    /// The client is told why.
    Closed(CloseCode, &'static str),
}

impl<F: RoomFactory> RoomTask<F> {
    /// Writes the batch, and notes whom that showed to be leaving.
    pub(super) fn flush(&mut self) {
        let Self { sockets, leaving, rooms, id, .. } = self;
        sockets.flush(rooms.config.max_queue_bytes, |key, trouble| {
            leaving.push(match trouble {
                Trouble::Gone => (key, Leaving::Gone),
                Trouble::TooSlow => (key, too_slow(id)),
            });
        });
    }

    /// Writes the batch, lets go of who leaves, and again while that has consequences.
    pub(super) fn write_everything(&mut self, now: Instant) -> Result<(), End> {
        let mut outcome = Ok(());
        loop {
            self.flush();
            if self.leaving.is_empty() {
                return outcome;
            }
            for (key, leaving) in std::mem::take(&mut self.leaving) {
                let Some(connection) = self.sockets.remove(key) else { continue };
                if self.sockets.is_empty() {
                    self.empty_until = now + self.rooms.config.empty_room_timeout;
                }
                if let Some(client) = connection.client
                    && outcome.is_ok()
                {
                    outcome = self.hear(Event::Disconnect { client }, now).map_err(End::from);
                }
                self.let_go(connection, leaving);
            }
        }
    }

    fn let_go(&self, connection: Connection, leaving: Leaving) {
        if let Leaving::Closed(code, reason) = leaving {
            let (stream, queue, seat) = connection.into_parts();
            let farewell = Farewell { stream, queue, code, reason, seat };
            self.rooms.tasks.spawn(farewell.say());
        }
    }

    /// Takes leave of everyone, in the way that fits the room's end.
    pub(super) fn close_all(&mut self, end: &End) {
        let leaving = match end {
            End::Empty => return,
            End::Failed(ended) => {
                tracing::error!(room = &*self.id, error = %ended, "the room failed");
                Leaving::Closed(CloseCode::ROOM_FAILED, ended.failure.summary)
            }
            End::ShutDown => {
                let now = Instant::now();
                for client in self.room.members().collect::<Vec<_>>() {
                    if self.hear(Event::Disconnect { client }, now).is_err() {
                        break;
                    }
                }
                Leaving::Closed(CloseCode::GOING_AWAY, "the server is shutting down")
            }
        };
        for key in self.sockets.keys() {
            if let Some(connection) = self.sockets.remove(key) {
                self.let_go(connection, leaving);
            }
        }
    }
}

/// What happens to a client for whom more waits than may.
pub(super) fn too_slow(room_id: &str) -> Leaving {
    tracing::warn!(room = room_id, "a client reads too slowly and is closed: its queue is full");
    Leaving::Closed(CloseCode::TRY_AGAIN_LATER, "reading too slowly")
}
