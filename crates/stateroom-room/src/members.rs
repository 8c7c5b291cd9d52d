//! Who is in the room, under which id, and who gets an old id back.

use crate::small_map::SmallMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use stateroom::ClientId;
use std::{num::NonZeroU64, sync::Arc};

/// How many clients that left are remembered by their token, in one room. Tokens come from clients, so
/// they must not fill the memory. Past it, those are forgotten first who never sent a message, and
/// among equals the one that left first; whoever is forgotten would get a new id. The one that left
/// last is always remembered.
pub const MAX_REMEMBERED_TOKENS: usize = 10_000;

/// How many bytes the tokens of clients that left may have together, in one room: 1 MiB. Past it, they
/// are forgotten in the same order.
pub const MAX_REMEMBERED_TOKEN_BYTES: usize = 1 << 20;

/// The last id a room gives out: the guest interface writes ids as a positive `i32`.
const LAST_CLIENT: u32 = i32::MAX as u32;

/// The members of one room. Small while there are few: a server may have a million rooms. Nothing
/// takes longer than the logarithm of how many there are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Members {
    connected: SmallMap<ClientId, Member>,
    /// The tokens that are known; made for the first client that has one.
    tokens: Option<Box<Tokens>>,
    last_client: u32,
}

/// One who is connected.
#[derive(Debug, Clone, Default)]
struct Member {
    token: Option<Arc<str>>,
    /// Whether it ever sent a message.
    took_part: bool,
}

#[derive(Debug, Clone, Default)]
struct Tokens {
    clients: SmallMap<Arc<str>, Known>,
    /// Those of clients who left, in the order in which they are forgotten.
    departed: SmallMap<Departure, Arc<str>>,
    departed_bytes: usize,
    departures: u64,
}

/// Whose a token is.
#[derive(Debug, Clone)]
struct Known {
    client: ClientId,
    /// When it left, unless it is connected.
    departed: Option<Departure>,
}

/// When a client left, less for those who are forgotten first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Departure(NonZeroU64);

impl Members {
    /// Whether `client` is connected.
    pub(crate) fn contains(&self, client: ClientId) -> bool {
        self.connected.get(&client).is_some()
    }

    /// Whether `client`, who is connected, has a token to come back with.
    pub(crate) fn has_token(&self, client: ClientId) -> bool {
        self.connected.get(&client).is_some_and(|member| member.token.is_some())
    }

    /// The token of `client`, who is connected.
    pub(crate) fn token(&self, client: ClientId) -> Option<&str> {
        self.connected.get(&client)?.token.as_deref()
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
        self.tokens.as_ref()?.clients.get(token?).map(|known| known.client)
    }

    /// Lets somebody in who is not connected: with the id they had, or a new one. `None` when all
    /// ids have been given out.
    pub(crate) fn join(&mut self, token: Option<&str>) -> Option<ClientId> {
        if let (Some(token), Some(tokens)) = (token, &mut self.tokens)
            && let Some(client) = tokens.clients.get(token).map(|known| known.client)
        {
            if let Some(member) = tokens.come_back(token) {
                self.connected.insert(client, member);
            }
            return Some(client);
        }
        if self.last_client == LAST_CLIENT {
            return None;
        }
        self.last_client += 1;
        let client = ClientId(self.last_client);
        let token: Option<Arc<str>> = token.map(Arc::from);
        if let Some(token) = &token {
            let known = Known { client, departed: None };
            self.tokens.get_or_insert_default().clients.insert(token.clone(), known);
        }
        self.connected.insert(client, Member { token, took_part: false });
        Some(client)
    }

    /// Notes that `client` has sent a message: its token is remembered rather than that of somebody
    /// who never did. To be called at its first one; later it changes nothing.
    pub(crate) fn took_part(&mut self, client: ClientId) {
        if let Some(member) = self.connected.get_mut(&client) {
            member.took_part = true;
        }
    }

    /// Lets `client` go; `false` if it was not connected.
    pub(crate) fn leave(&mut self, client: ClientId) -> bool {
        let Some(Member { token, took_part }) = self.connected.remove(&client) else {
            return false;
        };
        if let (Some(token), Some(tokens)) = (token, &mut self.tokens) {
            tokens.depart(token, took_part);
        }
        true
    }
}

