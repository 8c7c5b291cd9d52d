//! What the chat and its clients say to each other.

use serde::{Deserialize, Serialize};

/// What the room says.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum FromRoom {
    Welcome {
        people: Vec<Person>,
        history: Vec<Line>,
    },
    Joined(Person),
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

#[derive(Debug, Deserialize)]
pub(crate) struct Person {
    pub(crate) client: u32,
    pub(crate) name: String,
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
