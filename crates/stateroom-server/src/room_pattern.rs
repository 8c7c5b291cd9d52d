//! Which rooms are meant: those whose ids look alike but for a number.

use serde::Deserialize;
use std::str::FromStr;

const PLACEHOLDER: &str = "{number}";

/// Room ids that differ in a number, such as `load-{number}`: `load-0` and `load-17`, but not `load-balancing`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct RoomPattern {
    before: String,
    after: String,
}

/// Why a text is no [`RoomPattern`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("rooms are written like load-{{number}}, where {{number}} stands for any number")]
pub struct RoomPatternError;

impl FromStr for RoomPattern {
    type Err = RoomPatternError;

    fn from_str(text: &str) -> Result<Self, RoomPatternError> {
        let (before, after) = text.split_once(PLACEHOLDER).ok_or(RoomPatternError)?;
        if [before, after].iter().any(|part| part.contains(['{', '}'])) {
            return Err(RoomPatternError);
        }
        Ok(RoomPattern { before: before.to_owned(), after: after.to_owned() })
    }
}

impl TryFrom<String> for RoomPattern {
    type Error = RoomPatternError;

    fn try_from(text: String) -> Result<Self, RoomPatternError> {
        text.parse()
    }
}

impl RoomPattern {
    /// Whether the room `id` is one of them.
    pub(crate) fn has(&self, id: &str) -> bool {
        let number = id.strip_prefix(&self.before).and_then(|rest| rest.strip_suffix(&self.after));
        number.is_some_and(|digits| {
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_number_may_differ() {
        let rooms: RoomPattern = "load-{number}".parse().unwrap();
        for (id, is_one) in
            [("load-0", true), ("load-17", true), ("load-", false), ("load-balancing", false)]
        {
            assert_eq!(rooms.has(id), is_one, "{id}");
        }
        for text in ["", "load-", "{room}", "{number}{number}", "{number}{x}"] {
            assert_eq!(text.parse::<RoomPattern>(), Err(RoomPatternError), "{text}");
        }
    }
}
