//! The checksums of what is stored. Each covers the keys of its row too, so that bytes in the wrong
//! place are found like wrong bytes. All are CRC-32 (IEEE); numbers go in as eight bytes, the lowest
//! first, texts and blobs after their length.

use crate::Vitals;
use crc32fast::Hasher;

/// A checksum in the making.
struct Checksum(Hasher);

impl Checksum {
    /// `of` differs for each kind of row, so that none passes for another.
    fn new(of: u8) -> Self {
        Self(Hasher::new()).bytes(&[of])
    }

    fn number(mut self, number: u64) -> Self {
        self.0.update(&number.to_le_bytes());
        self
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    fn vitals(self, vitals: Vitals) -> Self {
        let woken = u64::from(vitals.wake_at.is_some());
        self.number(woken).number(vitals.wake_at.unwrap_or(0)).number(u64::from(vitals.clients))
    }

    fn end(self) -> u32 {
        self.0.finalize()
    }
}

/// Of the columns of a row of `rooms` other than the state.
pub(crate) fn room(
    number: i64,
    room: &str,
    at: u64,
    events: u64,
    module: &[u8],
    vitals: Vitals,
) -> u32 {
    let checksum = Checksum::new(b'R').number(number.cast_unsigned()).bytes(room.as_bytes());
    checksum.number(at).number(events).bytes(module).vitals(vitals).end()
}

/// Of the state in a row of `rooms`.
pub(crate) fn state(number: i64, at: u64, state: &[u8]) -> u32 {
    Checksum::new(b'S').number(number.cast_unsigned()).number(at).bytes(state).end()
}

/// Of the records of one append, in `log` or in `carried`.
pub(crate) fn records(number: i64, room: &str, follows: u64, events: u32, records: &[u8]) -> u32 {
    let checksum = Checksum::new(b'B').number(number.cast_unsigned()).bytes(room.as_bytes());
    checksum.number(follows).number(u64::from(events)).bytes(records).end()
}

/// Of the columns of a row of `carried` other than the records.
pub(crate) fn carried(
    number: i64,
    follows: u64,
    events: u32,
    vitals: Vitals,
    records_check: u32,
    length: u64,
) -> u32 {
    let checksum = Checksum::new(b'C').number(number.cast_unsigned()).number(follows);
    let checksum = checksum.number(u64::from(events)).vitals(vitals);
    checksum.number(u64::from(records_check)).number(length).end()
}

/// Of the table of contents of a row of `log`.
pub(crate) fn contents(position: i64, contents: &[u8]) -> u32 {
    Checksum::new(b'L').number(position.cast_unsigned()).bytes(contents).end()
}

/// Of the beginning of a file of the log.
pub(crate) fn segment(first: i64, salt: u64) -> u32 {
    Checksum::new(b'F').number(first.cast_unsigned()).number(salt).end()
}

/// Of the head of a row of the log.
pub(crate) fn row_head(salt: u64, position: i64, contents: u32, bodies: u32, check: u32) -> u32 {
    let checksum = Checksum::new(b'H').number(salt).number(position.cast_unsigned());
    checksum.number(contents.into()).number(bodies.into()).number(check.into()).end()
}

/// Of all bodies of a row of the log, one after the other.
pub(crate) fn bodies<'a>(bodies: impl IntoIterator<Item = &'a [u8]>) -> u32 {
    let mut checksum = Checksum::new(b'A');
    bodies.into_iter().for_each(|body| checksum.0.update(body));
    checksum.end()
}

/// Of the row of the table `log`.
pub(crate) fn standing(first: i64, newest: i64, boot: &str) -> u32 {
    let checksum = Checksum::new(b'N').number(first.cast_unsigned());
    checksum.number(newest.cast_unsigned()).bytes(boot.as_bytes()).end()
}

/// Of a name of a room and its number, as they are in the index of names.
pub(crate) fn name(number: i64, room: &[u8]) -> u32 {
    Checksum::new(b'I').number(number.cast_unsigned()).bytes(room).end()
}

/// Of a row of `quarantine`.
pub(crate) fn quarantine(number: i64, at: u64, time: u64, reason: &str, event: &[u8]) -> u32 {
    let checksum = Checksum::new(b'Q').number(number.cast_unsigned()).number(at).number(time);
    checksum.bytes(reason.as_bytes()).bytes(event).end()
}

/// Of a row of `modules`.
pub(crate) fn module(hash: &[u8], bytes: &[u8]) -> u32 {
    Checksum::new(b'M').bytes(hash).bytes(bytes).end()
}
