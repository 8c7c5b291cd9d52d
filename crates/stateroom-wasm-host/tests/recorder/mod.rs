//! A context for the tests' rooms, which notes what they ask for.

use stateroom::{ClientId, MessageRecipient, StateroomContext};
use std::sync::{Arc, Mutex};

/// What a room asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    Text(MessageRecipient, String),
    Binary(MessageRecipient, Vec<u8>),
    Timer(u32),
    Closed(ClientId, u16, String),
}

/// A context that notes what is asked of it.
#[derive(Clone, Default)]
pub(crate) struct Recorder(Arc<Mutex<Vec<Asked>>>);

impl StateroomContext for Recorder {
    fn send_message(&self, recipient: impl Into<MessageRecipient>, message: &str) {
        self.note(Asked::Text(recipient.into(), message.into()));
    }

    fn send_binary(&self, recipient: impl Into<MessageRecipient>, message: &[u8]) {
        self.note(Asked::Binary(recipient.into(), message.into()));
    }

    fn set_timer(&self, ms_delay: u32) {
        self.note(Asked::Timer(ms_delay));
    }

    fn close(&self, client: ClientId, code: u16, reason: &str) {
        self.note(Asked::Closed(client, code, reason.into()));
    }

    /// These two are there.
    fn clients(&self) -> Vec<ClientId> {
        vec![ClientId(3), ClientId(70_000)]
    }

    fn user(&self, client: ClientId) -> Option<String> {
        (client == ClientId(3)).then(|| "ada".to_owned())
    }
}

impl Recorder {
    /// What was asked for since the last call.
    pub(crate) fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    pub(crate) fn note(&self, asked: Asked) {
        self.0.lock().unwrap().push(asked);
    }
}
