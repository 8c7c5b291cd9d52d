//! What a simulated room that runs knows of the sockets of its sessions.

use stateroom::ClientId;
use stateroom_room::session::SocketId;
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

/// See the [module](self).
#[derive(Default)]
pub(crate) struct SessionSockets {
    /// Those that were welcomed, and not closed.
    pub(super) attached: BTreeMap<SocketId, ClientId>,
    /// Since when a client may be away, as far as the sockets tell.
    pub(super) away: HashMap<ClientId, Duration>,
    /// The same of the first who left before it was welcomed, if any did.
    pub(super) stranger_away: Option<Duration>,
}

impl SessionSockets {
    /// Those of a room that was just brought back, with these clients.
    pub(crate) fn of(clients: impl Iterator<Item = ClientId>, now: Duration) -> SessionSockets {
        let away = clients.map(|client| (client, now)).collect();
        SessionSockets { away, ..SessionSockets::default() }
    }

    pub(crate) fn newest_of(&self, client: ClientId) -> Option<SocketId> {
        let mut sockets = self.attached.iter().rev();
        sockets.find(|(_, other)| **other == client).map(|(socket, _)| *socket)
    }
}
