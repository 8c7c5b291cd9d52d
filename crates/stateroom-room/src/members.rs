//! Who is in the room, under which id, and who gets an old id back.

use stateroom::ClientId;
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

/// How many clients that left are remembered by their token, in one room. Past it, the one that
/// left first is forgotten and would get a new id: tokens come from clients, so they must not fill
/// the memory.
pub const MAX_REMEMBERED_TOKENS: usize = 10_000;

/// The last id a room gives out: the guest interface writes ids as a positive `i32`.
const LAST_CLIENT: u32 = i32::MAX as u32;

/// The members of one room.
#[derive(Debug, Default)]
pub(crate) struct Members {
    connected: BTreeMap<ClientId, Option<Arc<str>>>,
    by_token: HashMap<Arc<str>, ClientId>,
    /// The tokens of those who left, in the order they left.
    departed: VecDeque<Arc<str>>,
    last_client: u32,
}

impl Members {
    /// Whether `client` is connected.
    pub(crate) fn contains(&self, client: ClientId) -> bool {
        self.connected.contains_key(&client)
    }

    /// Everyone who is connected, in the order of their ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = ClientId> {
        self.connected.keys().copied()
    }

    /// The id that belongs to `token`, where it is known.
    pub(crate) fn known(&self, token: Option<&str>) -> Option<ClientId> {
        self.by_token.get(token?).copied()
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
        if let Some(token) = &token
            && self.by_token.insert(token.clone(), client).is_some()
        {
            self.departed.retain(|departed| departed != token);
        }
        self.connected.insert(client, token);
        Some(client)
    }

    /// Lets `client` go; `false` if it was not connected.
    pub(crate) fn leave(&mut self, client: ClientId) -> bool {
        let Some(token) = self.connected.remove(&client) else { return false };
        self.departed.extend(token);
        if self.departed.len() > MAX_REMEMBERED_TOKENS
            && let Some(oldest) = self.departed.pop_front()
        {
            self.by_token.remove(&oldest);
        }
        true
    }
}
