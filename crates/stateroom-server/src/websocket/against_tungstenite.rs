//! The decoder and tungstenite read the same random streams, and must come to the same.
//!
//! Each stream has a seed of its own, which a failure names. The test tries the same few thousand
//! each time; to look for trouble, have it try others, of which it reads some 25,000 a second:
//!
//! `STATEROOM_SEED=$RANDOM$RANDOM$RANDOM STATEROOM_STREAMS=20000000 \
//!     cargo test --release -p stateroom-server against_tungstenite`
//!
//! and to see one again, `STATEROOM_SEED=<its seed> STATEROOM_STREAMS=1`.
//!
//! They differ where the protocol leaves it open, and that is allowed for below:
//! - Ours refuses a frame as soon as its header shows what is wrong; tungstenite waits for the
//!   payload, and for ever if the stream ends before.
//! - Of a frame that is wrong in two ways, they may tell different ones.
//! - What tungstenite makes of a close code that must not be sent is a close frame with 1002 of its
//!   own, not an error. It takes 1014 for such a code, too, which has been given out since and is
//!   not tried here.

use super::{Appetite, Decoder, Incoming};
use fastrand::Rng;
use std::{
    collections::VecDeque,
    io::{self, Read, Write},
};
use tungstenite::{
    Error, Message,
    protocol::{Role, WebSocket, WebSocketConfig, frame::coding::CloseCode},
};

const STREAMS: u64 = 6_000;
const SEED: u64 = 0x5EED;

/// The largest message; some are just above it.
const LIMIT: usize = 70_000;

/// What a reader has made of a stream.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    messages: Vec<Heard>,
    end: End,
}

#[derive(Debug, PartialEq, Eq)]
enum Heard {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    Close(Option<u16>),
}

/// How it ended: whether there could be more, or with which code it is to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Waits,
    Refuses(u16),
}

#[test]
fn random_streams_are_read_as_tungstenite_reads_them() {
    let (first, streams) = (given("STATEROOM_SEED", SEED), given("STATEROOM_STREAMS", STREAMS));
    let (mut refused, mut differently, mut closed, mut longest) = (0_u64, 0_u64, 0_u64, 0);
    for number in 0..streams {
        let seed = first.wrapping_add(number);
        let mut random = Rng::with_seed(seed);
        let (stream, cut) = stream(&mut random);
        let chunks = chunks(&mut random, &stream);
        let ours = ours(&mut random, &chunks);
        let theirs = theirs(chunks);
        let same_end = match (ours.end, theirs.end) {
            (End::Refuses(our_code), End::Refuses(their_code)) => {
                differently += u64::from(our_code != their_code);
                true
            }
            (End::Refuses(_), End::Waits) => cut,
            (our_end, their_end) => our_end == their_end,
        };
        let same = same_end && ours.messages == theirs.messages;
        assert!(same, "the stream of seed {seed}: {}", difference(&ours, &theirs));
        refused += u64::from(matches!(ours.end, End::Refuses(_)));
        closed += u64::from(matches!(ours.messages.last(), Some(Heard::Close(_))));
        longest = longest.max(ours.messages.len());
    }
    if streams < STREAMS {
        return;
    }
    // Else this tries less than it seems to.
    assert!((streams / 4..streams * 3 / 4).contains(&refused), "{refused} were refused");
    assert!(differently < refused / 20, "{differently} were refused with different codes");
    assert!(closed > streams / 20, "{closed} were closed");
    assert!(longest >= 10, "{longest} messages at most");
}

/// What the environment says of `name`, else `default`.
fn given(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(value) => value.parse().unwrap_or_else(|error| panic!("{name}={value}: {error}")),
        Err(_) => default,
    }
}

fn difference(ours: &Outcome, theirs: &Outcome) -> String {
    let same = ours.messages.iter().zip(&theirs.messages).take_while(|(a, b)| a == b).count();
    let short = |read: &Outcome| {
        let next = read.messages.get(same);
        let next: String = format!("{next:?}").chars().take(100).collect();
        format!("{} messages, {:?}, {next}", read.messages.len(), read.end)
    };
    format!("after {same} messages: ours {}; theirs {}", short(ours), short(theirs))
}

