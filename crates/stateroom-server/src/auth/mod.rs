//! Who a client is: finds the token in a handshake, checks it, and tells into which rooms it leads.
//!
//! Decides from bytes, keys and a time alone; keys are loaded elsewhere.

mod credential;
mod keys;
mod refused;
mod rooms;
mod token;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub(crate) use credential::{BEARER, bearer, parameter};
pub use keys::{Keys, KeysError};
pub(crate) use refused::Refused;

/// The longest token, in bytes.
pub(crate) const TOKEN_BYTES: usize = 8 * 1024;

/// The longest `sub` of a token, in bytes.
pub(crate) const SUBJECT_BYTES: usize = 255;

/// Which tokens (JWT) clients may come in with, and what they are asked for in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// The keys that tokens are signed with.
    pub keys: Keys,
    /// What `iss` has to be. Default: anything.
    pub issuer: Option<String>,
    /// What `aud` has to be, or has to hold. Default: there must be none.
    pub audience: Option<String>,
    /// How far the clock of who makes the tokens may be from ours. Default: 30 s.
    pub leeway: Duration,
    /// The claim that names the rooms that may be entered, each exactly or as `prefix*`. Default: none, and a
    /// token leads into every room.
    pub rooms_claim: Option<String>,
    /// The parameter of the query that may hold the token. Default: none.
    pub query_parameter: Option<String>,
    /// Whether clients without a token may come in too. Default: false.
    pub anonymous: bool,
}

/// A client whose token is in order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Who it is.
    pub(crate) subject: String,
    /// Until when, since 1970.
    pub(crate) until: Duration,
}

impl Auth {
    /// Takes tokens that are signed with one of these keys.
    #[must_use]
    pub fn new(keys: Keys) -> Self {
        Auth {
            keys,
            issuer: None,
            audience: None,
            leeway: Duration::from_secs(30),
            rooms_claim: None,
            query_parameter: None,
            anonymous: false,
        }
    }

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
