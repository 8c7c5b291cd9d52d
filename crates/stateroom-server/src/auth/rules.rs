//! The settings of who may come in.

use super::keys::Keys;
use std::time::Duration;

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
    /// The claims that services may ask for. Default: none.
    pub told_claims: Vec<String>,
    /// The parameter of the query that may hold the token. Default: none.
    pub query_parameter: Option<String>,
    /// Whether clients without a token may come in too. Default: false.
    pub anonymous: bool,
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
            told_claims: Vec::new(),
            query_parameter: None,
            anonymous: false,
        }
    }
}
