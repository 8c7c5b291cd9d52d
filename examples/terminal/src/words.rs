//! What the chat and its clients say to each other.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the room says.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum FromRoom {
    Welcome {
        room: State,
    },
    Joined {
        client: u32,
        name: String,
    },
    Left {
        client: u32,
    },
    Said(Line),
    Refused {
        reason: String,
    },
    /// Something newer.
    #[serde(other)]
    Other,
}

/// What a newcomer is told of it.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct State {
    /// By the number of each.
    pub(crate) people: BTreeMap<String, String>,
    pub(crate) history: Vec<Line>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// What the room is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum ToRoom {
    Join { name: String },
    Say { text: String },
}
