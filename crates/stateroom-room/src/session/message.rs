//! The messages of the protocol, as they stand in whole WebSocket messages.
//!
//! What a service and its clients say to each other is sent as it is. The protocol's own messages are text that
//! begins with U+0000, and words with one space between. Text of a service that begins with U+0000 has it doubled.

use super::{
    frame::{Encoded, Frame},
    number,
    request::Life,
};
use std::borrow::Cow;

/// The longest message of the protocol's own, in bytes.
pub const MAX_CONTROL_BYTES: usize = 512;

/// The longest reason of a message that was skipped, in bytes.
pub const MAX_REASON_BYTES: usize = 256;

const MARK: char = '\0';

/// Whether text of a service is not written as it is.
pub(super) fn begins_with_mark(text: &[u8]) -> bool {
    text.first() == Some(&(MARK as u8))
}

/// What a server tells a client that has a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Down<'a> {
    /// What the service says. It counts.
    Data(Frame<'a>),
    /// The first message on each socket.
    Welcome(Welcome),
    /// How many of the client's messages are durable.
    Ack {
        /// How many.
        heard: u64,
    },
    /// One of the client's messages was set aside, since the room failed at it. It counts as heard, and this counts
    /// as a message to the client.
    Skipped {
        /// Which: the first is 1.
        number: u64,
        /// Why, at most [`MAX_REASON_BYTES`] long.
        reason: &'a str,
    },
    /// The room has begun anew, and the session goes on. It counts.
    Anew {
        /// The epoch from now on.
        epoch: u64,
    },
}

/// What a client tells a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Up<'a> {
    /// What it says to the service. It counts.
    Data(Frame<'a>),
    /// How many counted messages it has got.
    Ack {
        /// How many.
        have: u64,
    },
    /// Asks for an answer, which is an [`Down::Ack`]: to find out whether the connection lives.
    Probe,
    /// Asks for an [`Down::Ack`] as soon as all that it said before is durable.
    Flush,
}

/// What a client is told first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Welcome {
    /// Which life of the room it is in.
    pub life: Life,
    /// How many of the client's messages were heard, which all were durable when this was sent. The client sends
    /// those that follow.
    pub heard: u64,
    /// How many counted messages come before the next one. If the client has got as many, it has missed nothing.
    pub from: u64,
    /// After how many bytes of messages the client should tell what it has got, before a second is over.
    pub ack_bytes: u64,
    /// The largest message that the client may send, in bytes.
    pub largest: u64,
    /// How long the session is kept after the socket is gone, in milliseconds.
    pub grace_ms: u64,
}

/// These are no messages of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoMessage {
    /// Longer than any of the protocol's own.
    #[error("a control message of {length} bytes; the longest has {MAX_CONTROL_BYTES}")]
    TooLong {
        /// How many bytes it has.
        length: usize,
    },
    /// Not of this version.
    #[error("a control message that {} does not have", super::request::SUBPROTOCOL)]
    Unknown,
    /// A number is missing, or there is too much.
    #[error("a malformed control message")]
    Malformed,
}

