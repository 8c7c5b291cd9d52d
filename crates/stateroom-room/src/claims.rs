//! What tokens say of clients, for the service to ask.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use stateroom::ClientId;
use std::sync::Arc;

/// What is kept of that with the state of a room.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// Of whoever is about to connect: the token that the room knows them by, and what they claim.
    pub(crate) arriving: Option<(String, String)>,
    /// Of those who are there.
    pub(crate) of: Vec<(ClientId, String)>,
}

impl Claims {
    pub(crate) fn is_empty(&self) -> bool {
        self.arriving.is_none() && self.of.is_empty()
    }
}

/// One of the claims in a JSON object: a text as it is, anything else as JSON.
pub(crate) fn claim_in(claims: &str, name: &str) -> Option<String> {
    let mut claims: Map<String, Value> = serde_json::from_str(claims).ok()?;
    Some(match claims.remove(name)? {
        Value::String(text) => text,
        other => other.to_string(),
    })
}

/// The same text once, for as many as share it.
pub(crate) fn shared(claims: &str) -> Option<Arc<str>> {
    (!claims.is_empty()).then(|| claims.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_a_text_or_json() {
        let claims = r#"{"role":"moderator","teams":["a","b"],"age":7}"#;
        let claim = |name| claim_in(claims, name);
        assert_eq!(claim("role").as_deref(), Some("moderator"));
        assert_eq!(claim("teams").as_deref(), Some(r#"["a","b"]"#));
        assert_eq!(claim("age").as_deref(), Some("7"));
        assert_eq!(claim("name"), None);
        assert_eq!(claim_in("nonsense", "role"), None);
    }
}
