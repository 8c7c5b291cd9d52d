//! Messages of a user's own, with places in them that are filled in for each.

use crate::{LoadError, Who, stamp::STAMP_BYTES};
use std::{io::Write as _, path::Path};

/// Messages that each sender sends in turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    lines: Vec<Line>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Line(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Bytes(Vec<u8>),
    Client,
    Room,
    Number,
    Stamp,
}

const PLACES: [(&str, Part); 4] = [
    ("{client}", Part::Client),
    ("{room}", Part::Room),
    ("{number}", Part::Number),
    ("{stamp}", Part::Stamp),
];

impl Script {
    /// Reads a script: a message a line, and empty lines are none. `{client}`, `{room}` and
    /// `{number}` become the sender's number, its room's name and how many messages it has sent;
    /// `{stamp}` becomes what the message is verified by. Other braces stay as they are. `\x0a` is a byte,
    /// for binary messages.
    ///
    /// # Errors
    /// When there is no message in it.
    pub fn parse(text: &str) -> Result<Self, LoadError> {
        let lines: Vec<Line> =
            text.lines().filter(|line| !line.is_empty()).map(Line::parse).collect();
        if lines.is_empty() {
            return Err(LoadError::Plan("a script has at least one message".to_owned()));
        }
        Ok(Script { lines })
    }

    /// Reads a script from a file.
    ///
    /// # Errors
    /// When it cannot be read, or there is no message in it.
    pub fn read(file: &Path) -> Result<Self, LoadError> {
        let text = std::fs::read_to_string(file)
            .map_err(|source| LoadError::Script { file: file.to_owned(), source })?;
        Script::parse(&text)
    }

    /// How many messages it has.
    pub(crate) fn lines(&self) -> usize {
        self.lines.len()
    }

    /// Whether the message `number` of a sender is verified.
    pub(crate) fn is_stamped(&self, number: u64) -> bool {
        self.line(number).is_some_and(|line| line.0.contains(&Part::Stamp))
    }

    /// Appends the message `number` of a sender.
    pub(crate) fn write(
        &self,
        who: Who<'_>,
        number: u64,
        stamp: &[u8; STAMP_BYTES],
        output: &mut Vec<u8>,
    ) {
        for part in self.line(number).map(|line| &*line.0).unwrap_or_default() {
            // Writing to a Vec does not fail.
            let _ = match part {
                Part::Bytes(bytes) => output.write_all(bytes),
                Part::Client => write!(output, "{}", who.client),
                Part::Room => output.write_all(who.room.as_bytes()),
                Part::Number => write!(output, "{number}"),
                Part::Stamp => output.write_all(stamp),
            };
        }
    }

    fn line(&self, number: u64) -> Option<&Line> {
        self.lines.get((number % self.lines.len().max(1) as u64) as usize)
    }
}

impl Line {
    fn parse(text: &str) -> Line {
        let mut parts = Vec::new();
        let mut rest = text;
        let first = |rest: &str| {
            let found =
                PLACES.iter().filter_map(|(name, part)| Some((rest.find(name)?, name, part)));
            found
                .min_by_key(|(place, ..)| *place)
                .map(|(place, name, part)| (place, name.len(), part.clone()))
        };
        while let Some((place, length, part)) = first(rest) {
            let (before, after) = rest.split_at(place);
            if !before.is_empty() {
                parts.push(Part::Bytes(bytes(before)));
            }
            parts.push(part);
            rest = after.get(length..).unwrap_or_default();
        }
        if !rest.is_empty() {
            parts.push(Part::Bytes(bytes(rest)));
        }
        Line(parts)
    }
}

/// The bytes that `text` means, in which `\x0a` is one.
fn bytes(text: &str) -> Vec<u8> {
    let mut pieces = text.split("\\x");
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let digits = piece.get(..2).filter(|it| it.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend_from_slice(piece.get(2..).unwrap_or_default().as_bytes());
            }
            None => {
                bytes.extend_from_slice(b"\\x");
                bytes.extend_from_slice(piece.as_bytes());
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_in_turn_and_filled_in() {
        let script =
            Script::parse("{\"c\":{client},\"n\":{number}}\n\nhello {room}: {stamp}{x}\n").unwrap();
        let line = |number| {
            let mut output = Vec::new();
            let who = Who { client: 7, room: "load-1" };
            script.write(who, number, &[b's'; STAMP_BYTES], &mut output);
            String::from_utf8(output).unwrap()
        };
        assert_eq!(line(0), "{\"c\":7,\"n\":0}");
        assert_eq!(line(1), format!("hello load-1: {}{{x}}", "s".repeat(STAMP_BYTES)));
        assert_eq!(line(2), "{\"c\":7,\"n\":2}");
        assert_eq!((script.is_stamped(0), script.is_stamped(1)), (false, true));
    }

    #[test]
    fn bytes_may_be_written_by_their_digits() {
        let script = Script::parse(r"\x01\xFf{client}\x2{number}\\xg!\x0a").unwrap();
        let mut output = Vec::new();
        let who = Who { client: 7, room: "load-1" };
        script.write(who, 0, &[b's'; STAMP_BYTES], &mut output);
        assert_eq!(output, b"\x01\xff7\\x20\\\\xg!\n");
    }

    #[test]
    fn an_empty_script_is_refused() {
        assert!(Script::parse("\n\n").is_err());
    }
}
