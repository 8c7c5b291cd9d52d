//! Whether somebody may enter a room, with a token or without.

use super::{refused::Refused, rooms, rules::Auth};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, time::Duration};

/// A client whose token is in order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Who it is.
    pub(crate) subject: String,
    /// Until when, since 1970.
    pub(crate) until: Duration,
    /// What services may be told of it, as a JSON object, or as nothing where that is none of it; `None` where they are
    /// told nothing of anybody.
    pub(crate) claims: Option<String>,
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
        let told = (!self.told_claims.is_empty()).then(|| self.told(&claims.others));
        Ok(Some(Identity { subject: claims.subject, until: claims.until, claims: told }))
    }

    /// What services may be told of these claims. A token bounds how long that is.
    fn told(&self, claims: &Map<String, Value>) -> String {
        let told = self.told_claims.iter().filter_map(|name| Some((name, claims.get(name)?)));
        let told: BTreeMap<_, _> = told.collect();
        match told.is_empty() {
            true => String::new(),
            false => json!(told).to_string(),
        }
    }
}
