//! Whether somebody may enter a room, with a token or without.

use super::{refused::Refused, rooms, rules::Auth};
use std::time::Duration;

/// A client whose token is in order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Who it is.
    pub(crate) subject: String,
    /// Until when, since 1970.
    pub(crate) until: Duration,
}

impl Auth {
    /// Who wants to enter the room with what `bearer` found, at a time since 1970; `None` is anybody.
    pub(crate) fn admit(
        &self,
        token: Option<String>,
        room_id: &str,
        now: Duration,
    ) -> Result<Option<Identity>, Refused> {
        let Some(token) = token else {
            return if self.anonymous { Ok(None) } else { Err(Refused::NoToken) };
        };
        let claims = self.verify(&token, now)?;
        if let Some(name) = &self.rooms_claim
            && !rooms::names(claims.others.get(name), room_id)
        {
            return Err(Refused::Room(name.clone()));
        }
        Ok(Some(Identity { subject: claims.subject, until: claims.until }))
    }
}
