//! Reads all that a socket has, and hands it to what its connection is waiting for.

use super::{Worker, client::Stage};
use crate::{
    Expect,
    errors_by_kind::Ending,
    wire::{Incoming, Kind, body_of_answer, end_of_upgrade},
};

/// How much is read at once, in bytes.
const READ: usize = 256 * 1024;

impl Worker<'_> {
    /// Reads from the client `index` until its socket is empty.
    #[inline]
    pub(super) fn receive(&mut self, index: usize) -> Result<(), Ending> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let result = self.receive_into(index, &mut buffer);
        self.buffer = buffer;
        result
    }

    #[inline]
    fn receive_into(&mut self, index: usize, buffer: &mut Vec<u8>) -> Result<(), Ending> {
        loop {
            let Some(client) = self.share.clients.get_mut(index) else { return Ok(()) };
            // What was left over goes in front of what comes now.
            let carried = client.carry.len();
            if buffer.len() < carried + READ {
                buffer.resize(carried + READ, 0);
            }
            let Some((front, room)) = buffer.split_at_mut_checked(carried) else { return Ok(()) };
            front.copy_from_slice(&client.carry);
            let Some(count) = client.read(room).map_err(Ending::Io)? else { return Ok(()) };
            if count == 0 {
                return Err(Ending::EndOfStream);
            }
            let drained = count < room.len();
            let now = self.common.clock.now();
            client.carry.clear();
            let bytes = buffer.get(..carried + count).unwrap_or_default();
            let left = self.heard(index, bytes, now)?;
            if let Some(client) = self.share.clients.get_mut(index) {
                match bytes.get(bytes.len() - left..) {
                    Some(rest) if left > 0 => client.carry.extend_from_slice(rest),
                    _ if client.carry.capacity() > READ => client.carry = Vec::new(),
                    _ => {}
                }
            }
            if let Some(window) = self.window {
                self.fill_window(index, window, now);
            } else {
                self.send_due(now);
            }
            if drained {
                return Ok(());
            }
        }
    }

    /// The client `index` has received `bytes`; how many of them are not understood yet.
    #[inline]
    fn heard(&mut self, index: usize, bytes: &[u8], now: u64) -> Result<usize, Ending> {
        let Some(client) = self.share.clients.get_mut(index) else { return Ok(0) };
        match &client.stage {
            Stage::Waiting | Stage::Connecting | Stage::Ended => Ok(0),
            Stage::Inquiring => match body_of_answer(bytes)? {
                None => Ok(bytes.len()),
                Some(body) => self.upgrade(index, body).map(|()| 0),
            },
            Stage::Upgrading(key) => match end_of_upgrade(bytes, key)? {
                None => Ok(bytes.len()),
                Some(end) => {
                    self.upgraded(index, now);
                    self.frames(index, bytes.get(end..).unwrap_or_default(), now)
                }
            },
            _ => self.frames(index, bytes, now),
        }
    }

    /// Takes the whole frames that `bytes` start with, answers what is to be answered at once, and
    /// verifies each message; how many of the bytes are left.
    #[inline]
    fn frames(&mut self, index: usize, bytes: &[u8], now: u64) -> Result<usize, Ending> {
        let Some(client) = self.share.clients.get_mut(index) else { return Ok(0) };
        let verifies = self.plan.expect != Expect::None;
        let (own, mut has_own) = (self.own_first_byte, false);
        let (mut rest, mut messages, mut unstamped) = (bytes, 0, 0);
        let result = loop {
            let (incoming, length) = match client.frames.next(rest) {
                Ok(Some(next)) => next,
                Ok(None) => break Ok(()),
                Err(error) => break Err(error.into()),
            };
            match incoming {
                Incoming::Message(message) if own.is_some() && message.first() == own.as_ref() => {
                    has_own = true;
                }
                Incoming::Message(message) => {
                    messages += 1;
                    client.receipts.note(message.len());
                    let stamp = if verifies { self.finder.find(message) } else { None };
                    match stamp {
                        Some(stamp) => {
                            let arrival = client.arrivals.note(stamp.client, stamp.number);
                            self.tally.arrived(arrival, stamp.due, now);
                        }
                        None => unstamped += u64::from(verifies),
                    }
                }
                Incoming::Ping(payload) => {
                    self.composer.append_other(Kind::Pong, payload, &mut self.outgoing);
                }
                Incoming::Close { code, reason } => {
                    let reason = String::from_utf8_lossy(reason).into_owned();
                    break Err(Ending::Closed { code, reason });
                }
                Incoming::Nothing => {}
            }
            rest = rest.get(length..).unwrap_or_default();
        };
        self.tally.delivered(messages, now);
        self.tally.counts.unstamped += unstamped;
        client.unstamped_in_flight = client.unstamped_in_flight.saturating_sub(unstamped);
        if own.is_some()
            && let Some(count) = client.receipts.due(now)
        {
            let receipt = self.dialect.receipt(count);
            self.composer.append_other(Kind::Text, receipt.as_bytes(), &mut self.outgoing);
        }
        self.write_outgoing(index);
        result?;
        let Some(client) = self.share.clients.get(index) else { return Ok(0) };
        match client.stage {
            Stage::FirstMessage if messages > 0 || has_own => self.first_message(index, now),
            Stage::FirstEcho if client.arrivals.next_of(client.number) > 0 => {
                self.opened(index, now);
            }
            _ => {}
        }
        Ok(rest.len())
    }
}
