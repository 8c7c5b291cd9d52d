//! What the service may ask for: what tokens say of clients, and what its settings say.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use stateroom::ClientId;
use std::sync::Arc;

/// What is kept of that with the state of a room.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    /// What the settings of the service say: a JSON object.
    pub(crate) config: Option<Arc<str>>,
    /// Of whoever is about to connect: the token that the room knows them by, and what they claim.
    pub(crate) arriving: Option<(String, String)>,
    /// Of those who are there.
    pub(crate) of: Vec<(ClientId, String)>,
}

impl Told {
    pub(crate) fn is_empty(&self) -> bool {
        self.config.is_none() && self.arriving.is_none() && self.of.is_empty()
    }
}

/// What a JSON object has by this name: a text as it is, anything else as JSON.
pub(crate) fn value_in(object: &str, name: &str) -> Option<String> {
    let mut object: Map<String, Value> = serde_json::from_str(object).ok()?;
    object.remove(name).map(told)
}

/// All that a JSON object of claims has, by name, each as services are told it.
#[must_use]
pub fn claims_in(object: &str) -> Vec<(String, String)> {
    let object: Map<String, Value> = serde_json::from_str(object).unwrap_or_default();
    object.into_iter().map(|(name, value)| (name, told(value))).collect()
}

fn told(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// A text that there is, for as many as share it.
pub(crate) fn shared(text: &str) -> Option<Arc<str>> {
    (!text.is_empty()).then(|| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_a_text_or_json() {
        let claims = r#"{"role":"moderator","teams":["a","b"],"age":7}"#;
        let claim = |name| value_in(claims, name);
        assert_eq!(claim("role").as_deref(), Some("moderator"));
        assert_eq!(claim("teams").as_deref(), Some(r#"["a","b"]"#));
        assert_eq!(claim("age").as_deref(), Some("7"));
        assert_eq!(claim("name"), None);
        assert_eq!(value_in("nonsense", "role"), None);
        let all = claims_in(claims);
        assert!(all.iter().all(|(name, value)| claim(name).as_ref() == Some(value)), "{all:?}");
        assert_eq!((all.len(), claims_in("")), (3, Vec::new()));
    }
}
