//! One room as a file that needs nothing else: with its module, its snapshot, its journal since then,
//! and the events that were set aside.
//!
//! | bytes | what |
//! | --- | --- |
//! | 8 | `SRstRoom` |
//! | 4 | the version of this format, the lowest byte first: [`FORMAT`] |
//! | n | the body |
//! | 32 | the SHA-256 of all this |
//!
//! The body is in [postcard's format](https://postcard.jamesmunns.com/wire-format): each number a
//! varint, each text or blob after its length, each list after its count, `?` after a 0 (none) or 1.
//!
//! | field | type | what |
//! | --- | --- | --- |
//! | `room` | text | the room's id |
//! | `module` | blob | its module, as it was given to the server |
//! | `at` | number | after how many events the snapshot was taken |
//! | `state` | blob | the snapshot |
//! | `wake_at` | number? | its timer after the last event, in nanoseconds since 1970 |
//! | `clients` | number | how many clients it had then |
//! | `tail` | list | parts of the journal: `follows`, `events` (numbers), `records` (blob); each follows the one before, and the first may begin before `at` |
//! | `quarantined` | list | events that were set aside, the oldest first: `at`, `time` (numbers), `reason` (text), `event` (blob) |
//!
//! A version that is greater than ours is told before anything behind it is looked at.

use crate::{
    ModuleHash, Quarantined, Reader, StoreError, StoredRecords, StoredRoom, StoredSnapshot, Vitals,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// What a file of a room begins with.
const MARK: &[u8; 8] = b"SRstRoom";

/// The version of what this file writes. It changes when older programs could not read it.
const FORMAT: u32 = 1;

/// Bytes of the checksum.
const CHECKSUM: usize = 32;

/// A room with all that it takes to bring it back elsewhere.
///
/// ```
/// use stateroom_store::{ExportedRoom, MemoryStore, ModuleHash, Store, StoreError, Vitals, Write};
/// # use sha2::{Digest, Sha256};
///
/// let mut store = MemoryStore::new();
/// let bytes = b"the code".to_vec();
/// let module = ModuleHash(Sha256::digest(&bytes).into());
/// let (state, vitals) = (b"an empty lobby".to_vec(), Vitals::default());
/// store.commit(&[
///     Write::Module { hash: module, bytes },
///     Write::Snapshot { room: "lobby".into(), at: 7, module, state, vitals },
/// ])?;
///
/// let lobby = ExportedRoom::read(&mut *store.reader()?, "lobby")?.expect("it was just written");
/// let file = lobby.encode();
/// assert_eq!(ExportedRoom::decode(&file).expect("it is whole"), lobby);
/// assert!(ExportedRoom::decode(&file[1..]).is_err());
/// # Ok::<(), StoreError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedRoom {
    /// The room's id.
    pub room: Arc<str>,
    /// The module of its snapshot; the snapshot names it by its SHA-256.
    pub module: Vec<u8>,
    /// Its snapshot and its journal.
    pub stored: StoredRoom,
    /// The events that were set aside, the oldest first.
    pub quarantined: Vec<Quarantined>,
}

/// Why bytes are not an exported room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotExported {
    /// They are something else.
    #[error("it is no exported room; give a file that `stateroom rooms export` made")]
    Foreign,
    /// A newer version of Stateroom wrote them.
    #[error(
        "it is of format {found}, and this version of Stateroom knows formats up to {FORMAT}; use \
         the version that wrote it, or a newer one"
    )]
    Newer {
        /// Their format.
        found: u32,
    },
    /// They are not as they were written.
    #[error("it is damaged: {what}; export the room again, or take another copy of the file")]
    Damaged {
        /// What is wrong with them.
        what: &'static str,
    },
}

#[derive(Serialize, Deserialize)]
struct Body<'a> {
    room: &'a str,
    #[serde(with = "serde_bytes")]
    module: &'a [u8],
    at: u64,
    #[serde(with = "serde_bytes")]
    state: &'a [u8],
    wake_at: Option<u64>,
    clients: u32,
    #[serde(borrow)]
    tail: Vec<Part<'a>>,
    #[serde(borrow)]
    quarantined: Vec<SetAside<'a>>,
}

