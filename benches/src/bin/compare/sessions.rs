//! How Stateroom is spoken to by clients with sessions: `docs/protocol.md`, without coming back.

use base64::Engine as _;
use stateroom_load::{Dialect, Who};

/// A client of the session protocol whose connection lasts.
pub(crate) struct Sessions;

impl Dialect for Sessions {
    fn subprotocols(&self, _: Who<'_>) -> Option<String> {
        let key = fastrand::u128(..).to_ne_bytes();
        let key = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(key);
        Some(format!("stateroom.v1, s.{key}.1.0.0.0.0.0"))
    }

    fn own_first_byte(&self) -> Option<u8> {
        Some(0)
    }

    fn receipt(&self, count: u64) -> String {
        format!("\0ack {count}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_has_a_key_of_its_own() {
        let who = Who { client: 0, room: "load-0" };
        let [one, other] =
            [Sessions.subprotocols(who).unwrap(), Sessions.subprotocols(who).unwrap()];
        assert_eq!(one.len(), "stateroom.v1, s.q83vEjRWeJCrze8SNFZ4kA.1.0.0.0.0.0".len());
        assert_ne!(one, other);
    }
}
