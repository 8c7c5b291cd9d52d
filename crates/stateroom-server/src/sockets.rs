//! The sockets of one room, and the fan-out: each frame is encoded once, and shared by all its
//! receivers; each receiver gets one write for all the frames of a batch.

use crate::{
    batch::{Batch, Piece},
    connection::{Connection, Trouble},
    counters,
    queue::QueueLimits,
    ring::{self, Write},
};
use slab::Slab;
use smallvec::SmallVec;
use stateroom::ClientId;
use stateroom_room::{MessageKind, Recipients, session::SocketId};
use std::{
    io,
    net::IpAddr,
    time::{Duration, Instant},
};

#[cfg(test)]
mod tests;

/// How long one flush goes on before others have a turn; a write takes some 4 µs.
const FLUSH_TURN: Duration = Duration::from_millis(1);

/// How many writes are made between two looks at the clock.
const WRITES_PER_LOOK: usize = 32;

/// From so many writes on they are made by one call; with four that costs what it saves.
const WORTH_A_RING: usize = 6;

/// Every open connection of a room, and the frames that have been sent but not yet flushed.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    connections: Slab<Connection>,
    /// Whose connection is where, in the order of the clients' ids.
    by_client: Vec<(ClientId, u32)>,
    /// How many connections are of clients with sessions.
    sessions: u32,
    /// What is to be written; none while that is nothing.
    batch: Option<Box<Batch>>,
    /// When to look for those who read nothing; none while nothing waits for anybody.
    stalls_at: Option<Instant>,
}

/// Among whom something is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    /// Clients without sessions.
    Plain,
    /// Clients with sessions.
    Session,
}

impl Line {
    fn of(connection: &Connection) -> Line {
        if connection.session().is_some() { Line::Session } else { Line::Plain }
    }
}

/// Whether a flush came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flushed {
    /// All has been written, or queued.
    All,
    /// Others have a turn first; until it is done nothing more must be sent.
    Some,
}

impl Sockets {
    /// Takes in the connection of a client.
    pub(crate) fn insert(&mut self, client: ClientId, connection: Connection) -> u32 {
        if self.connections.capacity() == 0 {
            // Most rooms are small, and a slab's own first step is four.
            self.connections.reserve_exact(1);
        }
        let key = self.connections.insert(connection) as u32; // At most as many as descriptors.
        let place = self.by_client.partition_point(|(other, _)| *other < client);
        self.by_client.insert(place, (client, key));
        key
    }

    /// Sends nothing more to `client`, if it is on that line, than what has been sent, and returns its
    /// connection's key.
    pub(crate) fn close(&mut self, client: ClientId, line: Line) -> Option<u32> {
        let key = self.key_of(client)?;
        let is_on = self.connections.get(key as usize).is_some_and(|it| Line::of(it) == line);
        (is_on && self.send_no_more_on(key)).then_some(key)
    }

    /// Sends nothing more on a connection than what has been sent; `false` if that is so already.
    pub(crate) fn send_no_more_on(&mut self, key: u32) -> bool {
        let client = self.get_mut(key).and_then(|connection| connection.client.take());
        client.is_some_and(|client| self.forget(client).is_some())
    }

    /// Notes that the client on a connection has a session, in which its socket has this number.
    pub(crate) fn has_session(&mut self, key: u32, socket: SocketId) {
        if let Some(connection) = self.get_mut(key) {
            connection.has_session(socket);
            self.sessions += 1;
        }
    }

    /// Lets a connection go.
    pub(crate) fn remove(&mut self, key: u32) -> Option<Connection> {
        let connection = self.connections.try_remove(key as usize)?;
        self.sessions -= u32::from(connection.session().is_some());
        if !connection.batch.is_empty()
            && let Some(batch) = &mut self.batch
        {
            batch.forget(key);
        }
        if let Some(client) = connection.client {
            self.forget(client);
        }
        Some(connection)
    }

    /// Whether `client` has an open connection.
    pub(crate) fn has(&self, client: ClientId) -> bool {
        self.key_of(client).is_some()
    }

