//! Paths that open rooms besides `/ws/{room}`, for clients that ask for others.

use serde::Deserialize;
use std::str::FromStr;

const PLACEHOLDER: &str = "{room}";

/// A path in which one segment is the room's id, such as `/parties/main/{room}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct RoomPath {
    before: String,
    after: String,
}

/// Why a text is no [`RoomPath`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a path to rooms is written like /parties/main/{{room}}: {{room}} is one whole part of it")]
pub struct RoomPathError;

impl FromStr for RoomPath {
    type Err = RoomPathError;

    fn from_str(text: &str) -> Result<Self, RoomPathError> {
        let (before, after) = text.split_once(PLACEHOLDER).ok_or(RoomPathError)?;
        let is_segment = before.starts_with('/')
            && before.ends_with('/')
            && (after.is_empty() || after.starts_with('/'));
        let is_odd =
            |c: char| matches!(c, '{' | '}' | '?' | '#') || c.is_whitespace() || c.is_control();
        if !is_segment || [before, after].iter().any(|part| part.contains(is_odd)) {
            return Err(RoomPathError);
        }
        Ok(RoomPath { before: before.to_owned(), after: after.to_owned() })
    }
}

impl TryFrom<String> for RoomPath {
    type Error = RoomPathError;

    fn try_from(text: String) -> Result<Self, RoomPathError> {
        text.parse()
    }
}

impl RoomPath {
    /// The room's id in `path`, as it is written there.
    pub(crate) fn room<'a>(&self, path: &'a str) -> Option<&'a str> {
        let room = path.strip_prefix(&self.before)?.strip_suffix(&self.after)?;
        (!room.contains('/')).then_some(room)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_is_one_segment_of_a_path() {
        for (pattern, path, room) in [
            ("/parties/main/{room}", "/parties/main/a%20b", Some("a%20b")),
            ("/parties/main/{room}", "/parties/main/", Some("")),
            ("/parties/main/{room}", "/parties/main/a/b", None),
            ("/parties/main/{room}", "/parties/other/a", None),
            ("/v1/{room}/socket", "/v1/a/socket", Some("a")),
            ("/v1/{room}/socket", "/v1/socket", None),
            ("/{room}", "/a", Some("a")),
        ] {
            assert_eq!(pattern.parse::<RoomPath>().unwrap().room(path), room, "{pattern} {path}");
        }
        for text in ["", "/", "/rooms", "{room}", "rooms/{room}", "/a{room}", "/{room}b"] {
            assert_eq!(text.parse::<RoomPath>(), Err(RoomPathError), "{text}");
        }
        for text in ["/{room}/{room}", "/{party}/{room}", "/{room}?x", "/ {room}"] {
            assert_eq!(text.parse::<RoomPath>(), Err(RoomPathError), "{text}");
        }
    }
}
