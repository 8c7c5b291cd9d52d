//! Where a service's answers wait until the driver takes them.

use crate::{
    command::{CloseReason, Command, MessageKind, Recipients},
    members::Members,
    presence::Presence,
    told::Told,
};
use stateroom::{
    ClientId, MAX_CLOSE_REASON_BYTES, MessageRecipient, StateroomContext, check_close_code,
};
use std::{
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// What numbers are mixed with: 2^64 divided by the golden ratio, whose bits have no pattern.
const ODD: u64 = 0x9E37_79B9_7F4A_7C15;

/// The commands of the events since the last drain, with all payloads in one buffer that is kept
/// for the next ones.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    entries: Vec<Entry>,
    payloads: Vec<u8>,
    timer_request: Option<u32>,
    /// Who is there, for the service to ask.
    pub(crate) presence: Presence,
}

#[derive(Debug, Clone)]
enum Entry {
    Open(ClientId),
    Send { recipient: MessageRecipient, kind: MessageKind, payload: Range<usize> },
    Replace(ClientId),
    Close { client: ClientId, code: u16, reason: Range<usize> },
    Answer { number: u64, response: Range<usize> },
}

impl Entry {
    /// The command, whose payload is among `payloads`.
    fn command<'a>(&self, payloads: &'a [u8]) -> Command<'a> {
        match self {
            Entry::Open(client) => Command::Open { client: *client },
            Entry::Replace(client) => {
                Command::Close { client: *client, reason: CloseReason::Replaced }
            }
            Entry::Close { client, code, reason } => {
                let reason = payloads.get(reason.clone()).unwrap_or_default();
                let reason = str::from_utf8(reason).unwrap_or_default();
                let reason = CloseReason::Service { code: *code, reason };
                Command::Close { client: *client, reason }
            }
            Entry::Answer { number, response } => Command::Answer {
                number: *number,
                response: payloads.get(response.clone()).unwrap_or_default(),
            },
            Entry::Send { recipient, kind, payload } => Command::Send {
                to: match recipient {
                    MessageRecipient::Broadcast => Recipients::All,
                    MessageRecipient::Client(client) => Recipients::One(*client),
                    MessageRecipient::EveryoneExcept(client) => Recipients::AllExcept(*client),
                },
                kind: *kind,
                bytes: payloads.get(payload.clone()).unwrap_or_default(),
            },
        }
    }

    /// All that it is but its payload.
    fn to_numbers(&self) -> [u64; 2] {
        let (kind, client, length) = match self {
            Entry::Open(client) => (0, client.0, 0),
            Entry::Replace(client) => (1, client.0, 0),
            Entry::Close { client, code, reason } => {
                (5, client.0, usize::from(*code) << 16 | reason.len())
            }
            // Its number is of the event.
            Entry::Answer { response, .. } => (6, 0, response.len()),
            Entry::Send { recipient, kind, payload } => {
                let (to, client) = match recipient {
                    MessageRecipient::Broadcast => (2, 0),
                    MessageRecipient::Client(client) => (3, client.0),
                    MessageRecipient::EveryoneExcept(client) => (4, client.0),
                };
                (if *kind == MessageKind::Text { to } else { to | 0x80 }, client, payload.len())
            }
        };
        [kind << 32 | u64::from(client), length as u64]
    }
}

/// A point in an outbox that it can be taken back to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    entries: usize,
    payloads: usize,
}

impl Mark {
    /// The same point once what came before `gone` is.
    pub(crate) fn without(self, gone: Mark) -> Mark {
        Mark {
            entries: self.entries.saturating_sub(gone.entries),
            payloads: self.payloads.saturating_sub(gone.payloads),
        }
    }
}

/// Past this, in bytes, a drained outbox gives its buffer back instead of keeping it.
const KEPT_CAPACITY: usize = 64 * 1024;

impl Outbox {
    pub(crate) fn open(&mut self, client: ClientId) {
        self.entries.push(Entry::Open(client));
    }

    pub(crate) fn replace(&mut self, client: ClientId) {
        self.entries.push(Entry::Replace(client));
    }

