//! Sends what may be sent: in an open loop what is due, in a closed loop what the window lets.

use super::Worker;
use crate::{
    Expect, Who,
    errors_by_kind::Ending,
    stamp::{MAX_NUMBER, Stamp},
};

/// How much of one client's is gathered for one write, in bytes.
const MAX_BATCH: usize = 256 * 1024;

impl Worker<'_> {
    /// Sends all that is due by `now`. What a server does not read is not sent, and counted.
    pub(super) fn send_due(&mut self, now: u64) {
        if now < self.next_due {
            return;
        }
        let Some(mut pacing) = self.pacing.take() else { return };
        // Whose messages have been composed and not written.
        let mut composed = usize::MAX;
        while let Some((sender, due)) = pacing.take(now) {
            let Some(&index) = self.share.senders.get(sender) else { continue };
            if index != composed || self.outgoing.len() > MAX_BATCH {
                self.write_outgoing(composed);
                composed = index;
            }
            let Some(client) = self.share.clients.get(index) else { continue };
            if client.can_send() {
                self.compose(index, due, self.common.clock.now());
            } else if client.is_open() {
                self.tally.counts.unsent += 1;
            }
        }
        self.write_outgoing(composed);
        self.next_due = pacing.next_due().unwrap_or(u64::MAX);
        self.pacing = Some(pacing);
    }

    /// Sends as many messages as the client `index` may have in flight.
    #[inline]
    pub(super) fn fill_window(&mut self, index: usize, window: u64, now: u64) {
        let Some(client) = self.share.clients.get(index) else { return };
        if !client.sends || !client.can_send() {
            return;
        }
        let count = window.saturating_sub(client.in_flight());
        for _ in 0..count {
            self.compose(index, now, now);
        }
        self.write_outgoing(index);
    }

    /// Appends the next message of the client `index` to what is written next, unless it has
    /// sent all that can be numbered.
    #[inline]
    pub(super) fn compose(&mut self, index: usize, due: u64, now: u64) {
        let Some(client) = self.share.clients.get_mut(index) else { return };
        if client.stamped == MAX_NUMBER {
            return;
        }
        let Some(room) = self.share.rooms.get(client.room as usize) else { return };
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
    }

    /// Writes what has been composed for the client `index`.
    #[inline]
    pub(super) fn write_outgoing(&mut self, index: usize) {
        if self.outgoing.is_empty() {
            return;
        }
        if let Some(client) = self.share.clients.get_mut(index)
            && let Err(error) = client.write(&self.outgoing)
        {
            self.end(index, Some(&Ending::Io(error)));
        }
        self.outgoing.clear();
    }
}
