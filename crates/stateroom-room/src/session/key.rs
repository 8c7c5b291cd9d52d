//! The key by which a room knows a session: random bits that the client makes, of which the room keeps a hash.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    fmt,
    hash::{Hash, Hasher},
};
use subtle::ConstantTimeEq;

/// 128 random bits that a client makes before it opens a session. Whoever knows them is that client, so they are
/// shown nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key([u8; 16]);

impl Key {
    /// How many characters its text has.
    pub const TEXT_LENGTH: usize = 22;

    /// The key of these bits. They must come from a generator that is fit for secrets.
    #[must_use]
    pub const fn new(bits: [u8; 16]) -> Self {
        Key(bits)
    }

    /// In base64url without padding.
    #[must_use]
    pub fn to_text(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Reads what [`to_text`](Self::to_text) writes; `None` for anything else.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let mut bits = [0; 16];
        if text.len() != Self::TEXT_LENGTH {
            return None;
        }
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bits).ok()?;
        (length == bits.len()).then_some(Key(bits))
    }

    /// What a room keeps of it.
    #[must_use]
    pub fn hash(self) -> KeyHash {
        let digest = Sha256::new().chain_update(b"stateroom session key").chain_update(self.0);
        let mut hash = [0; 16];
        for (to, from) in hash.iter_mut().zip(digest.finalize()) {
            *to = from;
        }
        KeyHash(hash)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// The first half of the SHA-256 of a key. Whoever reads it on a disk cannot make a key of it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct KeyHash([u8; 16]);

impl KeyHash {
    /// What an index may order it by. The time that a look-up takes tells something of these bits; the others are
    /// compared in constant time.
    pub(super) fn index(self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

impl PartialEq for KeyHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for KeyHash {}

impl Hash for KeyHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
