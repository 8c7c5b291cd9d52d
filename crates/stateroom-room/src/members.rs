//! Who is in the room, under which id, and who gets an old id back.

use serde::{Deserialize, Serialize};
use stateroom::ClientId;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// How many clients that left are remembered by their token, in one room. Past it, the one that
/// left first is forgotten and would get a new id: tokens come from clients, so they must not fill
/// the memory.
pub const MAX_REMEMBERED_TOKENS: usize = 10_000;

/// The last id a room gives out: the guest interface writes ids as a positive `i32`.
const LAST_CLIENT: u32 = i32::MAX as u32;

/// The members of one room. Small while there are few: a server may have a million rooms.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Members {
    /// In the order of their ids.
    connected: Vec<(ClientId, Option<Arc<str>>)>,
    /// The tokens that are known; made for the first client that has one.
    tokens: Option<Box<Tokens>>,
    last_client: u32,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Tokens {
    clients: BTreeMap<Arc<str>, ClientId>,
    /// Those of clients who left, in the order they left.
    departed: VecDeque<Arc<str>>,
}

impl Members {
    /// Whether `client` is connected.
    pub(crate) fn contains(&self, client: ClientId) -> bool {
        self.find(client).is_ok()
    }

    /// Whether `client`, who is connected, has a token to come back with.
    pub(crate) fn has_token(&self, client: ClientId) -> bool {
        self.find(client)
            .is_ok_and(|place| self.connected.get(place).is_some_and(|(_, token)| token.is_some()))
    }

    /// The token of `client`, who is connected.
    pub(crate) fn token(&self, client: ClientId) -> Option<&str> {
        let (_, token) = self.connected.get(self.find(client).ok()?)?;
        token.as_deref()
    }

    /// How many are connected.
    pub(crate) fn len(&self) -> usize {
        self.connected.len()
    }

    /// Everyone who is connected, in the order of their ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = ClientId> {
        self.connected.iter().map(|(client, _)| *client)
    }

    /// The id that belongs to `token`, where it is known.
    pub(crate) fn known(&self, token: Option<&str>) -> Option<ClientId> {
        self.tokens.as_ref()?.clients.get(token?).copied()
    }

    /// Lets somebody in who is not connected: with the id they had, or a new one. `None` when all
    /// ids have been given out.
    pub(crate) fn join(&mut self, token: Option<&str>) -> Option<ClientId> {
        let token: Option<Arc<str>> = token.map(Arc::from);
        let client = match self.known(token.as_deref()) {
            Some(client) => client,
            None if self.last_client == LAST_CLIENT => return None,
            None => {
                self.last_client += 1;
                ClientId(self.last_client)
            }
        };
        if let Some(token) = &token {
            let Tokens { clients, departed } = &mut **self.tokens.get_or_insert_default();
            if clients.insert(token.clone(), client).is_some() {
                departed.retain(|departed| departed != token);
            }
        }
        if let Err(place) = self.find(client) {
            if self.connected.capacity() == 0 {
                // Most rooms are small, and a vector's own first step is four.
                self.connected.reserve_exact(1);
            }
            self.connected.insert(place, (client, token));
        }
        Some(client)
    }

    /// Lets `client` go; `false` if it was not connected.
    pub(crate) fn leave(&mut self, client: ClientId) -> bool {
        let Ok(place) = self.find(client) else { return false };
        let (_, token) = self.connected.remove(place);
        if let Some(tokens) = &mut self.tokens {
            tokens.departed.extend(token);
            if tokens.departed.len() > MAX_REMEMBERED_TOKENS
                && let Some(oldest) = tokens.departed.pop_front()
            {
                tokens.clients.remove(&oldest);
            }
        }
        true
    }

    fn find(&self, client: ClientId) -> Result<usize, usize> {
        self.connected.binary_search_by_key(&client, |(client, _)| *client)
    }
}
