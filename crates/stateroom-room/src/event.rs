//! What a room hears.

use crate::session::KeyHash;
use serde::{Deserialize, Serialize};
use stateroom::{ClientId, LeaveReason, MemoryLimits};
use std::fmt;

/// Something that happened to a room. Payloads are borrowed: hearing an event copies nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event<'a> {
    /// Somebody asks to join. The room answers with [`Command::Open`](crate::Command::Open), which
    /// tells the id.
    Connect {
        /// A secret of the client's own choosing: whoever brings it again later gets the same id.
        #[serde(borrow)]
        token: Option<&'a str>,
    },
    /// A client sent a text message.
    Text {
        /// Who sent it.
        client: ClientId,
        /// What was sent.
        text: &'a str,
    },
    /// A client sent a binary message.
    Binary {
        /// Who sent it.
        client: ClientId,
        /// What was sent.
        #[serde(with = "serde_bytes")]
        bytes: &'a [u8],
    },
    /// A client's connection has ended, and nobody knows why: as [`Leave`](Event::Leave) with
    /// [`LeaveReason::Lost`].
    Disconnect {
        /// Whose.
        client: ClientId,
    },
    /// The room's deadline may have passed.
    Timer,
    /// A client is a member no more, and the service does not hear of it: its
    /// [`Disconnect`](Event::Disconnect) failed, and was set aside.
    Forget {
        /// Which client.
        client: ClientId,
    },
    /// The service may use this much from now on. It hears of nothing but what it is refused.
    Limits {
        /// How much.
        limits: MemoryLimits,
    },
    /// Somebody asks to join, with a [session](crate::session) that the room does not know yet. Else as
    /// [`Connect`](Event::Connect).
    Join {
        /// As in [`Connect`](Event::Connect).
        #[serde(borrow)]
        token: Option<&'a str>,
        /// By which key the session is known.
        key: KeyHash,
    },
    /// A message of a client with a session was set aside, since the room failed at it. The service does not hear
    /// of it; the client does.
    Skip {
        /// Whose message.
        client: ClientId,
        /// Why, for the client.
        reason: &'a str,
    },
    /// The room goes on from here under another incarnation, since it was brought back: what was told before and
    /// follows from no event that it knows is not so. See [`Life`](crate::session::Life). The service does not hear of it.
    Incarnate {
        /// Its number, which no other incarnation has: 1 to [`MAX_NUMBER`](crate::session::MAX_NUMBER).
        number: u64,
    },
    /// Somebody asks something by HTTP. The room answers with [`Command::Answer`](crate::Command::Answer), once, also if
    /// it has answered the same request with the same `Idempotency-Key` before, of which the service does not hear then.
    Request {
        /// Whoever drives the room knows the answer by this.
        number: u64,
        /// A [`Request`](stateroom::Request), encoded.
        #[serde(with = "serde_bytes")]
        request: &'a [u8],
    },
    /// What the token says of whoever is known by `token` and connects next, or is there: for the service to ask, which
    /// does not hear of it.
    Claims {
        /// As in [`Connect`](Event::Connect).
        token: &'a str,
        /// A JSON object, or nothing.
        claims: &'a str,
    },
    /// What the settings of the service say from now on. It does not hear of it.
    Configure {
        /// A JSON object, or nothing.
        config: &'a str,
    },
    /// A client has left.
    Leave {
        /// Which client.
        client: ClientId,
        /// Why.
        reason: LeaveReason,
    },
}

/// What an event is, in words, without what was said in it.
pub fn describe(event: Event<'_>) -> impl fmt::Display {
    fmt::from_fn(move |f| match event {
        Event::Connect { token: None } => f.write_str("a client's connect"),
        Event::Connect { token: Some(_) } => f.write_str("a client's connect with a token"),
        Event::Text { client, text } => {
            write!(f, "a message of {} bytes from client {client}", text.len())
        }
        Event::Binary { client, bytes } => {
            write!(f, "a binary message of {} bytes from client {client}", bytes.len())
        }
        Event::Disconnect { client } | Event::Leave { client, .. } => {
            write!(f, "the disconnect of client {client}")
        }
        Event::Timer => f.write_str("the timer"),
        Event::Forget { client } => write!(f, "the removal of client {client}"),
        Event::Join { token: None, .. } => f.write_str("a client's connect with a session"),
        Event::Join { token: Some(_), .. } => {
            f.write_str("a client's connect with a session and a token")
        }
        Event::Skip { client, .. } => {
            write!(f, "that a message of client {client} was set aside")
        }
        Event::Incarnate { .. } => f.write_str("that the room was brought back"),
        Event::Configure { .. } => f.write_str("what the settings of the service say"),
        Event::Claims { .. } => f.write_str("what a client's token says"),
        Event::Request { request, .. } => {
            write!(f, "an HTTP request of {} bytes", request.len())
        }
        Event::Limits { limits } => write!(
            f,
            "the change of its limits to {} bytes of memory and {} elements of table",
            limits.memory_bytes, limits.table_elements
        ),
    })
}
