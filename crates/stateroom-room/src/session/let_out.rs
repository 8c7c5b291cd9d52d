//! How the host lets out what has become durable.

use super::{
    fault::{Fault, is_on},
    host::{Greeting, Item, SessionHost},
    message::Welcome,
    output::Output,
};
use crate::timestamp::Timestamp;
use stateroom::ClientId;
use std::cell::Cell;

/// About so many bytes are let out at once: thousands may come back together, each of whom has missed as much as is
/// kept.
const BYTES_AT_ONCE: usize = 1024 * 1024;

/// What an output takes besides the bytes that it says.
const OUTPUT_BYTES: usize = 32;

impl SessionHost {
    /// Gives out what may be once so many events of the room are durable, in order: all of it, unless it
    /// [has more](Self::has_more) than is to be carried out at once. The rest comes with the next call, and nothing else
    /// is to be heard before.
    pub fn drain(&mut self, durable: u64, now: Timestamp, mut carry_out: impl FnMut(Output<'_>)) {
        let bytes = Cell::new(0);
        let mut carry_out = |output: Output<'_>| {
            let said = match output {
                Output::Message { bytes, .. } | Output::Write { bytes, .. } => bytes.len(),
                Output::Welcome { .. } | Output::Ack { .. } | Output::Close { .. } => 0,
            };
            bytes.set(bytes.get() + OUTPUT_BYTES + said);
            carry_out(output);
        };
        while bytes.get() < BYTES_AT_ONCE
            && let Some((_, item)) = self.queue.pop_front_if(|(at, _)| *at <= durable)
        {
            self.let_out(item, now, &mut carry_out);
        }
        if is_on(Fault::WelcomeUngated) || is_on(Fault::RefusalUngated) {
            let (ungated, queue) = self.queue.drain(..).partition(|(at, _)| *at == 0);
            self.queue = queue;
            for (_, item) in ungated {
                self.let_out(item, now, &mut carry_out);
            }
        }
        // Where nobody can come back, there is nobody to be told again.
        let bound = if self.ledger.has_any() { self.settings.retained_bytes } else { 0 };
        self.ledger.trim(bound, self.released);
    }

    /// Whether something may be given out once so many events of the room are durable.
    #[must_use]
    pub fn has_more(&self, durable: u64) -> bool {
        self.waits_for().is_some_and(|at| at <= durable)
    }

    fn let_out(&mut self, item: Item, now: Timestamp, carry_out: &mut impl FnMut(Output<'_>)) {
        match item {
            Item::Messages { before } => {
                for kept in self.ledger.ring.range(self.released, before) {
                    let (to, kind, bytes) = (kept.to, kept.kind, kept.bytes);
                    carry_out(Output::Message { to, kind, bytes });
                }
                self.released = before;
            }
            Item::Heard(client, count) => {
                let Some(place) = self.places.get_mut(&client) else { return };
                if place.durable == place.told {
                    self.untold.push(client);
                    self.tell_at.get_or_insert(now.after(self.settings.ack_after));
                }
                if !is_on(Fault::AckAtReceipt) {
                    place.durable += count;
                }
            }
            Item::Flush(client) => self.tell(client, carry_out),
            Item::Close(socket, close) => carry_out(Output::Close { socket, close }),
            Item::Welcome(greeting) => {
                let Greeting { socket, client, life, heard, mut from, total, mut tail } = *greeting;
                let Some(place) = self.places.get_mut(&client) else { return };
                // Otherwise it has ended, or a newer one has come.
                if place.socket != Some(socket) {
                    return;
                }
                // While this waited, messages that were let out before may have been dropped.
                if tail.0 < tail.1.min(self.ledger.ring.floor()) && !is_on(Fault::BoundNotChecked) {
                    (from, tail) = (total, (tail.1, tail.1));
                }
                place.is_attached = true;
                (place.probed, place.flush) = (false, None);
                (place.durable, place.told) = (heard, heard);
                let welcome = Welcome {
                    life,
                    heard,
                    from,
                    ack_bytes: (self.settings.retained_bytes / 4) as u64,
                    largest: self.settings.largest_message as u64,
                    grace_ms: self.settings.grace.as_millis() as u64,
                };
                carry_out(Output::Welcome { socket, client, welcome });
                for kept in self.ledger.ring.to_client(client, tail.0, tail.1) {
                    carry_out(Output::Write { socket, kind: kept.kind, bytes: kept.bytes });
                }
            }
        }
    }

    /// Tells a client what is durable, if it does not know.
    pub(super) fn tell(&mut self, client: ClientId, carry_out: &mut impl FnMut(Output<'_>)) {
        let Some(place) = self.places.get_mut(&client).filter(|place| place.is_attached) else {
            return;
        };
        let heard = match self.ledger.heard(client) {
            Some(heard) if is_on(Fault::AckAheadOfCommit) => heard,
            _ => place.durable,
        };
        (place.told, place.probed, place.flush) = (place.durable, false, None);
        if let Some(socket) = place.socket {
            carry_out(Output::Ack { socket, heard });
        }
    }
}
