//! One event as it is written in a room's journal.

use crate::event::Event;
use postcard::ser_flavors::Flavor;
use serde::{Deserialize, Serialize};

/// What a journal tells of one event: enough to let a room hear it again, and to notice when it does
/// not answer as it did.
///
/// Its bytes are those of [postcard](https://postcard.jamesmunns.com/wire-format), one record after
/// the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record<'a> {
    /// How long after the event before, or after the room's birth: in microseconds.
    pub after: u64,
    /// What was heard.
    #[serde(borrow)]
    pub event: Event<'a>,
    /// Of the commands that it caused and of the deadline after it: the lower half of a 64-bit XXH3 of
    /// what they say, whose seed tells the rest.
    pub digest: u32,
}

/// These bytes are no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the journal has bytes that are no record; it is damaged, or of a newer version")]
pub struct NoRecord;

impl<'a> Record<'a> {
    /// Adds its bytes to `journal`.
    pub fn write(&self, journal: &mut Vec<u8>) {
        // A vector takes whatever it is given, and the types above can all be written.
        let written = postcard::serialize_with_flavor(self, AtTheEnd(journal));
        debug_assert!(written.is_ok(), "{written:?}");
    }

    /// Takes one from the start of `journal`, and gives back what follows it.
    ///
    /// # Errors
    /// When there is none.
    pub fn read(journal: &'a [u8]) -> Result<(Self, &'a [u8]), NoRecord> {
        postcard::take_from_bytes(journal).map_err(|_| NoRecord)
    }
}

/// Has postcard write at the end of a journal.
struct AtTheEnd<'a>(&'a mut Vec<u8>);

impl Flavor for AtTheEnd<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// Records that follow one another in the journal of one room, as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Records {
    /// How many events of the room's life come before them.
    pub follows: u64,
    /// How many there are.
    pub events: u32,
    /// See [`Record`].
    pub bytes: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Key;
    use proptest::prelude::*;
    use stateroom::{ClientId, LeaveReason, MemoryLimits};

    proptest! {
        #[test]
        fn any_bytes_are_records_or_refused(bytes: Vec<u8>) {
            let mut rest = bytes.as_slice();
            while let Ok((record, after)) = Record::read(rest) {
                prop_assert!(after.len() < rest.len());
                let mut again = Vec::new();
                record.write(&mut again);
                prop_assert_eq!(Record::read(&again), Ok((record, &[][..])));
                rest = after;
            }
        }

        #[test]
        fn any_message_is_read_as_it_was_written(
            client: u32,
            text: String,
            bytes: Vec<u8>,
            token: Option<String>,
            after: u64,
            digest: u32,
        ) {
            let client = ClientId(client);
            for event in [
                Event::Text { client, text: &text },
                Event::Binary { client, bytes: &bytes },
                Event::Connect { token: token.as_deref() },
                Event::Skip { client, reason: &text },
                Event::Disconnect { client },
            ] {
                let record = Record { after, event, digest };
                let mut journal = Vec::new();
                record.write(&mut journal);
                prop_assert_eq!(Record::read(&journal), Ok((record, &[][..])));
            }
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let client = ClientId(300);
        let events = [
            Event::Connect { token: None },
            Event::Connect { token: Some("secret") },
            Event::Text { client, text: "hëllo" },
            Event::Binary { client, bytes: &[0, 255, 7] },
            Event::Disconnect { client },
            Event::Timer,
            Event::Forget { client },
            Event::Limits {
                limits: MemoryLimits { memory_bytes: 1 << 26, table_elements: 20_000 },
            },
            Event::Join { token: Some("secret"), key: Key::new([7; 16]).hash() },
            Event::Skip { client, reason: "it failed" },
            Event::Claims { token: "\0ada", claims: "{}" },
            Event::Leave { client, reason: LeaveReason::Kicked },
            Event::Incarnate { number: 1 << 52 },
            Event::Request { number: 300, request: &[0, 255, 7] },
        ];
        let mut journal = Vec::new();
        for (number, event) in events.into_iter().enumerate() {
            Record { after: 1_000 * number as u64, event, digest: u32::MAX }.write(&mut journal);
        }
        let mut rest = journal.as_slice();
        for (number, event) in events.into_iter().enumerate() {
            let (record, after) = Record::read(rest).unwrap();
            assert_eq!((record.after, record.event), (1_000 * number as u64, event));
            rest = after;
        }
        assert!(rest.is_empty());
        for length in 0..journal.len() {
            let mut rest = &journal[..length];
            while let Ok((_, after)) = Record::read(rest) {
                rest = after;
            }
        }
    }

    /// The bytes are a format on people's disks: they must not change unnoticed.
    #[test]
    fn a_record_has_the_bytes_it_always_had() {
        let mut journal = Vec::new();
        let event = Event::Text { client: ClientId(2), text: "hi" };
        Record { after: 300, event, digest: 1 }.write(&mut journal);
        assert_eq!(journal, [172, 2, 1, 2, 2, b'h', b'i', 1]);
    }
}