/// Frames one after the other, mostly right, and whether the last is cut off.
fn stream(random: &mut Rng) -> (Vec<u8>, bool) {
    let mut stream = Vec::new();
    let mut open = None;
    let is_flawless = random.bool();
    for _ in 0..random.usize(1..16) {
        frame(random, &mut stream, &mut open, is_flawless);
    }
    let cut = random.u8(..4) == 0;
    if cut {
        stream.truncate(random.usize(..=stream.len()));
    }
    (stream, cut)
}

/// A frame that fits the message that is `open` (text or not), unless it is to be flawed.
fn frame(random: &mut Rng, stream: &mut Vec<u8>, open: &mut Option<Text>, is_flawless: bool) {
    let flaw = if is_flawless { 0 } else { random.u8(..25) };
    let control = random.u8(..4) == 0;
    let mut is_final = control || random.bool();
    let (mut opcode, payload) = match open {
        _ if control => match random.u8(..12) {
            0 => (0x8, close(random, is_flawless)),
            1..6 => (0xA, bytes(random, 125)),
            _ => (0x9, bytes(random, 125)),
        },
        Some(text) => (0x0, text.next(random, is_final)),
        None => {
            let is_text = random.bool();
            let mut text = Text { is_text, left: Vec::new() };
            let payload = text.next(random, is_final);
            *open = Some(text);
            (if is_text { 0x1 } else { 0x2 }, payload)
        }
    };
    if !control && is_final {
        *open = None;
    }
    let mut reserved = 0;
    let mut masked = 0x80;
    let mut payload = payload;
    match flaw {
        1 => opcode = random.u8(..16),
        2 => is_final = !is_final,
        3 => reserved = 0x10 << random.u8(..3),
        4 => masked = 0,
        5 => payload.resize(random.usize(126..200), b'x'),
        6 if random.u8(..4) == 0 => payload.resize(LIMIT - 1 + random.usize(..3), b'x'),
        7 if !payload.is_empty() => {
            let place = random.usize(..payload.len());
            payload[place] = random.u8(..);
        }
        _ => {}
    }
    stream.push(if is_final { 0x80 } else { 0 } | reserved | opcode);
    match payload.len() {
        length @ 0..126 => stream.push(masked | length as u8),
        length @ 126..0x1_0000 => {
            stream.push(masked | 126);
            stream.extend((length as u16).to_be_bytes());
        }
        length => {
            stream.push(masked | 127);
            stream.extend((length as u64).to_be_bytes());
        }
    }
    if masked == 0 {
        stream.extend(payload);
        return;
    }
    let mask: [u8; 4] = random.u32(..).to_ne_bytes();
    stream.extend(mask);
    stream.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}

/// A data message in the making. A text may be cut within a character.
struct Text {
    is_text: bool,
    left: Vec<u8>,
}

impl Text {
    fn next(&mut self, random: &mut Rng, is_last: bool) -> Vec<u8> {
        let length = length(random);
        let mut payload = std::mem::take(&mut self.left);
        if !self.is_text {
            payload.resize_with(length, || random.u8(..));
            return payload;
        }
        while payload.len() < length {
            // A long text of one character is as good as any, and quick to make.
            let character = if random.u8(..8) == 0 { random.char(..) } else { 'x' };
            let run = 1 + (length - payload.len()) / random.usize(1..50);
            let mut bytes = [0; 4];
            payload.extend(character.encode_utf8(&mut bytes).as_bytes().repeat(run));
        }
        if !is_last {
            self.left = payload.split_off(payload.len().min(length));
        }
        payload
    }
}

/// Mostly short; the lengths where the header changes; rarely long.
fn length(random: &mut Rng) -> usize {
    match random.u8(..100) {
        0 => [65_535, 65_536][random.usize(..2)],
        1..5 => random.usize(..5_000),
        5..20 => [0, 1, 125, 126, 127][random.usize(..5)],
        _ => random.usize(..40),
    }
}

fn bytes(random: &mut Rng, most: usize) -> Vec<u8> {
    let length = if random.u8(..8) == 0 { most } else { random.usize(..20) };
    (0..length).map(|_| random.u8(..)).collect()
}

