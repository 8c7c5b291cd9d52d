//! Sends what may be sent: in an open loop what is due, in a closed loop what the window lets.

use super::Worker;
use crate::{
    Expect, Who,
    errors_by_kind::Ending,
    stamp::{MAX_NUMBER, Stamp},
};

/// How much is gathered for one write, in bytes.
const MAX_BATCH: usize = 256 * 1024;

impl Worker<'_> {
    /// Sends all that is due by `now`.
    pub(super) fn send_due(&mut self, now: u64) {
        if now < self.next_due {
            return;
        }
        let Some(pacing) = &mut self.pacing else { return };
        while let Some(sender) = pacing.take(now) {
            let Some(&index) = self.share.senders.get(sender) else { continue };
            let Some(client) = self.share.clients.get_mut(index) else { continue };
            // One that is gone misses its turns.
            if client.is_open() {
                client.due += 1;
                self.behind += 1;
                if !client.listed {
                    client.listed = true;
                    self.listed.push((index, sender));
                }
            } else {
                client.due += 1;
                client.sent += 1;
            }
        }
        self.next_due = pacing.next_due().unwrap_or(u64::MAX);
        self.retry();
    }

    /// Sends what is due and has not been sent. A client that the server does not read from stays
    /// on the list.
    pub(super) fn retry(&mut self) {
        if self.listed.is_empty() {
            return;
        }
        let mut listed = std::mem::take(&mut self.listed);
        listed.retain(|&(index, sender)| {
            self.catch_up(index, sender);
            let client = self.share.clients.get_mut(index);
            client.is_some_and(|client| {
                client.listed = client.is_open() && client.sent < client.due;
                client.listed
            })
        });
        self.listed = listed;
    }

    /// Sends what the client `index`, the thread's sender `sender`, has due, as far as its server
    /// reads.
    fn catch_up(&mut self, index: usize, sender: usize) {
        loop {
            let now = self.common.clock.now();
            let (mut first, mut count) = (0, 0);
            if let Some(client) = self.share.clients.get(index).filter(|client| client.can_send()) {
                (first, count) = (client.sent, client.due - client.sent);
            }
            if count == 0 {
                return;
            }
            let mut number = first;
            self.outgoing.clear();
            while number < first + count && self.outgoing.len() < MAX_BATCH {
                let due = self.pacing.as_ref().map_or(now, |pacing| pacing.due(sender, number));
                if !self.compose(index, due, now) {
                    break;
                }
                number += 1;
            }
            if number == first {
                return;
            }
            self.behind = self.behind.saturating_sub(number - first);
            self.write_outgoing(index);
        }
    }

    /// Sends as many messages as the client `index` may have in flight.
    #[inline]
    pub(super) fn fill_window(&mut self, index: usize, window: u64, now: u64) {
        let Some(client) = self.share.clients.get(index) else { return };
        if !client.sends || !client.can_send() {
            return;
        }
        let count = window.saturating_sub(client.in_flight());
        if count == 0 {
            return;
        }
        self.outgoing.clear();
        for _ in 0..count {
            if !self.compose(index, now, now) {
                break;
            }
        }
        self.write_outgoing(index);
    }

    /// Appends the next message of the client `index` to what is written next. False when it has
    /// sent all that can be numbered.
    #[inline]
    pub(super) fn compose(&mut self, index: usize, due: u64, now: u64) -> bool {
        let Some(client) = self.share.clients.get_mut(index) else { return false };
        if client.stamped == MAX_NUMBER {
            return false;
        }
        let Some(room) = self.share.rooms.get(client.room as usize) else { return false };
        let who = Who { client: client.number, room: &room.name };
        let stamp = Stamp { client: client.number, number: client.stamped, due };
        self.composer.append(who, client.sent, stamp, &mut self.outgoing);
        let mut hearers = match self.plan.expect {
            Expect::Echo => 1,
            Expect::Broadcast => room.open.into(),
            Expect::None => 0,
        };
        if self.composer.is_stamped(client.sent) {
            client.stamped += 1;
        } else {
            client.unstamped_in_flight += 1;
            hearers = 0;
        }
        client.sent += 1;
        self.tally.sent(due, now, hearers);
        true
    }

    /// Writes what has been composed for the client `index`.
    #[inline]
    pub(super) fn write_outgoing(&mut self, index: usize) {
        let Some(client) = self.share.clients.get_mut(index) else { return };
        if let Err(error) = client.write(&self.outgoing) {
            self.end(index, Some(&Ending::Io(error)));
        }
    }
}