    /// The key of the open connection of `client`.
    pub(crate) fn key_of(&self, client: ClientId) -> Option<u32> {
        let place = self.by_client.binary_search_by_key(&client, |(client, _)| *client).ok()?;
        self.by_client.get(place).map(|(_, key)| *key)
    }

    fn forget(&mut self, client: ClientId) -> Option<u32> {
        let place = self.by_client.binary_search_by_key(&client, |(client, _)| *client).ok()?;
        Some(self.by_client.remove(place).1)
    }

    pub(crate) fn get_mut(&mut self, key: u32) -> Option<&mut Connection> {
        self.connections.get_mut(key as usize)
    }

    /// Where the client on a connection comes from.
    pub(crate) fn address(&self, key: u32) -> Option<IpAddr> {
        self.connections.get(key as usize)?.address()
    }

    pub(crate) fn keys(&self) -> Vec<u32> {
        self.connections.iter().map(|(key, _)| key as u32).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    /// Gives back memory that was kept for more connections.
    pub(crate) fn shrink(&mut self) {
        self.connections.shrink_to_fit();
        self.by_client.shrink_to_fit();
    }

    /// Whether anything waits for a flush.
    pub(crate) fn has_batch(&self) -> bool {
        self.batch.is_some()
    }

    /// How many bytes the batch has.
    pub(crate) fn batch_bytes(&self) -> usize {
        self.batch.as_ref().map_or(0, |batch| batch.bytes.len())
    }

    /// Adds a message to the batch, for one connection, whether its client has a session or not. Not to be called
    /// between a flush that did not end and the one that does.
    pub(crate) fn send_on(&mut self, key: u32, kind: MessageKind, bytes: &[u8]) {
        let Self { connections, batch, .. } = self;
        let Some(connection) = connections.get_mut(key as usize) else { return };
        if connection.client.is_some() {
            let batch = batch.get_or_insert_with(Batch::take_spare);
            let piece = batch.encode(kind, bytes);
            batch.add(piece, key, &mut connection.batch);
            count(piece, 1);
        }
    }

    /// Adds a message to the batch, for clients on one line. Not to be called between a flush that did not end
    /// and the one that does.
    pub(crate) fn send(&mut self, line: Line, to: Recipients, kind: MessageKind, bytes: &[u8]) {
        let Self { connections, by_client, batch, sessions, .. } = self;
        let all = match line {
            Line::Plain => connections.len() - *sessions as usize,
            Line::Session => *sessions as usize,
        };
        if all == 0 {
            return;
        }
        let batch = batch.get_or_insert_with(Batch::take_spare);
        let piece = batch.encode(kind, bytes);
        let mut receivers = 0;
        match to {
            Recipients::One(client) => {
                if let Ok(place) = by_client.binary_search_by_key(&client, |(client, _)| *client)
                    && let Some((_, key)) = by_client.get(place)
                    && let Some(connection) = connections.get_mut(*key as usize)
                    && Line::of(connection) == line
                {
                    batch.add(piece, *key, &mut connection.batch);
                    receivers = 1;
                }
            }
            Recipients::All | Recipients::AllExcept(_) => {
                for (key, connection) in connections {
                    if let Some(client) = connection.client
                        && to != Recipients::AllExcept(client)
                        && Line::of(connection) == line
                    {
                        batch.add(piece, key as u32, &mut connection.batch);
                        receivers += 1;
                    }
                }
            }
        }
        count(piece, receivers);
    }

    /// When a client may have read nothing for too long, which a flush then finds out.
    pub(crate) fn stalls_at(&self) -> Option<Instant> {
        self.stalls_at
    }

    /// Tells `trouble` of those that have read nothing for too long.
    fn look_for_stalled(
        &mut self,
        limits: &QueueLimits,
        now: Instant,
        trouble: &mut impl FnMut(u32, Trouble),
    ) {
        if self.stalls_at.is_none_or(|at| at > now) {
            return;
        }
        self.stalls_at = None;
        for (key, connection) in &mut self.connections {
            let Some(at) = connection.stalls_at(limits.stall) else { continue };
            if at <= now {
                // The system tells of a socket when a good part of it is free, not of each byte read.
                match connection.write_queue() {
                    Err(_) => trouble(key as u32, Trouble::Gone),
                    Ok(()) if connection.stalls_at(limits.stall).is_some_and(|at| at <= now) => {
                        trouble(key as u32, Trouble::TooSlow);
                        continue;
                    }
                    Ok(()) => {}
                }
            }
            if connection.holds_up_others(limits, now) {
                trouble(key as u32, Trouble::TooSlow);
                continue;
            }
            self.stalls_at = earliest(self.stalls_at, connection.stalls_at(limits.stall));
        }
    }

    /// Has a client looked for that something waits for, if it reads nothing.
    pub(crate) fn watch_queue(&mut self, key: u32, limits: &QueueLimits) {
        let at = self.get_mut(key).and_then(|connection| connection.stalls_at(limits.stall));
        self.stalls_at = earliest(self.stalls_at, at);
    }

    /// Writes the batch to everyone it is for. A socket that is full gets the rest when it has
    /// room again; `trouble` hears of those that have more waiting already than the limits say, and of
    /// those that have read nothing for too long.
    pub(crate) fn flush(
        &mut self,
        limits: &QueueLimits,
        mut trouble: impl FnMut(u32, Trouble),
    ) -> Flushed {
        if self.stalls_at.is_some() {
            self.look_for_stalled(limits, Instant::now(), &mut trouble);
        }
        let Some(batch) = &mut self.batch else { return Flushed::All };
        let Batch { bytes, receivers, written, shared, is_overfull } = &mut **batch;
        let (all, start) = (receivers.len(), Instant::now());
        let waiting = receivers.get(*written..).unwrap_or_default();
        for receivers in waiting.chunks(WRITES_PER_LOOK) {
            let mut made = match is_overfull {
                false => write_at_once(&self.connections, receivers, bytes),
                true => [const { None }; WRITES_PER_LOOK],
            };
            for (&key, made) in receivers.iter().zip(&mut made) {
                *written += 1;
                let Some(connection) = self.connections.get_mut(key as usize) else { continue };
                if *is_overfull {
                    connection.leave_out();
                    trouble(key, Trouble::CutOff);
                    continue;
                }
                let outcome = connection.write_batch(bytes, all, shared, made.take(), limits);
                if let Err(found) = outcome {
                    trouble(key, found);
                } else if let Some(at) = connection.stalls_at(limits.stall) {
                    self.stalls_at = earliest(self.stalls_at, Some(at));
                }
            }
            if start.elapsed() >= FLUSH_TURN && receivers.len() == WRITES_PER_LOOK {
                return Flushed::Some;
            }
        }
        if let Some(batch) = self.batch.take() {
            batch.become_spare();
        }
        Flushed::All
    }
}

/// Counts a message that was sent.
fn count(piece: Piece, receivers: u64) {
    counters::add(|counters| {
        counters.deliveries += receivers;
        counters.bytes_out += receivers * u64::from(piece.end - piece.start);
    });
}

fn earliest(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    [one, other].into_iter().flatten().min()
}

/// Makes the first write to each of `receivers` with one system call, where that is worth it and
/// the system can, and tells what each that was made came to.
fn write_at_once(
    connections: &Slab<Connection>,
    receivers: &[u32],
    batch: &[u8],
) -> [Option<io::Result<usize>>; WRITES_PER_LOOK] {
    let mut made = [const { None }; WRITES_PER_LOOK];
    if receivers.len() < WORTH_A_RING {
        return made;
    }
    let mut places = SmallVec::<[usize; WRITES_PER_LOOK]>::new();
    let mut writes = SmallVec::<[Write<'_>; WRITES_PER_LOOK]>::new();
    for (place, key) in receivers.iter().enumerate() {
        let connection = connections.get(*key as usize);
        if let Some(write) = connection.and_then(|connection| connection.first_write(batch)) {
            places.push(place);
            writes.push(write);
        }
    }
    ring::write_all(&writes, |index, result| {
        if let Some(made) = places.get(index).and_then(|place| made.get_mut(*place)) {
            *made = Some(result);
        }
    });
    made
}
