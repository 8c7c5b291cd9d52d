//! What each message carries so that it is known again: who sent it, the how-manieth it is of its
//! sender, and when it was due.
//!
//! A stamp is 32 ASCII characters: a marker of eight, which is another in each run, and 24
//! hexadecimal digits: 5 for the client, 7 for the number, 12 for the time.

/// How long a stamp is, in bytes.
pub const STAMP_BYTES: usize = 32;

/// How many digits of it are not the marker.
pub(crate) const DIGITS: usize = 24;
/// How many clients stamps can name.
pub(crate) const MAX_CLIENTS: u32 = 1 << 20;
/// How many messages of one client stamps can number.
pub(crate) const MAX_NUMBER: u32 = 1 << 28;

/// What a message says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// The client that sent it.
    pub(crate) client: u32,
    /// How many that client had sent before.
    pub(crate) number: u32,
    /// When it was due, in nanoseconds since the run began.
    pub(crate) due: u64,
}

impl Stamp {
    /// The part of a stamp that follows the marker.
    #[inline]
    pub(crate) fn digits(self) -> [[u8; 8]; 3] {
        let due = self.due & 0xFFFF_FFFF_FFFF;
        [
            to_hex((self.client << 12) | ((self.number >> 16) & 0xFFF)),
            to_hex((self.number << 16) | (due >> 32) as u32),
            to_hex(due as u32),
        ]
    }

    #[inline]
    fn from_digits(digits: [[u8; 8]; 3]) -> Option<Self> {
        let [first, second, third] = digits;
        let (first, second, third) = (from_hex(first)?, from_hex(second)?, from_hex(third)?);
        Some(Stamp {
            client: first >> 12,
            number: ((first & 0xFFF) << 16) | (second >> 16),
            due: (u64::from(second & 0xFFFF) << 32) | u64::from(third),
        })
    }
}

/// The start of every stamp of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marker([u8; 8]);

impl Marker {
    /// A marker that hardly any other run has.
    pub(crate) fn random() -> Self {
        let [_, _, run @ ..] = to_hex(fastrand::u32(..));
        let mut marker = *b"@~......";
        if let Some(rest) = marker.last_chunk_mut() {
            *rest = run;
        }
        Marker(marker)
    }

    /// How long a marker is, in bytes.
    pub(crate) fn length(self) -> usize {
        self.0.len()
    }

    /// A whole stamp.
    pub(crate) fn stamp(self, stamp: Stamp) -> [u8; STAMP_BYTES] {
        let mut bytes = [0; STAMP_BYTES];
        let [first, second, third] = stamp.digits();
        let words = [self.0, first, second, third];
        for (place, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
            *place = word;
        }
        bytes
    }
}

/// Finds the stamp in each message, looking first where it was in the last.
#[derive(Debug, Clone)]
pub(crate) struct Finder {
    marker: Marker,
    place: usize,
}

impl Finder {
    pub(crate) fn new(marker: Marker) -> Self {
        Finder { marker, place: 0 }
    }

    /// The stamp in `message`, if it has one of this run.
    #[inline]
    pub(crate) fn find(&mut self, message: &[u8]) -> Option<Stamp> {
        match message.get(self.place..).and_then(|rest| rest.first_chunk::<STAMP_BYTES>()) {
            Some(bytes) if bytes.starts_with(&self.marker.0) => read(bytes),
            _ => self.search(message),
        }
    }

    #[cold]
    fn search(&mut self, message: &[u8]) -> Option<Stamp> {
        let place = memchr::memmem::find(message, &self.marker.0)?;
        let stamp = read(message.get(place..)?.first_chunk()?)?;
        self.place = place;
        Some(stamp)
    }
}

#[inline]
fn read(bytes: &[u8; STAMP_BYTES]) -> Option<Stamp> {
    let [_, first, second, third] = *bytes.as_chunks().0 else { return None };
    Stamp::from_digits([first, second, third])
}

/// Eight digits at once, each in a byte of a word.
#[inline]
fn to_hex(value: u32) -> [u8; 8] {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let mut word = u64::from(value);
    word = (word | (word << 16)) & 0x0000_FFFF_0000_FFFF;
    word = (word | (word << 8)) & 0x00FF_00FF_00FF_00FF;
    word = (word | (word << 4)) & 0x0F0F_0F0F_0F0F_0F0F;
    let letters = ((word + 6 * ONES) >> 4) & ONES;
    // From '0' on, and from 'a' on for those past 9.
    (word + 0x30 * ONES + letters * 0x27).to_be_bytes()
}

/// The reverse; `None` where a byte is not a digit as [`to_hex`] writes them.
#[inline]
fn from_hex(digits: [u8; 8]) -> Option<u32> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let word = u64::from_be_bytes(digits);
    let letters = (word >> 6) & ONES;
    let mut value = (word & (0x0F * ONES)) + letters * 9;
    value = (value | (value >> 4)) & 0x00FF_00FF_00FF_00FF;
    value = (value | (value >> 8)) & 0x0000_FFFF_0000_FFFF;
    let value = (value | (value >> 16)) as u32;
    (to_hex(value) == digits).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMPS: [Stamp; 3] = [
        Stamp { client: 0, number: 0, due: 0 },
        Stamp { client: 0xABCDE, number: 0x012_3456, due: 0x1234_5678_9ABC },
        Stamp { client: MAX_CLIENTS - 1, number: MAX_NUMBER - 1, due: (1 << 48) - 1 },
    ];

    #[test]
    fn a_stamp_is_found_again_wherever_it_is() {
        let marker = Marker::random();
        let mut finder = Finder::new(marker);
        for stamp in STAMPS {
            let bytes = marker.stamp(stamp);
            let text = str::from_utf8(&bytes).unwrap();
            for prefix in ["", "", "{\"from\":12,\"text\":\"", "@~", "ä"] {
                let message = format!("{prefix}{text}, and more");
                assert_eq!(finder.find(message.as_bytes()), Some(stamp), "{message}");
            }
        }
    }

    #[test]
    fn what_is_no_stamp_of_this_run_is_none() {
        let marker = Marker(*b"@~000001");
        let mut finder = Finder::new(marker);
        let bytes = marker.stamp(STAMPS[1]);
        assert_eq!(finder.find(b""), None);
        assert_eq!(finder.find(b"hello"), None);
        assert_eq!(finder.find(&bytes[..31]), None);
        assert_eq!(finder.find(&Marker(*b"@~000002").stamp(STAMPS[1])), None);
        for broken in [b'g', b'A', b'/', b':', b'`', 0, 0xFF] {
            let mut bytes = bytes;
            bytes[20] = broken;
            assert_eq!(finder.find(&bytes), None, "{broken}");
        }
    }
}