#[derive(Serialize, Deserialize)]
struct Part<'a> {
    follows: u64,
    events: u32,
    #[serde(with = "serde_bytes")]
    records: &'a [u8],
}

#[derive(Serialize, Deserialize)]
struct SetAside<'a> {
    at: u64,
    time: u64,
    reason: &'a str,
    #[serde(with = "serde_bytes")]
    event: &'a [u8],
}

impl<'a> Part<'a> {
    fn of(records: &'a StoredRecords) -> Self {
        let StoredRecords { follows, events, records } = records;
        Part { follows: *follows, events: *events, records }
    }
}

impl<'a> SetAside<'a> {
    fn of(quarantined: &'a Quarantined) -> Self {
        let Quarantined { at, time, reason, event } = quarantined;
        SetAside { at: *at, time: *time, reason, event }
    }
}

impl ExportedRoom {
    /// Takes `room` from a store; `None` if there is no such room.
    ///
    /// # Errors
    /// [`Damaged`](StoreError::Damaged) and [`DamagedModule`](StoreError::DamagedModule), when some of
    /// it is damaged or missing, and those of every [`Reader`].
    pub fn read(reader: &mut dyn Reader, room: &str) -> Result<Option<Self>, StoreError> {
        let Some(stored) = reader.load(room)? else { return Ok(None) };
        let hash = stored.snapshot.module;
        let damaged = |what: &str| StoreError::DamagedModule { hash, what: what.into() };
        let module = reader.module(&hash)?.ok_or_else(|| damaged("it is missing"))?;
        if hash_of(&module) != hash {
            return Err(damaged("it is another one"));
        }
        let quarantined = reader.quarantined(room)?;
        Ok(Some(Self { room: room.into(), module, stored, quarantined }))
    }

    /// The bytes of the file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let StoredRoom { snapshot, tail, vitals } = &self.stored;
        let body = Body {
            room: &self.room,
            module: &self.module,
            at: snapshot.at,
            state: &snapshot.state,
            wake_at: vitals.wake_at,
            clients: vitals.clients,
            tail: tail.iter().map(Part::of).collect(),
            quarantined: self.quarantined.iter().map(SetAside::of).collect(),
        };
        let mut bytes = MARK.to_vec();
        bytes.extend_from_slice(&FORMAT.to_le_bytes());
        // A vector takes whatever it is given, and the types above can all be written.
        let mut bytes = postcard::to_extend(&body, bytes).unwrap_or_default();
        let sum = Sha256::digest(&bytes);
        bytes.extend_from_slice(&sum);
        bytes
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// When it is something else, of a newer version, or damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotExported> {
        let rest = bytes.strip_prefix(MARK).ok_or(NotExported::Foreign)?;
        let damaged = |what| NotExported::Damaged { what };
        let cut_off = || damaged("its end is missing");
        let (version, _) = rest.split_first_chunk().ok_or_else(cut_off)?;
        match u32::from_le_bytes(*version) {
            FORMAT => {}
            found if found > FORMAT => return Err(NotExported::Newer { found }),
            _ => return Err(damaged("there is no such format")),
        }
        let (summed, sum) = bytes.split_last_chunk::<CHECKSUM>().ok_or_else(cut_off)?;
        if Sha256::digest(summed).as_slice() != sum {
            return Err(damaged("its checksum is wrong"));
        }
        let body = summed.get(MARK.len() + size_of_val(version)..).ok_or_else(cut_off)?;
        match postcard::take_from_bytes::<Body<'_>>(body) {
            Ok((body, [])) => Self::of(&body).ok_or_else(|| damaged("its journal has a gap")),
            _ => Err(damaged("its contents make no sense")),
        }
    }

    /// `None` when parts of the journal are missing.
    fn of(body: &Body<'_>) -> Option<Self> {
        let mut tail: Vec<StoredRecords> = Vec::with_capacity(body.tail.len());
        for Part { follows, events, records } in &body.tail {
            let fits = match tail.last() {
                Some(before) => *follows == before.end(),
                None => *follows <= body.at,
            };
            let part =
                StoredRecords { follows: *follows, events: *events, records: records.to_vec() };
            if !fits || part.end() <= body.at {
                return None;
            }
            tail.push(part);
        }
        let set_aside = |SetAside { at, time, reason, event }: &SetAside<'_>| Quarantined {
            at: *at,
            time: *time,
            reason: (*reason).to_owned(),
            event: event.to_vec(),
        };
        Some(Self {
            room: body.room.into(),
            module: body.module.to_vec(),
            stored: StoredRoom {
                snapshot: StoredSnapshot {
                    at: body.at,
                    module: hash_of(body.module),
                    state: body.state.to_vec(),
                },
                tail,
                vitals: Vitals { wake_at: body.wake_at, clients: body.clients, heard_at: 0 },
            },
            quarantined: body.quarantined.iter().map(set_aside).collect(),
        })
    }
}