impl Tokens {
    /// The member whose token it is, if it had left.
    fn come_back(&mut self, token: &str) -> Option<Member> {
        let departure = self.clients.get_mut(token)?.departed.take()?;
        let token = self.departed.remove(&departure)?;
        self.departed_bytes = self.departed_bytes.saturating_sub(token.len());
        Some(Member { token: Some(token), took_part: departure.took_part() })
    }

    fn depart(&mut self, token: Arc<str>, took_part: bool) {
        self.departures += 1;
        let Some(departure) = Departure::new(took_part, self.departures) else { return };
        if let Some(known) = self.clients.get_mut(&*token) {
            known.departed = Some(departure);
        }
        self.departed_bytes += token.len();
        self.departed.insert(departure, token);
        while self.departed.len() > MAX_REMEMBERED_TOKENS
            || self.departed_bytes > MAX_REMEMBERED_TOKEN_BYTES
        {
            let first = self.departed.iter().next().map(|(first, _)| *first);
            // Whoever left just now may be about to come back, and takes nobody's place.
            if first == Some(departure) {
                break;
            }
            let Some((_, forgotten)) = self.departed.pop_first() else { break };
            self.departed_bytes = self.departed_bytes.saturating_sub(forgotten.len());
            self.clients.remove(&*forgotten);
        }
    }
}

impl Departure {
    const TOOK_PART: u64 = 1 << 63;

    /// The departure of the given number, from 1.
    fn new(took_part: bool, number: u64) -> Option<Departure> {
        let class = if took_part { Departure::TOOK_PART } else { 0 };
        NonZeroU64::new(number | class).map(Departure)
    }

    fn took_part(self) -> bool {
        self.0.get() & Departure::TOOK_PART != 0
    }
}

/// How members are stored: what their order tells is not told again.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    last_client: u32,
    /// In the order of their ids; the token, and whether its owner took part.
    #[serde(borrow)]
    connected: Vec<(ClientId, Option<(&'a str, bool)>)>,
    /// In the order in which they are forgotten.
    #[serde(borrow)]
    departed: Vec<(ClientId, &'a str, bool)>,
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let connected = self.connected.iter().map(|(client, member)| {
            (*client, member.token.as_deref().map(|token| (token, member.took_part)))
        });
        let departed = self.tokens.iter().flat_map(|tokens| {
            tokens.departed.iter().filter_map(|(departure, token)| {
                let known = tokens.clients.get(&**token)?;
                Some((known.client, &**token, departure.took_part()))
            })
        });
        Stored {
            last_client: self.last_client,
            connected: connected.collect(),
            departed: departed.collect(),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members, D::Error> {
        let stored = Stored::deserialize(deserializer)?;
        Members::of(&stored).ok_or_else(|| D::Error::custom("no room has such members"))
    }
}

impl Members {
    /// `None` where no room's members can have been stored so.
    fn of(stored: &Stored<'_>) -> Option<Members> {
        let mut members = Members { last_client: stored.last_client, ..Members::default() };
        let mut clients: Vec<ClientId> = Vec::new();
        for (client, named) in &stored.connected {
            let token: Option<Arc<str>> = named.map(|(token, _)| token.into());
            if let Some(token) = &token {
                members.learn(token.clone(), *client)?;
            }
            let took_part = named.is_some_and(|(_, took_part)| took_part);
            members.connected.insert(*client, Member { token, took_part });
            clients.push(*client);
        }
        for (client, token, took_part) in &stored.departed {
            let token: Arc<str> = (*token).into();
            members.learn(token.clone(), *client)?;
            members.tokens.get_or_insert_default().depart(token, *took_part);
            clients.push(*client);
        }
        clients.sort_unstable();
        let distinct = clients.is_sorted_by(|one, next| one < next);
        let given_out = 1..=stored.last_client.min(LAST_CLIENT);
        (distinct && clients.iter().all(|client| given_out.contains(&client.0))).then_some(members)
    }

    fn learn(&mut self, token: Arc<str>, client: ClientId) -> Option<()> {
        let known = Known { client, departed: None };
        let tokens = self.tokens.get_or_insert_default();
        tokens.clients.insert(token, known).is_none().then_some(())
    }
}

#[cfg(test)]
mod tests;