    fn close(&mut self, client: ClientId, code: u16, reason: &str) {
        check_close_code(code);
        if self.presence.closes(client) {
            let start = self.payloads.len();
            let end = reason.floor_char_boundary(MAX_CLOSE_REASON_BYTES);
            self.payloads.extend_from_slice(reason.get(..end).unwrap_or_default().as_bytes());
            let reason = start..self.payloads.len();
            self.entries.push(Entry::Close { client, code, reason });
        }
    }

    pub(crate) fn answer(&mut self, number: u64, response: &[u8]) {
        let start = self.payloads.len();
        self.payloads.extend_from_slice(response);
        self.entries.push(Entry::Answer { number, response: start..self.payloads.len() });
    }

    fn send(&mut self, recipient: MessageRecipient, kind: MessageKind, bytes: &[u8]) {
        let start = self.payloads.len();
        self.payloads.extend_from_slice(bytes);
        let payload = start..self.payloads.len();
        self.entries.push(Entry::Send { recipient, kind, payload });
    }

    fn mark(&self) -> Mark {
        Mark { entries: self.entries.len(), payloads: self.payloads.len() }
    }

    /// Forgets what came after `mark`.
    fn take_back(&mut self, mark: Mark) {
        self.entries.truncate(mark.entries);
        self.payloads.truncate(mark.payloads);
        self.timer_request = None;
        self.presence.keep_all();
    }

    pub(crate) fn forget_timer_request(&mut self) {
        self.timer_request = None;
    }

    pub(crate) fn take_timer_request(&mut self) -> Option<u32> {
        self.timer_request.take()
    }

    /// A client that the service has closed, and has yet to be told of.
    pub(crate) fn next_closed(&mut self) -> Option<ClientId> {
        self.presence.next_closed()
    }

    /// Tells what has come since `mark` from anything else that could have: the XXH3 of the payloads,
    /// whose seed is made of all else. It is made for each event, so it had better be quick; nobody has
    /// anything to win by having two things look the same.
    fn digest_since(&self, mark: Mark) -> u64 {
        let payloads = self.payloads.get(mark.payloads..).unwrap_or_default();
        let entries = self.entries.get(mark.entries..).unwrap_or_default();
        let mix = |seed: u64, number: u64| (seed ^ number).wrapping_mul(ODD).rotate_left(29);
        let seed = entries.iter().flat_map(Entry::to_numbers).fold(0, mix);
        xxh3_64_with_seed(payloads, seed)
    }