fn hash_of(module: &[u8]) -> ModuleHash {
    ModuleHash(Sha256::digest(module).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lobby() -> ExportedRoom {
        let part = |follows, events, records: &[u8]| StoredRecords {
            follows,
            events,
            records: records.to_vec(),
        };
        ExportedRoom {
            room: "lobby".into(),
            module: b"code".to_vec(),
            stored: StoredRoom {
                snapshot: StoredSnapshot {
                    at: 300,
                    module: hash_of(b"code"),
                    state: b"state".to_vec(),
                },
                tail: vec![part(299, 2, b"two"), part(301, 1, b"one")],
                vitals: Vitals { wake_at: Some(5), clients: 2, heard_at: 0 },
            },
            quarantined: vec![Quarantined {
                at: 290,
                time: u64::MAX,
                reason: "a trap".to_owned(),
                event: b"event".to_vec(),
            }],
        }
    }

    /// The file with another body, and the checksum of that.
    fn with_body(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut file = lobby().encode();
        file.truncate(file.len() - CHECKSUM);
        change(&mut file);
        let sum = Sha256::digest(&file);
        file.extend_from_slice(&sum);
        file
    }

    #[test]
    fn what_is_encoded_is_read_again() {
        assert_eq!(ExportedRoom::decode(&lobby().encode()), Ok(lobby()));
    }

    /// The bytes are a format on people's disks: they must not change unnoticed.
    #[test]
    fn a_room_has_the_bytes_it_always_had() {
        let file = lobby().encode();
        let body = b"\x05lobby\x04code\xac\x02\x05state\x01\x05\x02\
            \x02\xab\x02\x02\x03two\xad\x02\x01\x03one\
            \x01\xa2\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x06a trap\x05event";
        assert_eq!(&file[..12], b"SRstRoom\x01\0\0\0");
        assert_eq!(&file[12..file.len() - CHECKSUM], body);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let file = lobby().encode();
        for place in 0..file.len() {
            for bit in 0..8 {
                let mut damaged = file.clone();
                damaged[place] ^= 1 << bit;
                assert!(ExportedRoom::decode(&damaged).is_err(), "bit {bit} of byte {place}");
            }
            assert!(ExportedRoom::decode(&file[..place]).is_err(), "{place} bytes");
        }
        assert_eq!(ExportedRoom::decode(b"a text"), Err(NotExported::Foreign));
    }

    #[test]
    fn a_newer_file_is_told_from_a_damaged_one() {
        let newer = with_body(|file| file[8] = 2);
        assert_eq!(ExportedRoom::decode(&newer), Err(NotExported::Newer { found: 2 }));
        let mut unknown = newer;
        unknown.truncate(40);
        assert_eq!(ExportedRoom::decode(&unknown), Err(NotExported::Newer { found: 2 }));
    }

    #[test]
    fn a_body_that_makes_no_sense_is_refused_whatever_its_checksum() {
        let is_damaged =
            |file: &[u8]| matches!(ExportedRoom::decode(file), Err(NotExported::Damaged { .. }));
        for length in 12..lobby().encode().len() - CHECKSUM {
            assert!(is_damaged(&with_body(|file| file.truncate(length))), "{length} bytes");
        }
        assert!(is_damaged(&with_body(|file| file.push(0))));
        let gaps: [fn(&mut ExportedRoom); 3] = [
            |room| drop(room.stored.tail.remove(0)),
            |room| room.stored.snapshot.at = 298,
            |room| room.stored.snapshot.at = 302,
        ];
        for gap in gaps {
            let mut room = lobby();
            gap(&mut room);
            assert!(is_damaged(&room.encode()));
        }
    }
}
