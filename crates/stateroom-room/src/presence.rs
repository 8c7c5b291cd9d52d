//! Who is in a room, as its service sees it, and whom it has closed.

use crate::told::{Told, shared, value_in};
use stateroom::ClientId;
use std::sync::Arc;

/// What a token begins with that was not made up by its client: the server knows whose it is.
const LOGGED_IN: char = '\0';

/// The user that a token tells, of a client that has logged in. Such a token begins with U+0000 and the user; if the
/// client has a token of its own besides, that follows after another U+0000.
#[must_use]
pub fn user_of(token: &str) -> Option<&str> {
    token.strip_prefix(LOGGED_IN)?.split(LOGGED_IN).next()
}

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Presence {
    /// In the order of their ids.
    clients: Vec<Present>,
    /// Of whoever connects next: their token, and their claims.
    arriving: Option<(Arc<str>, Arc<str>)>,
    /// What the settings of the service say.
    pub(crate) config: Option<Arc<str>>,
    /// Those that the service has closed, and has yet to be told of.
    closing: Vec<ClientId>,
}

/// One who is there.
#[derive(Debug)]
struct Present {
    client: ClientId,
    user: Option<Arc<str>>,
    claims: Option<Arc<str>>,
}

impl Presence {
    /// A client connects. `inherited` are its claims if none have been told since.
    pub(crate) fn joins(
        &mut self,
        client: ClientId,
        token: Option<&str>,
        inherited: Option<Arc<str>>,
    ) {
        let user = token.and_then(user_of).map(Arc::from);
        let told = self.arriving.take_if(|(arriving, _)| token == Some(arriving.as_ref()));
        let claims = match told {
            Some((_, claims)) => shared(&claims),
            None => inherited,
        };
        let present = Present { client, user, claims };
        match self.place(client) {
            Ok(place) => {
                if let Some(known) = self.clients.get_mut(place) {
                    *known = present;
                }
            }
            Err(place) => self.clients.insert(place, present),
        }
    }

    /// Whether `claims` is news of whoever has this token, and is `client` if there.
    pub(crate) fn is_news(&self, token: &str, client: Option<ClientId>, claims: &str) -> bool {
        match &self.arriving {
            Some((arriving, known)) if arriving.as_ref() == token => known.as_ref() != claims,
            _ => {
                client.and_then(|client| self.claims_of(client)).as_deref().unwrap_or("") != claims
            }
        }
    }

    /// Notes what is claimed of whoever has this token, and is `client` if there.
    pub(crate) fn learns(&mut self, token: &str, client: Option<ClientId>, claims: &str) {
        let place = client.and_then(|client| self.place(client).ok());
        if let Some(present) = place.and_then(|place| self.clients.get_mut(place)) {
            present.claims = shared(claims);
        }
        self.arriving = Some((token.into(), claims.into()));
    }

    pub(crate) fn claims_of(&self, client: ClientId) -> Option<Arc<str>> {
        self.clients.get(self.place(client).ok()?)?.claims.clone()
    }

    pub(crate) fn claim(&self, client: ClientId, name: &str) -> Option<String> {
        value_in(&self.claims_of(client)?, name)
    }

    pub(crate) fn config(&self, name: &str) -> Option<String> {
        value_in(self.config.as_deref()?, name)
    }

    /// All that the service may ask for and that is known from nothing else.
    pub(crate) fn told(&self) -> Told {
        let arriving = self.arriving.as_ref();
        let of = self
            .clients
            .iter()
            .filter_map(|present| Some((present.client, present.claims.as_deref()?.to_owned())));
        Told {
            config: self.config.clone(),
            arriving: arriving.map(|(token, claims)| (token.to_string(), claims.to_string())),
            of: of.collect(),
        }
    }

    /// Goes on with what was known.
    pub(crate) fn restore(&mut self, told: Told) {
        for (client, claims) in told.of {
            if let Ok(place) = self.place(client)
                && let Some(present) = self.clients.get_mut(place)
            {
                present.claims = shared(&claims);
            }
        }
        self.config = told.config;
        self.arriving = told.arriving.map(|(token, claims)| (token.into(), claims.into()));
    }

    pub(crate) fn leaves(&mut self, client: ClientId) {
        if let Ok(place) = self.place(client) {
            self.clients.remove(place);
        }
    }

    /// Notes that the service closes a client; `false` if that is not there.
    pub(crate) fn closes(&mut self, client: ClientId) -> bool {
        let is_there = self.place(client).is_ok();
        if is_there {
            self.leaves(client);
            self.closing.push(client);
        }
        is_there
    }

    /// One that the service has closed.
    pub(crate) fn next_closed(&mut self) -> Option<ClientId> {
        (!self.closing.is_empty()).then(|| self.closing.remove(0))
    }

    /// Forgets whom the service has closed: its event has failed.
    pub(crate) fn keep_all(&mut self) {
        self.closing.clear();
    }

    pub(crate) fn clients(&self) -> Vec<ClientId> {
        self.clients.iter().map(|present| present.client).collect()
    }

    pub(crate) fn user(&self, client: ClientId) -> Option<String> {
        self.clients.get(self.place(client).ok()?)?.user.as_deref().map(str::to_owned)
    }

    /// Gives back what is kept for more.
    pub(crate) fn shrink(&mut self) {
        self.clients.shrink_to_fit();
        self.closing.shrink_to_fit();
    }

    fn place(&self, client: ClientId) -> Result<usize, usize> {
        self.clients.binary_search_by_key(&client, |present| present.client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_tells_a_user_only_if_the_server_has_made_it() {
        for (token, user) in
            [("\0ada", Some("ada")), ("\0ada\0phone", Some("ada")), ("ada", None), ("a\0da", None)]
        {
            assert_eq!(user_of(token), user);
        }
    }
}
