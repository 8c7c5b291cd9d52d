//! A room as bytes that outlive the process: what the host keeps of it, and its compressed snapshot.
//!
//! Numbers are little-endian. Whatever the bytes hold, reading them ends with a room or a reason.
//!
//! | bytes | what |
//! | --- | --- |
//! | 1 | the format: [`FORMAT`] |
//! | 32 | the version of the module |
//! | 8, 4 | when the room was born: seconds, nanoseconds |
//! | 32 | the seed |
//! | 8, 4 | what the clock showed last |
//! | 1 | whether somebody tells the time |
//! | 16 | the position in the stream of randomness |
//! | 8, 8 | the limits that the room lives under: bytes of memory, elements of the table |
//! | 4, n, 8 | the line that standard output has begun: its length, itself, how much was cut |
//! | 4, n, 8 | the same for standard error |
//! | 8 | how long the snapshot is when it is decompressed |
//! | 8, n | the compressed snapshot: its length, itself |
//! | 8 | the first of the SHA-256 of all this |

use crate::{
    asleep::Form, compress::SleepingState, encoded::Encoded, guest_log::Line,
    host_state::HostState, image::Image, snapshot::Snapshot, source::Source,
};
use sha2::{Digest, Sha256};
use stateroom::{CodeVersion, MemoryLimits, SaveFailure, SavedState};
use std::time::Duration;

/// Of what this file writes; to be raised when it changes, or the encoding of a snapshot, or which
/// globals `prepare` takes for state.
const FORMAT: u8 = 2;

/// Bytes of the checksum.
const CHECKSUM: usize = 8;

/// What is read back.
#[derive(Debug)]
pub(crate) struct Saved {
    pub(crate) source: Source,
    pub(crate) limits: MemoryLimits,
    /// The lines that have begun: of standard output, and of standard error.
    pub(crate) begun: [Line; 2],
    pub(crate) snapshot: Snapshot,
}

/// What bytes have to be of to be used.
pub(crate) struct Wanted<'a> {
    pub(crate) version: CodeVersion,
    pub(crate) image: &'a Image,
    pub(crate) globals: usize,
    /// The least and the most that the memory of a room can have, in WebAssembly's pages. What the
    /// room may have is no matter of today's settings.
    pub(crate) memory_pages: (u64, u64),
}

/// The state of a room that keeps `form`. What is done here is little; the rest is done when the
/// state is encoded.
pub(crate) fn save(version: CodeVersion, host: &HostState, form: Form) -> SavedState {
    let mut bytes = Vec::with_capacity(256);
    bytes.push(FORMAT);
    bytes.extend_from_slice(&version.0);
    encode_source(&host.source, &mut bytes);
    encode_limits(host.bounds.limits(), &mut bytes);
    for line in host.log.begun() {
        // At most the limit for lines, or 4 GiB of it.
        let kept = line.kept.get(..u32::MAX as usize).unwrap_or(&line.kept);
        bytes.extend_from_slice(&(kept.len() as u32).to_le_bytes());
        bytes.extend_from_slice(kept);
        bytes.extend_from_slice(&(line.cut_bytes as u64).to_le_bytes());
    }
    SavedState::new(move || {
        let sleeping = match form {
            Form::Raw(snapshot) => {
                snapshot.compress().map_err(|error| SaveFailure(error.to_string()))?
            }
            Form::Compressed(sleeping) => sleeping,
        };
        let (compressed, length) = sleeping.parts();
        bytes.reserve_exact(16 + compressed.len() + CHECKSUM);
        bytes.extend_from_slice(&(length as u64).to_le_bytes());
        bytes.extend_from_slice(&(compressed.len() as u64).to_le_bytes());
        bytes.extend_from_slice(compressed);
        let sum = checksum(&bytes);
        bytes.extend_from_slice(&sum);
        Ok(bytes)
    })
}