    /// Shows what has come since `mark`, and keeps it.
    fn show_since(&self, mark: Mark, mut show: impl FnMut(Command<'_>)) {
        for entry in self.entries.get(mark.entries..).unwrap_or_default() {
            show(entry.command(&self.payloads));
        }
    }

    /// Gives out all that is there, and forgets it.
    pub(crate) fn drain(&mut self, carry_out: impl FnMut(Command<'_>)) {
        self.drain_to(self.mark(), carry_out);
    }

    /// Gives out what came before `mark`, and forgets it.
    pub(crate) fn drain_to(&mut self, mark: Mark, mut carry_out: impl FnMut(Command<'_>)) {
        for entry in self.entries.drain(..mark.entries.min(self.entries.len())) {
            carry_out(entry.command(&self.payloads));
        }
        if mark.payloads >= self.payloads.len() {
            self.payloads.clear();
            if self.payloads.capacity() > KEPT_CAPACITY {
                // Were it shrunk, what is left of it in each room would keep the allocator from giving the
                // rest back to the system.
                self.payloads = Vec::new();
            }
        } else {
            self.payloads.drain(..mark.payloads);
            self.payloads.shrink_to(KEPT_CAPACITY);
            for entry in &mut self.entries {
                if let Entry::Send { payload, .. }
                | Entry::Close { reason: payload, .. }
                | Entry::Answer { response: payload, .. } = entry
                {
                    *payload = payload.start - mark.payloads..payload.end - mark.payloads;
                }
            }
        }
    }

    /// Gives back what is kept for the next commands.
    pub(crate) fn shrink(&mut self) {
        self.entries.shrink_to_fit();
        self.payloads.shrink_to_fit();
        self.presence.shrink();
    }
}

/// A room's own end of its outbox. A service writes to it in the middle of an event alone, so between two
/// events the room knows what is in there without the lock, which a message would else meet five times.
#[derive(Debug, Default)]
pub(crate) struct RoomOutbox {
    context: RoomContext,
    /// What there was when the room last looked.
    end: Mark,
}

impl RoomOutbox {
    pub(crate) fn new(context: RoomContext) -> Self {
        let mut outbox = RoomOutbox { context, end: Mark::default() };
        outbox.look();
        outbox
    }

    /// The service's end.
    pub(crate) fn context(&self) -> RoomContext {
        self.context.clone()
    }

    /// Does something with what is there, and looks at what is there then.
    pub(crate) fn with<T>(&mut self, act: impl FnOnce(&mut Outbox) -> T) -> T {
        let mut outbox = self.context.outbox();
        let done = act(&mut outbox);
        self.end = outbox.mark();
        done
    }

    /// Looks at what is there: to be called when a service has run otherwise than to hear an event.
    pub(crate) fn look(&mut self) -> Mark {
        self.with(|outbox| outbox.mark())
    }

    /// As [`Presence::is_news`].
    pub(crate) fn is_news(&self, token: &str, client: Option<ClientId>, claims: &str) -> bool {
        self.context.outbox().presence.is_news(token, client, claims)
    }

    /// All that the service may ask for and that is known from nothing else.
    pub(crate) fn told(&self) -> Told {
        self.context.outbox().presence.told()
    }

    /// What the settings of the service say.
    pub(crate) fn config(&self) -> Option<Arc<str>> {
        self.context.outbox().presence.config.clone()
    }

    /// What there was when the room last looked.
    pub(crate) fn end(&self) -> Mark {
        self.end
    }

    /// How many bytes of payloads there were.
    pub(crate) fn payload_bytes(&self) -> usize {
        self.end.payloads
    }

    pub(crate) fn take_back(&mut self, mark: Mark) {
        self.with(|outbox| outbox.take_back(mark));
    }

    /// As [`Outbox::show_since`].
    pub(crate) fn show_since(&self, mark: Mark, show: impl FnMut(Command<'_>)) {
        self.context.outbox().show_since(mark, show);
    }

    /// As [`Outbox::digest_since`].
    pub(crate) fn digest_since(&self, mark: Mark) -> u64 {
        self.context.outbox().digest_since(mark)
    }
}

/// The context that a room gives to its service: it only ever writes to the room's outbox.
///
/// The lock is never contended (a room runs one event at a time); it is there so that a room can
/// move between threads.
#[derive(Debug, Clone, Default)]
pub struct RoomContext(Arc<Mutex<Outbox>>);

impl RoomContext {
    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        // An outbox is whole at every point, so one whose holder panicked is still good.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RoomContext {
    /// One of a service whose settings say this.
    pub(crate) fn with_config(config: Option<Arc<str>>) -> Self {
        let context = RoomContext::default();
        context.outbox().presence.config = config;
        context
    }

    /// Notes who is there, in a room that is brought back.
    pub(crate) fn tell_presence(&self, members: &Members, told: Told) {
        let mut outbox = self.outbox();
        for client in members.iter() {
            outbox.presence.joins(client, members.token(client), None);
        }
        outbox.presence.restore(told);
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

    fn close(&self, client: ClientId, code: u16, reason: &str) {
        self.outbox().close(client, code, reason);
    }

    fn clients(&self) -> Vec<ClientId> {
        self.outbox().presence.clients()
    }

    fn user(&self, client: ClientId) -> Option<String> {
        self.outbox().presence.user(client)
    }

    fn claim(&self, client: ClientId, name: &str) -> Option<String> {
        self.outbox().presence.claim(client, name)
    }

    fn config(&self, name: &str) -> Option<String> {
        self.outbox().presence.config(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drained_outbox_keeps_a_small_buffer_and_gives_a_large_one_back() {
        let mut outbox = Outbox::default();
        let mut kept_after = |bytes: usize| {
            outbox.send(MessageRecipient::Broadcast, MessageKind::Binary, &vec![0; bytes]);
            outbox.drain_to(outbox.mark(), |_| {});
            outbox.payloads.capacity()
        };
        assert!((1000..KEPT_CAPACITY).contains(&kept_after(1000)));
        assert_eq!(kept_after(1 << 20), 0);
    }
}
