//! Who is in a room, as its service sees it, and whom it has closed.

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
    clients: Vec<(ClientId, Option<Arc<str>>)>,
    /// Those that the service has closed, and has yet to be told of.
    closing: Vec<ClientId>,
}

impl Presence {
    pub(crate) fn joins(&mut self, client: ClientId, token: Option<&str>) {
        let user = token.and_then(user_of).map(Arc::from);
        match self.place(client) {
            Ok(place) => {
                if let Some((_, known)) = self.clients.get_mut(place) {
                    *known = user;
                }
            }
            Err(place) => self.clients.insert(place, (client, user)),
        }
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
        self.clients.iter().map(|(client, _)| *client).collect()
    }

    pub(crate) fn user(&self, client: ClientId) -> Option<String> {
        let (_, user) = self.clients.get(self.place(client).ok()?)?;
        user.as_deref().map(str::to_owned)
    }

    /// Gives back what is kept for more.
    pub(crate) fn shrink(&mut self) {
        self.clients.shrink_to_fit();
        self.closing.shrink_to_fit();
    }

    fn place(&self, client: ClientId) -> Result<usize, usize> {
        self.clients.binary_search_by_key(&client, |(client, _)| *client)
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
