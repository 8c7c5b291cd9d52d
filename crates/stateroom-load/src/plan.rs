//! What a run is to do.

use crate::{
    LoadError, Script, Target,
    stamp::{MAX_CLIENTS, STAMP_BYTES},
};
use serde::{Serialize, Serializer};
use std::time::Duration;

/// What a run is to do. It is made with [`Plan::new`], and changed field by field.
#[derive(Debug, Clone, Serialize)]
pub struct Plan {
    /// Where the rooms are.
    #[serde(serialize_with = "as_text")]
    pub target: Target,
    /// How many rooms. Default: 1.
    pub rooms: u32,
    /// How many clients each room has. Default: 1.
    pub clients: u32,
    /// How many of them send. Default: all.
    pub senders: Option<u32>,
    /// What answers a message. Default: an echo.
    pub expect: Expect,
    /// When messages are sent. Default: when the one before has been answered.
    pub pace: Pace,
    /// How long each message is. Default: 100.
    pub bytes: usize,
    /// Whether messages are binary rather than text. Default: no.
    pub binary: bool,
    /// How long to measure. Default: 10 s.
    #[serde(serialize_with = "as_seconds")]
    pub duration: Duration,
    /// How long to send before that. Default: 2 s.
    #[serde(serialize_with = "as_seconds")]
    pub warmup: Duration,
    /// How many connections to open in a second. Default: as many as the server takes.
    pub ramp: Option<f64>,
    /// From how many addresses, from 127.0.0.1 on, to connect. Default: 1.
    pub source_addresses: u8,
    /// What to send instead of bytes that mean nothing. Default: none.
    #[serde(serialize_with = "as_lines")]
    pub script: Option<Script>,
    /// What to do with the connections. Default: send messages.
    pub activity: Activity,
    /// How many threads to work with. Default: 1.
    pub threads: u32,
    /// How long to wait, after the last message was sent, for answers that do not come. Default:
    /// 3 s.
    #[serde(serialize_with = "as_seconds")]
    pub patience: Duration,
}

/// What answers each message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Expect {
    /// The message comes back to its sender, and to nobody else.
    Echo,
    /// The message comes to everyone in the room, its sender too.
    Broadcast,
    /// Nothing.
    None,
}

/// When messages are sent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Pace {
    /// So many a second, all senders together, whatever comes back. Latency counts from when a
    /// message was due.
    Rate(f64),
    /// Each sender keeps so many unanswered. Latency counts from when a message was sent.
    Window(u32),
}

/// What is done with the connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// Open them all, then send messages.
    Messages,
    /// Open so many, closing each once it is open.
    ConnectOnly {
        /// How many.
        connections: u32,
        /// When it counts as open.
        opened: OpenedWhen,
    },
    /// Open them all, and keep them open.
    Hold,
}

/// When a connection counts as open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OpenedWhen {
    /// When the handshake is done.
    Handshake,
    /// When the first message has come.
    Message,
    /// When the first message sent has come back.
    Echo,
}

impl Plan {
    /// A plan with all else at its default.
    #[must_use]
    pub fn new(target: Target) -> Self {
        Plan {
            target,
            rooms: 1,
            clients: 1,
            senders: None,
            expect: Expect::Echo,
            pace: Pace::Window(1),
            bytes: 100,
            binary: false,
            duration: Duration::from_secs(10),
            warmup: Duration::from_secs(2),
            ramp: None,
            source_addresses: 1,
            script: None,
            activity: Activity::Messages,
            threads: 1,
            patience: Duration::from_secs(3),
        }
    }

    /// How many connections are opened.
    #[must_use]
    pub fn connections(&self) -> u64 {
        match self.activity {
            Activity::ConnectOnly { connections, .. } => connections.into(),
            Activity::Messages | Activity::Hold => u64::from(self.rooms) * u64::from(self.clients),
        }
    }

    /// How many clients of each room send.
    #[must_use]
    pub fn senders_per_room(&self) -> u32 {
        match self.activity {
            Activity::Messages => self.senders.unwrap_or(self.clients),
            Activity::ConnectOnly { .. } | Activity::Hold => 0,
        }
    }

    /// Refuses what cannot be done.
    pub(crate) fn check(&self) -> Result<(), LoadError> {
        let refuse = |problem: String| Err(LoadError::Plan(problem));
        if self.rooms == 0 || self.clients == 0 || self.threads == 0 || self.connections() == 0 {
            return refuse("rooms, clients, threads and connections start at 1".to_owned());
        }
        if self.connections() > u64::from(MAX_CLIENTS) {
            return refuse(format!("at most {MAX_CLIENTS} connections can be told apart"));
        }
        if self.senders_per_room() > self.clients {
            return refuse("a room cannot have more senders than clients".to_owned());
        }
        let stamped = self.expect != Expect::None || self.activity != Activity::Messages;
        if self.script.is_none() && stamped && self.bytes < STAMP_BYTES {
            return refuse(format!("a message that is verified has at least {STAMP_BYTES} bytes"));
        }
        match self.pace {
            Pace::Window(0) => return refuse("a window starts at 1".to_owned()),
            Pace::Window(_) if self.expect == Expect::None => {
                return refuse("where nothing answers, a rate must be given".to_owned());
            }
            Pace::Rate(rate) if !(rate.is_finite() && rate > 0.0) => {
                return refuse("a rate is more than nothing".to_owned());
            }
            Pace::Window(_) | Pace::Rate(_) => {}
        }
        if self.ramp.is_some_and(|ramp| !(ramp.is_finite() && ramp > 0.0)) {
            return refuse("a ramp opens more than nothing a second".to_owned());
        }
        if self.source_addresses == 0 || self.source_addresses == u8::MAX {
            return refuse("source addresses are 127.0.0.1 to at most 127.0.0.254".to_owned());
        }
        Ok(())
    }
}

fn as_text<S: Serializer>(target: &Target, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(target)
}

fn as_seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

fn as_lines<S: Serializer>(script: &Option<Script>, serializer: S) -> Result<S::Ok, S::Error> {
    script.as_ref().map(Script::lines).serialize(serializer)
}
