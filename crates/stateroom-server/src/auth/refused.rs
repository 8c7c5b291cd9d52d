//! Why a token does not let its client in.

use super::rules::{SUBJECT_BYTES, TOKEN_BYTES};

/// See the [module](self). What it says is for whoever wrote the client; it repeats nothing of the token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error(
        "a token is needed here: send it as `Authorization: Bearer TOKEN`, or offer the subprotocol \
         `bearer.TOKEN` beside your own"
    )]
    NoToken,
    #[error("there is more than one token in the request: send it in one way")]
    Several,
    #[error("the token must have at most {TOKEN_BYTES} bytes; this one has {0}: put less into it")]
    TooLong(usize),
    #[error("the token must be a JWT, signed with HS256, RS256, ES256 or EdDSA")]
    Malformed,
    #[error("the server has no key for this token: its algorithm or its key id (`kid`) is another")]
    NoKey,
    #[error("the token's signature is wrong: it is signed with another key, or was changed")]
    Signature,
    #[error("the token has expired: log in again")]
    Expired,
    #[error("the token is not valid yet (`nbf`): come back then, or compare the clocks")]
    NotYet,
    #[error("the token is of another issuer (`iss`)")]
    Issuer,
    #[error("the token is for another audience (`aud`)")]
    Audience,
    #[error("the token has an audience (`aud`) and the server has none: set `audience` in [auth]")]
    NoAudience,
    #[error("the token must have the claim `{0}`")]
    Missing(&'static str),
    #[error(
        "the token's `sub` must be a text of 1 to {SUBJECT_BYTES} bytes, without control characters"
    )]
    Subject,
    #[error("the token does not lead into this room: its claim `{0}` has to name it, or `prefix*`")]
    Room(String),
}

impl Refused {
    /// The status and a header of the HTTP answer (RFC 6750 §3).
    pub(crate) fn status(&self) -> (&'static str, &'static str) {
        match self {
            Refused::NoToken => ("401 Unauthorized", "www-authenticate: Bearer\r\n"),
            Refused::Several => {
                ("400 Bad Request", "www-authenticate: Bearer error=\"invalid_request\"\r\n")
            }
            Refused::Room(_) => {
                ("403 Forbidden", "www-authenticate: Bearer error=\"insufficient_scope\"\r\n")
            }
            _ => ("401 Unauthorized", "www-authenticate: Bearer error=\"invalid_token\"\r\n"),
        }
    }
}