/// Tells what a service says from what the protocol says.
enum Sort<'a> {
    Data(Frame<'a>),
    Control(&'a str),
}

fn sort(frame: Frame<'_>) -> Result<Sort<'_>, NoMessage> {
    let Frame::Text(text) = frame else { return Ok(Sort::Data(frame)) };
    match text.strip_prefix(MARK) {
        None => Ok(Sort::Data(frame)),
        Some(doubled) if doubled.starts_with(MARK) => Ok(Sort::Data(Frame::Text(doubled))),
        Some(_) if text.len() > MAX_CONTROL_BYTES => Err(NoMessage::TooLong { length: text.len() }),
        Some(control) => Ok(Sort::Control(control)),
    }
}

fn encode_data(frame: Frame<'_>) -> Encoded<'_> {
    match frame {
        Frame::Text(text) if text.starts_with(MARK) => {
            Encoded::Text(format!("{MARK}{text}").into())
        }
        Frame::Text(text) => Encoded::Text(text.into()),
        Frame::Binary(bytes) => Encoded::Binary(bytes.into()),
    }
}

/// Reads numbers, which must be all that there is.
fn numbers<const N: usize>(words: &str) -> Result<[u64; N], NoMessage> {
    let mut words = words.split(' ');
    let mut numbers = [0; N];
    for place in &mut numbers {
        *place = words.next().and_then(number::read).ok_or(NoMessage::Malformed)?;
    }
    if words.next().is_some() { Err(NoMessage::Malformed) } else { Ok(numbers) }
}

impl<'a> Down<'a> {
    /// Reads one.
    ///
    /// # Errors
    /// When it is none.
    pub fn decode(frame: Frame<'a>) -> Result<Self, NoMessage> {
        let control = match sort(frame)? {
            Sort::Data(frame) => return Ok(Down::Data(frame)),
            Sort::Control(control) => control,
        };
        let (name, rest) = control.split_once(' ').unwrap_or((control, ""));
        Ok(match name {
            "welcome" => {
                let [epoch, incarnation, heard, from, ack_bytes, largest, grace_ms] =
                    numbers(rest)?;
                let life = Life { epoch, incarnation };
                Down::Welcome(Welcome { life, heard, from, ack_bytes, largest, grace_ms })
            }
            "ack" => numbers(rest).map(|[heard]| Down::Ack { heard })?,
            "anew" => numbers(rest).map(|[epoch]| Down::Anew { epoch })?,
            "skipped" => {
                let (number, reason) = rest.split_once(' ').ok_or(NoMessage::Malformed)?;
                let [number] = numbers(number)?;
                if reason.len() > MAX_REASON_BYTES {
                    return Err(NoMessage::Malformed);
                }
                Down::Skipped { number, reason }
            }
            _ => return Err(NoMessage::Unknown),
        })
    }

    /// Writes it. A reason that is too long loses its end.
    #[must_use]
    pub fn encode(&self) -> Encoded<'a> {
        Encoded::Text(Cow::Owned(match self {
            Down::Data(frame) => return encode_data(*frame),
            Down::Welcome(Welcome { life, heard, from, ack_bytes, largest, grace_ms }) => {
                format!("{MARK}welcome {life} {heard} {from} {ack_bytes} {largest} {grace_ms}")
            }
            Down::Ack { heard } => format!("{MARK}ack {heard}"),
            Down::Anew { epoch } => format!("{MARK}anew {epoch}"),
            Down::Skipped { number, reason } => {
                let end = reason.floor_char_boundary(MAX_REASON_BYTES);
                format!("{MARK}skipped {number} {}", reason.get(..end).unwrap_or_default())
            }
        }))
    }

    /// Whether it counts: whether it stands in the stream of the room.
    #[must_use]
    pub fn counts(&self) -> bool {
        match self {
            Down::Data(_) | Down::Skipped { .. } | Down::Anew { .. } => true,
            Down::Welcome(_) | Down::Ack { .. } => false,
        }
    }
}

impl<'a> Up<'a> {
    /// Reads one.
    ///
    /// # Errors
    /// When it is none.
    pub fn decode(frame: Frame<'a>) -> Result<Self, NoMessage> {
        let control = match sort(frame)? {
            Sort::Data(frame) => return Ok(Up::Data(frame)),
            Sort::Control(control) => control,
        };
        let (name, rest) = control.split_once(' ').unwrap_or((control, ""));
        match name {
            "ack" => numbers(rest).map(|[have]| Up::Ack { have }),
            "probe" | "flush" if name != control => Err(NoMessage::Malformed),
            "probe" => Ok(Up::Probe),
            "flush" => Ok(Up::Flush),
            _ => Err(NoMessage::Unknown),
        }
    }

    /// Writes it.
    #[must_use]
    pub fn encode(&self) -> Encoded<'a> {
        match self {
            Up::Data(frame) => encode_data(*frame),
            Up::Ack { have } => Encoded::Text(format!("{MARK}ack {have}").into()),
            Up::Probe => Encoded::Text("\0probe".into()),
            Up::Flush => Encoded::Text("\0flush".into()),
        }
    }
}