/// The payload of a close frame; unless it is to be flawless, its code or its reason may be wrong,
/// but not both, for then either may be what is complained of.
fn close(random: &mut Rng, is_flawless: bool) -> Vec<u8> {
    let allowed = [1000, 1001, 1003, 1007, 1011, 1013, 3000, 4999][random.usize(..8)];
    let mut reason = "é".repeat(random.usize(..62)).into_bytes();
    let code = match random.u8(..6) {
        0 => return Vec::new(),
        1 if !is_flawless => return vec![random.u8(..)],
        2 if !is_flawless => [999, 1004, 1005, 1006, 1015, 1016, 2999, 5000][random.usize(..8)],
        3 if !is_flawless => random.u16(..),
        4 if !is_flawless => {
            reason = bytes(random, 123);
            allowed
        }
        _ => allowed,
    };
    [&u16::to_be_bytes(code)[..], &reason].concat()
}

/// Cuts a stream as a network might.
fn chunks(random: &mut Rng, stream: &[u8]) -> Vec<Vec<u8>> {
    let most =
        [1 + stream.len() / 500, 20, 1_000, 65_536][random.usize(..4)].max(stream.len() / 500);
    let mut chunks = Vec::new();
    let mut rest = stream;
    while !rest.is_empty() {
        let (chunk, left) = rest.split_at(random.usize(1..=most).min(rest.len()));
        chunks.push(chunk.to_vec());
        rest = left;
    }
    chunks
}

fn ours(random: &mut Rng, chunks: &[Vec<u8>]) -> Outcome {
    let mut decoder = Decoder::default();
    let mut messages = Vec::new();
    for chunk in chunks {
        let mut chunk = chunk.clone();
        loop {
            let result = decoder.decode(&mut chunk, LIMIT, |incoming| {
                messages.push(match incoming {
                    Incoming::Text(text) => Heard::Text(text.to_owned()),
                    Incoming::Binary(bytes) => Heard::Binary(bytes.to_vec()),
                    Incoming::Ping(payload) => Heard::Ping(payload.to_vec()),
                    Incoming::Pong => Heard::Pong,
                    Incoming::Close(super::CloseCode::NONE) => Heard::Close(None),
                    Incoming::Close(code) => Heard::Close(Some(code.number())),
                });
                if random.u8(..4) == 0 { Appetite::Break(()) } else { Appetite::Continue(()) }
            });
            if let Err(error) = result {
                return Outcome { messages, end: End::Refuses(error.close_code().number()) };
            }
            if !decoder.is_paused() {
                break;
            }
            chunk.clear();
        }
    }
    Outcome { messages, end: End::Waits }
}

/// A socket that has these chunks to read, and takes whatever is written.
struct Socket(VecDeque<Vec<u8>>);

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(chunk) = self.0.front_mut() else { return Err(io::ErrorKind::WouldBlock.into()) };
        let length = chunk.len().min(buffer.len());
        buffer[..length].copy_from_slice(&chunk[..length]);
        chunk.drain(..length);
        if chunk.is_empty() {
            self.0.pop_front();
        }
        Ok(length)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn theirs(chunks: Vec<Vec<u8>>) -> Outcome {
    let config = WebSocketConfig::default()
        .read_buffer_size(4_096)
        .max_frame_size(Some(LIMIT))
        .max_message_size(Some(LIMIT));
    let socket = Socket(chunks.into());
    let mut reader = WebSocket::from_raw_socket(socket, Role::Server, Some(config));
    let mut messages = Vec::new();
    let end = loop {
        messages.push(match reader.read() {
            Ok(Message::Text(text)) => Heard::Text(text.to_string()),
            Ok(Message::Binary(bytes)) => Heard::Binary(bytes.to_vec()),
            Ok(Message::Ping(payload)) => Heard::Ping(payload.to_vec()),
            Ok(Message::Pong(_)) => Heard::Pong,
            Ok(Message::Close(Some(frame)))
                if frame.code == CloseCode::Protocol && frame.reason == "Protocol violation" =>
            {
                break End::Refuses(1002);
            }
            Ok(Message::Close(frame)) => Heard::Close(frame.map(|frame| frame.code.into())),
            Ok(Message::Frame(_)) => unreachable!("it is never read"),
            Err(Error::Io(_) | Error::ConnectionClosed) => break End::Waits,
            Err(Error::Utf8(_)) => break End::Refuses(1007),
            Err(Error::Capacity(_)) => break End::Refuses(1009),
            Err(Error::Protocol(_)) => break End::Refuses(1002),
            Err(other) => panic!("{other}"),
        });
    };
    Outcome { messages, end }
}
