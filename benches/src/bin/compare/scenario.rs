//! What is done to the servers.

use crate::figure::Figure;
use serde::Deserialize;

/// What a room does with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    /// It goes back to its sender.
    Echo,
    /// It goes to everyone in the room.
    Broadcast,
}

impl Mode {
    /// How servers are told.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Mode::Echo => "echo",
            Mode::Broadcast => "broadcast",
        }
    }
}

/// When messages are sent.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Pace {
    /// So many a second, in all.
    Rate(u32),
    /// So many unanswered at a time, by one sender in each room.
    Window(u32),
}

/// What a scenario does.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Work {
    /// Clients in rooms, one of which sends, beside rooms that compute without end.
    Messages {
        rooms: u32,
        clients: u32,
        pace: Pace,
        #[serde(default)]
        spinning: u32,
    },
    /// Connections, one after the other opened, each into a room of its own that answers, and closed.
    Connect { connections: u32 },
    /// Connections that do nothing, each in a room of its own or all in one, for so long: a minute has two
    /// rounds of our heartbeats.
    Idle {
        connections: u32,
        seconds: u32,
        #[serde(default)]
        one_room: bool,
    },
    /// Rooms visited one after the other, each left with something to remember.
    Visit { rooms: u32 },
    /// Rooms with a client each, which says so many messages; then the server is killed.
    Kill { rooms: u32, messages: u32 },
    /// Rooms visited, each left with something to remember, until all are on disk alone.
    Hibernate { rooms: u32 },
    /// So many messages in all, in many rooms, and what they come to on the disk.
    Day { rooms: u32, clients: u32, messages: u32 },
}

/// One thing that servers are measured at.
#[derive(Debug, Deserialize)]
pub(crate) struct Scenario {
    /// What it is called on the command line.
    pub(crate) name: String,
    /// What it is called in tables.
    pub(crate) title: String,
    /// What a room does with a message.
    pub(crate) mode: Mode,
    /// What is done.
    #[serde(flatten)]
    pub(crate) work: Work,
    /// Who takes part.
    pub(crate) peers: Vec<String>,
    /// What our server is told besides, for this.
    #[serde(default)]
    pub(crate) serve: Vec<String>,
    /// What is shown of it, the most important first.
    pub(crate) figures: Vec<Figure>,
}
