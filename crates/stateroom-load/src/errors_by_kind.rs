//! What went wrong with connections, counted by what it was.

use crate::wire::{HandshakeError, ProtocolError};
use serde::Serialize;
use std::{collections::BTreeMap, io};

/// The most kinds that are told apart: a server may give each client a reason of its own.
const MAX_KINDS: usize = 64;
const OTHERS: &str = "others";

/// Why a connection ended, or never began.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ending {
    #[error("could not connect: {0}")]
    Connect(io::Error),
    #[error("the handshake took more than 30 s")]
    TooSlow,
    #[error("handshake: {0}")]
    Handshake(#[from] HandshakeError),
    #[error("greeting: {0}")]
    Greeting(String),
    #[error("protocol: {0}")]
    Protocol(#[from] ProtocolError),
    #[error("closed by the server: {code} {reason}")]
    Closed { code: u16, reason: String },
    #[error("ended by the server without a close frame")]
    EndOfStream,
    #[error("connection: {0}")]
    Io(io::Error),
}

/// How often each thing went wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct ErrorsByKind(pub(crate) BTreeMap<String, u64>);

impl ErrorsByKind {
    pub(crate) fn note(&mut self, ending: &Ending) {
        self.add(ending.to_string().trim_end(), 1);
    }

    pub(crate) fn merge(&mut self, other: &ErrorsByKind) {
        for (kind, count) in &other.0 {
            self.add(kind, *count);
        }
    }

    fn add(&mut self, kind: &str, count: u64) {
        let known = self.0.len() < MAX_KINDS || self.0.contains_key(kind);
        let kind = if known { kind } else { OTHERS };
        *self.0.entry(kind.to_owned()).or_default() += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_counted_and_bounded() {
        let mut errors = ErrorsByKind::default();
        for number in 0..1000 {
            errors.note(&Ending::Closed { code: 4000, reason: format!("client {number}") });
            errors.note(&Ending::EndOfStream);
        }
        assert!(errors.0.len() <= MAX_KINDS + 1);
        assert_eq!(errors.0["ended by the server without a close frame"], 1000);
        assert_eq!(errors.0.values().sum::<u64>(), 2000);
    }
}
