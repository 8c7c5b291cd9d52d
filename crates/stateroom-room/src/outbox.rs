//! Where a service's answers wait until the driver takes them.

use crate::{CloseReason, Command, MessageKind, Recipients};
use stateroom::{ClientId, MessageRecipient, StateroomContext};
use std::{
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The commands of the events since the last drain, with all payloads in one buffer that is kept
/// for the next ones.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    entries: Vec<Entry>,
    payloads: Vec<u8>,
    timer_request: Option<u32>,
}

#[derive(Debug, Clone)]
enum Entry {
    Open(ClientId),
    Send { recipient: MessageRecipient, kind: MessageKind, payload: Range<usize> },
    Close(ClientId, CloseReason),
}

/// A point in an outbox that it can be taken back to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    entries: usize,
    payloads: usize,
}

/// Past this, in bytes, a drained outbox gives its buffer back instead of keeping it.
const KEPT_CAPACITY: usize = 64 * 1024;

impl Outbox {
    pub(crate) fn open(&mut self, client: ClientId) {
        self.entries.push(Entry::Open(client));
    }

    pub(crate) fn close(&mut self, client: ClientId, reason: CloseReason) {
        self.entries.push(Entry::Close(client, reason));
    }

    fn send(&mut self, recipient: MessageRecipient, kind: MessageKind, bytes: &[u8]) {
        let start = self.payloads.len();
        self.payloads.extend_from_slice(bytes);
        let payload = start..self.payloads.len();
        self.entries.push(Entry::Send { recipient, kind, payload });
    }

    pub(crate) fn payload_bytes(&self) -> usize {
        self.payloads.len()
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark { entries: self.entries.len(), payloads: self.payloads.len() }
    }

    /// Forgets what came after `mark`.
    pub(crate) fn take_back(&mut self, mark: Mark) {
        self.entries.truncate(mark.entries);
        self.payloads.truncate(mark.payloads);
        self.timer_request = None;
    }

    pub(crate) fn take_timer_request(&mut self) -> Option<u32> {
        self.timer_request.take()
    }

    pub(crate) fn drain(&mut self, mut carry_out: impl FnMut(Command<'_>)) {
        for entry in self.entries.drain(..) {
            carry_out(match entry {
                Entry::Open(client) => Command::Open { client },
                Entry::Close(client, reason) => Command::Close { client, reason },
                Entry::Send { recipient, kind, payload } => Command::Send {
                    to: match recipient {
                        MessageRecipient::Broadcast => Recipients::All,
                        MessageRecipient::Client(client) => Recipients::One(client),
                        MessageRecipient::EveryoneExcept(client) => Recipients::AllExcept(client),
                    },
                    kind,
                    bytes: self.payloads.get(payload).unwrap_or_default(),
                },
            });
        }
        self.payloads.clear();
        self.payloads.shrink_to(KEPT_CAPACITY);
    }

    /// Gives back what is kept for the next commands.
    pub(crate) fn shrink(&mut self) {
        self.entries.shrink_to_fit();
        self.payloads.shrink_to_fit();
    }
}

/// The context that a room gives to its service: it only ever writes to the room's outbox.
///
/// The lock is never contended (a room runs one event at a time); it is there so that a room can
/// move between threads.
#[derive(Debug, Clone, Default)]
pub struct RoomContext(Arc<Mutex<Outbox>>);

impl RoomContext {
    pub(crate) fn outbox(&self) -> MutexGuard<'_, Outbox> {
        // An outbox is whole at every point, so one whose holder panicked is still good.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateroomContext for RoomContext {
    fn send_message(&self, recipient: impl Into<MessageRecipient>, message: &str) {
        self.outbox().send(recipient.into(), MessageKind::Text, message.as_bytes());
    }

    fn send_binary(&self, recipient: impl Into<MessageRecipient>, message: &[u8]) {
        self.outbox().send(recipient.into(), MessageKind::Binary, message);
    }

    fn set_timer(&self, ms_delay: u32) {
        self.outbox().timer_request = Some(ms_delay);
    }
}
