//! The sockets of one room, and the fan-out: each frame is encoded once, and shared by all its
//! receivers; each receiver gets one write for all the frames of a batch.

use crate::{connection::Connection, websocket::encode_data};
use bytes::BytesMut;
use slab::Slab;
use stateroom::ClientId;
use stateroom_room::{MessageKind, Recipients};
use std::collections::HashMap;

/// Every open connection of a room, and the frames that have been sent but not yet flushed.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    connections: Slab<Connection>,
    by_client: HashMap<ClientId, usize>,
    /// Encoded frames, in the order sent.
    batch: BytesMut,
    /// The connections that some of the batch is for.
    receivers: Vec<usize>,
}

/// What a flush found out about a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It cannot be written to any more.
    Gone,
    /// More waits for it than may.
    TooSlow,
}

impl Sockets {
    /// The key that the next connection will get.
    pub(crate) fn next_key(&self) -> usize {
        self.connections.vacant_key()
    }

    /// Takes in the connection of `client`, and returns its key.
    pub(crate) fn insert(&mut self, client: ClientId, connection: Connection) -> usize {
        let key = self.connections.insert(connection);
        self.by_client.insert(client, key);
        key
    }

    /// Sends nothing more to `client` than what has been sent, and returns its connection's key.
    pub(crate) fn close(&mut self, client: ClientId) -> Option<usize> {
        let key = self.by_client.remove(&client)?;
        self.connections.get_mut(key)?.client = None;
        Some(key)
    }

    /// Lets a connection go.
    pub(crate) fn remove(&mut self, key: usize) -> Option<Connection> {
        let connection = self.connections.try_remove(key)?;
        if let Some(client) = connection.client {
            self.by_client.remove(&client);
        }
        Some(connection)
    }

    pub(crate) fn get_mut(&mut self, key: usize) -> Option<&mut Connection> {
        self.connections.get_mut(key)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (usize, &mut Connection)> {
        self.connections.iter_mut()
    }

    pub(crate) fn keys(&self) -> Vec<usize> {
        self.connections.iter().map(|(key, _)| key).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    /// How many bytes the batch has.
    pub(crate) fn batch_bytes(&self) -> usize {
        self.batch.len()
    }

    /// Adds a message to the batch.
    pub(crate) fn send(&mut self, to: Recipients, kind: MessageKind, bytes: &[u8]) {
        let start = self.batch.len();
        encode_data(kind, bytes, &mut self.batch);
        let end = self.batch.len();
        let receivers = &mut self.receivers;
        let mut receive =
            |key: usize, connection: &mut Connection| match connection.batch.last_mut() {
                Some(last) if last.end == start => last.end = end,
                Some(_) => connection.batch.push(start..end),
                None => {
                    connection.batch.push(start..end);
                    receivers.push(key);
                }
            };
        match to {
            Recipients::One(client) => {
                if let Some(key) = self.by_client.get(&client)
                    && let Some(connection) = self.connections.get_mut(*key)
                {
                    receive(*key, connection);
                }
            }
            Recipients::All | Recipients::AllExcept(_) => {
                for (key, connection) in &mut self.connections {
                    if let Some(client) = connection.client
                        && to != Recipients::AllExcept(client)
                    {
                        receive(key, connection);
                    }
                }
            }
        }
    }

    /// Writes the batch to everyone it is for. A socket that is full gets the rest when it has
    /// room again; `trouble` hears of those that have more than `limit` bytes waiting already.
    pub(crate) fn flush(&mut self, limit: usize, mut trouble: impl FnMut(usize, Trouble)) {
        let batch = self.batch.split().freeze();
        for key in self.receivers.drain(..) {
            let Some(connection) = self.connections.get_mut(key) else { continue };
            if connection.queued_bytes() > limit {
                connection.batch.clear();
                trouble(key, Trouble::TooSlow);
            } else if connection.write_batch(&batch).is_err() {
                trouble(key, Trouble::Gone);
            }
        }
    }
}