/// Reads what [`save`] has written, or tells why it can't be used.
pub(crate) fn read(bytes: &[u8], wanted: &Wanted<'_>) -> Result<Saved, String> {
    match bytes.first() {
        Some(&FORMAT) => {}
        Some(format) => {
            return Err(format!(
                "it is in format {format}, and this host reads format {FORMAT}: bring the room back \
                 with the version that has saved it"
            ));
        }
        None => return Err("it is empty".into()),
    }
    let (bytes, sum) = bytes.split_last_chunk::<CHECKSUM>().ok_or_else(damaged)?;
    if checksum(bytes) != *sum {
        return Err(damaged());
    }
    let mut rest = Encoded::new(bytes.get(1..).unwrap_or_default());
    let version = CodeVersion(rest.bytes().ok_or_else(damaged)?);
    if version != wanted.version {
        return Err(format!(
            "it is of the module {version}, and this is {}: bring the room back with the module \
             that has saved it",
            wanted.version
        ));
    }
    let Parts { source, limits, begun, sleeping } =
        read_parts(&mut rest, wanted).ok_or_else(damaged)?;
    let snapshot = sleeping.decompress().map_err(|error| error.to_string())?;
    check(&snapshot, wanted)?;
    Ok(Saved { source, limits, begun, snapshot })
}

fn damaged() -> String {
    "it is damaged: take it from a copy, or let the room begin anew".into()
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM] {
    let mut sum = [0; CHECKSUM];
    for (byte, digest) in sum.iter_mut().zip(Sha256::digest(bytes)) {
        *byte = digest;
    }
    sum
}

/// What is read back, before it is decompressed.
struct Parts {
    source: Source,
    limits: MemoryLimits,
    begun: [Line; 2],
    sleeping: SleepingState,
}

fn read_parts(rest: &mut Encoded<'_>, wanted: &Wanted<'_>) -> Option<Parts> {
    let (born, seed) = (read_time(rest)?, rest.bytes()?);
    let now = read_time(rest)?;
    let told = match rest.bytes()? {
        [0] => false,
        [1] => true,
        _ => return None,
    };
    let position = u128::from_le_bytes(rest.bytes()?);
    let source = Source { born, seed, now, told, position };
    let limits = MemoryLimits { memory_bytes: rest.u64()?, table_elements: rest.u64()? };
    let begun = [read_line(rest)?, read_line(rest)?];
    let length = usize::try_from(rest.u64()?).ok()?;
    // No room has more than this, so nothing is allocated for a lie.
    let most = Snapshot::most_bytes(wanted.globals, wanted.memory_pages.1);
    if length > most {
        return None;
    }
    let compressed_length = usize::try_from(rest.u64()?).ok()?;
    let compressed = rest.take(compressed_length)?;
    let sleeping = SleepingState::of_parts(wanted.image.clone(), compressed, length);
    rest.is_empty().then_some(Parts { source, limits, begun, sleeping })
}

/// Whether the snapshot is one that a room of the module can have.
fn check(snapshot: &Snapshot, wanted: &Wanted<'_>) -> Result<(), String> {
    let state = &snapshot.state;
    let (least, most) = wanted.memory_pages;
    let pages = state.memory_pages;
    if !(least..=most).contains(&pages) || state.globals.len() != wanted.globals {
        return Err(damaged());
    }
    let end = pages * Snapshot::PAGES_IN_ONE;
    let ascending = state.numbers.is_sorted_by(|one, next| one < next);
    if ascending && state.numbers.last().is_none_or(|last| u64::from(*last) < end) {
        Ok(())
    } else {
        Err(damaged())
    }
}

/// What of the host's own a room's future rests on, as bytes.
pub(crate) fn encode_source(source: &Source, bytes: &mut Vec<u8>) {
    let Source { born, seed, now, told, position } = source;
    encode_time(*born, bytes);
    bytes.extend_from_slice(seed);
    encode_time(*now, bytes);
    bytes.push(u8::from(*told));
    bytes.extend_from_slice(&position.to_le_bytes());
}

/// The limits that a room lives under, as bytes.
pub(crate) fn encode_limits(limits: MemoryLimits, bytes: &mut Vec<u8>) {
    let MemoryLimits { memory_bytes, table_elements } = limits;
    bytes.extend_from_slice(&memory_bytes.to_le_bytes());
    bytes.extend_from_slice(&table_elements.to_le_bytes());
}

fn encode_time(time: Duration, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&time.as_secs().to_le_bytes());
    bytes.extend_from_slice(&time.subsec_nanos().to_le_bytes());
}

fn read_time(rest: &mut Encoded<'_>) -> Option<Duration> {
    let (seconds, nanoseconds) = (rest.u64()?, rest.u32()?);
    (nanoseconds < 1_000_000_000).then(|| Duration::new(seconds, nanoseconds))
}

fn read_line(rest: &mut Encoded<'_>) -> Option<Line> {
    let length = usize::try_from(rest.u32()?).ok()?;
    let kept = rest.take(length)?.to_vec();
    Some(Line { kept, cut_bytes: usize::try_from(rest.u64()?).ok()? })
}
