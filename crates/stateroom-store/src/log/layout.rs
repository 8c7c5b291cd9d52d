//! How a file of the log begins, and how a record begins, byte by byte. FORMAT.md draws it.
//!
//! Checksums are salted with the log's id and the file's number, both of which a client can't know: so
//! nothing that a client says can pass for a header or a record, and a file with a damaged header can
//! still be searched for records.

use crate::Durability;

/// How a file begins.
const MAGIC: [u8; 8] = *b"SRoomLog";

/// The version of what this crate writes. Greater ones are refused.
pub(crate) const FORMAT: u32 = 1;

/// How many bytes a file has before its first record.
pub(crate) const HEADER_BYTES: usize = 96;

/// How many bytes a record has before its table of contents.
pub(crate) const HEAD_BYTES: usize = 48;

/// Records begin at multiples of so many bytes.
pub(crate) const ALIGNMENT: usize = 8;

/// What fills a record up to that, at least one byte. Not zeroes, as there are where nothing was written
/// yet: so a record of which the last byte was not handed over is not whole.
pub(crate) const FILLING: [u8; ALIGNMENT] = [0xff; ALIGNMENT];

/// Names a log. Random.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct LogId(pub(crate) [u8; 16]);

/// What a file tells of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) id: LogId,
    /// The file's number; it is its name too.
    pub(crate) number: u64,
    /// The position of its first record.
    pub(crate) first: u64,
    /// The check of the record before that.
    pub(crate) before: u32,
    /// Up to which position flushes had returned when this was written.
    pub(crate) durable: u64,
    /// What its records survive.
    pub(crate) durability: Durability,
    /// Names the machine's start in which it was written, where commits are not flushed.
    pub(crate) boot: [u8; 16],
    /// How often the log has been opened to be written to.
    pub(crate) epoch: u64,
}

/// What the first bytes of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FoundHeader {
    Whole(Header),
    /// It is of a format that is not known here.
    Newer(u32),
    /// None, or a damaged one.
    None,
}

impl Header {
    pub(crate) fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&FORMAT.to_le_bytes());
        bytes.extend_from_slice(&self.before.to_le_bytes());
        bytes.extend_from_slice(&self.id.0);
        bytes.extend_from_slice(&self.number.to_le_bytes());
        bytes.extend_from_slice(&self.first.to_le_bytes());
        bytes.extend_from_slice(&self.durable.to_le_bytes());
        bytes.extend_from_slice(&self.epoch.to_le_bytes());
        bytes.extend_from_slice(&self.boot);
        let level = u32::from(self.durability == Durability::Buffered);
        bytes.extend_from_slice(&level.to_le_bytes());
        bytes.resize(HEADER_BYTES - 4, 0);
        let check = crc(0, &bytes);
        bytes.extend_from_slice(&check.to_le_bytes());
        bytes.try_into().unwrap_or([0; HEADER_BYTES])
    }

    pub(crate) fn read(bytes: &[u8]) -> FoundHeader {
        Self::read_whole(bytes).unwrap_or(FoundHeader::None)
    }

    fn read_whole(bytes: &[u8]) -> Option<FoundHeader> {
        let bytes = bytes.get(..HEADER_BYTES)?;
        let (summed, check) = bytes.split_last_chunk()?;
        if summed.get(..8)? != MAGIC {
            return None;
        }
        let is_whole = u32::from_le_bytes(*check) == crc(0, summed);
        let version = u32_at(bytes, 8)?;
        if version > FORMAT && version < 1 << 16 {
            return Some(FoundHeader::Newer(version));
        }
        if !is_whole || version != FORMAT {
            return None;
        }
        let durability = match u32_at(bytes, 80)? {
            0 => Durability::Synced,
            _ => Durability::Buffered,
        };
        Some(FoundHeader::Whole(Self {
            before: u32_at(bytes, 12)?,
            id: LogId(*bytes.get(16..)?.first_chunk()?),
            number: u64_at(bytes, 32)?,
            first: u64_at(bytes, 40)?,
            durable: u64_at(bytes, 48)?,
            epoch: u64_at(bytes, 56)?,
            boot: *bytes.get(64..)?.first_chunk()?,
            durability,
        }))
    }

    pub(crate) fn salt(&self) -> u32 {
        salt(self.id, self.number)
    }
}

/// What goes into the checksums of a file's records.
pub(crate) fn salt(id: LogId, number: u64) -> u32 {
    crc(crc(0, &id.0), &number.to_le_bytes())
}

/// How a record begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) entries: u32,
    /// Which record it is, from 1.
    pub(crate) position: u64,
    /// Up to which position flushes had returned when this was written.
    pub(crate) durable: u64,
    /// The check of the record before it.
    pub(crate) before: u32,
    pub(crate) check_table: u32,
    pub(crate) check_bodies: u32,
    pub(crate) table: u32,
    pub(crate) bodies: u32,
}

impl Head {
    /// The bytes, and the check by which the next record names this one.
    pub(crate) fn to_bytes(self, salt: u32) -> ([u8; HEAD_BYTES], u32) {
        let mut bytes = [0; HEAD_BYTES];
        let fields: [&[u8]; 8] = [
            &self.entries.to_le_bytes(),
            &self.position.to_le_bytes(),
            &self.durable.to_le_bytes(),
            &self.before.to_le_bytes(),
            &self.check_table.to_le_bytes(),
            &self.check_bodies.to_le_bytes(),
            &self.table.to_le_bytes(),
            &self.bodies.to_le_bytes(),
        ];
        let mut rest = bytes.get_mut(4..).unwrap_or_default();
        for field in fields {
            let (place, behind) = rest.split_at_mut(field.len());
            place.copy_from_slice(field);
            rest = behind;
        }
        let check = crc(salt, bytes.get(4..).unwrap_or_default());
        if let Some(place) = bytes.first_chunk_mut() {
            *place = check.to_le_bytes();
        }
        (bytes, check)
    }

    /// With its check; `None` where there is no head.
    pub(crate) fn read(bytes: &[u8], salt: u32) -> Option<(Self, u32)> {
        let bytes = bytes.get(..HEAD_BYTES)?;
        let check = u32_at(bytes, 0)?;
        let head = Self {
            entries: u32_at(bytes, 4)?,
            position: u64_at(bytes, 8)?,
            durable: u64_at(bytes, 16)?,
            before: u32_at(bytes, 24)?,
            check_table: u32_at(bytes, 28)?,
            check_bodies: u32_at(bytes, 32)?,
            table: u32_at(bytes, 36)?,
            bodies: u32_at(bytes, 40)?,
        };
        // The cheap question first, since every eighth byte may be asked.
        if head.position == 0 || head.durable >= head.position {
            return None;
        }
        (check == crc(salt, bytes.get(4..)?)).then_some((head, check))
    }

    /// How many bytes the record has, with what fills it up: at least one byte.
    pub(crate) fn record_bytes(&self) -> u64 {
        let bytes = HEAD_BYTES as u64 + u64::from(self.table) + u64::from(self.bodies);
        (bytes + 1).next_multiple_of(ALIGNMENT as u64)
    }
}

/// Goes on with a checksum.
pub(crate) fn crc(so_far: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(so_far);
    hasher.update(bytes);
    hasher.finalize()
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}
