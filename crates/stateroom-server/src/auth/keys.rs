//! The keys that tokens are checked with. What a key is for follows from the key, never from a token.

use jsonwebtoken::{
    Algorithm, DecodingKey,
    crypto::verify,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

/// How many there may be.
const KEYS: usize = 16;

/// How many of them are tried with one token: it takes up to half a millisecond of a thread that has rooms. A token
/// whose header names its key is tried with that one.
const TRIED: usize = 4;

/// How many bytes that which holds keys may have.
const SOURCE_BYTES: usize = 64 * 1024;

/// RFC 7518 §3.2: at least as long as what it makes.
const SECRET_BYTES: usize = 32;

/// RFC 7518 §3.3: 2048 bits.
const MODULUS_BYTES: usize = 256;

/// The keys of a server, at most 16.
#[derive(Debug, Clone, Default)]
pub struct Keys(Arc<Vec<Key>>);

#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) algorithm: Algorithm,
    /// Which tokens of that algorithm it is for; without it, all.
    pub(super) id: Option<String>,
    pub(super) key: DecodingKey,
}

/// What is wrong with a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// It has more bytes than that which holds keys may have.
    #[error("a key, or a file of keys, must have at most {SOURCE_BYTES} bytes; this one has {0}")]
    TooLarge(usize),
    /// There are more than there can be.
    #[error("there can be {KEYS} keys at most: remove those that sign no more tokens")]
    TooMany,
    /// It could be guessed.
    #[error(
        "a secret for HS256 must have at least {SECRET_BYTES} bytes; this one has {0}: make one with \
         `openssl rand -hex 32`"
    )]
    ShortSecret(usize),
    /// It is for who makes tokens.
    #[error(
        "this is a private key, which a server that only checks tokens should not have: write its public part \
         to a file, with `openssl pkey -in private.pem -pubout -out public.pem`"
    )]
    Private,
    /// It is none that can be used.
    #[error(
        "this is no public key in PEM of RSA (2048 bits or more), ECDSA with P-256, or Ed25519"
    )]
    NotAKey,
    /// It is a public key, and would be known to everybody.
    #[error("this is no secret, but a key in PEM or a JWKS: give it as what it is")]
    NotASecret,
    /// It is no set of keys.
    #[error("this is no JWKS, which is JSON like {{\"keys\": [...]}}: {0}")]
    NotAJwks(String),
    /// It holds nothing that tokens can be checked with.
    #[error(
        "none of the {0} keys of this JWKS can be used: one must be RSA (2048 bits or more), EC with P-256, OKP with \
         Ed25519, or oct (32 bytes or more), for RS256, ES256, EdDSA or HS256"
    )]
    NoneUsable(usize),
}

impl Keys {
    /// Adds a secret, for HS256.
    ///
    /// # Errors
    /// When it is too short, or a key of another kind.
    pub fn add_secret(&mut self, secret: &[u8]) -> Result<(), KeysError> {
        check_size(secret)?;
        if contains(secret, b"-----BEGIN") || contains(secret, b"\"kty\"") {
            return Err(KeysError::NotASecret);
        }
        if secret.len() < SECRET_BYTES {
            return Err(KeysError::ShortSecret(secret.len()));
        }
        let key = DecodingKey::from_secret(secret);
        self.add(Key { algorithm: Algorithm::HS256, id: None, key })
    }

    /// Adds a public key in PEM: RSA for RS256, ECDSA with P-256 for ES256, Ed25519 for EdDSA.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn add_public_key(&mut self, pem: &[u8]) -> Result<(), KeysError> {
        check_size(pem)?;
        if contains(pem, b"PRIVATE KEY-----") {
            return Err(KeysError::Private);
        }
        let kinds = [
            (Algorithm::RS256, DecodingKey::from_rsa_pem(pem)),
            (Algorithm::ES256, DecodingKey::from_ec_pem(pem)),
            (Algorithm::EdDSA, DecodingKey::from_ed_pem(pem)),
        ];
        let mut keys =
            kinds.into_iter().filter_map(|(algorithm, key)| Some((algorithm, key.ok()?)));
        let (algorithm, key) = keys.next().ok_or(KeysError::NotAKey)?;
        let jwk = Jwk::from_decoding_key(&key, Some(algorithm)).map_err(|_| KeysError::NotAKey)?;
        self.add(usable(&jwk).ok_or(KeysError::NotAKey)?)
    }

    /// Adds all keys of a JWKS (RFC 7517) that can be used, and passes over the others.
    ///
    /// # Errors
    /// When it is none, or none of its keys can be used.
    pub fn add_jwks(&mut self, json: &[u8]) -> Result<(), KeysError> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        check_size(json)?;
        let set: Set =
            serde_json::from_slice(json).map_err(|error| KeysError::NotAJwks(error.to_string()))?;
        let all = set.keys.len();
        let jwks = set.keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        let mut keys = jwks.filter_map(|jwk| usable(&jwk)).peekable();
        if keys.peek().is_none() {
            return Err(KeysError::NoneUsable(all));
        }
        keys.try_for_each(|key| self.add(key))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those to try with a token whose header says this: a few of those that may have signed it.
    pub(super) fn of(&self, algorithm: Algorithm, id: Option<&str>) -> impl Iterator<Item = &Key> {
        let fit = self.0.iter().filter(move |key| {
            let is_other = key.id.as_deref().zip(id).is_some_and(|(ours, theirs)| ours != theirs);
            key.algorithm == algorithm && !is_other
        });
        fit.take(TRIED)
    }

    fn add(&mut self, key: Key) -> Result<(), KeysError> {
        if self.0.len() == KEYS {
            return Err(KeysError::TooMany);
        }
        Arc::make_mut(&mut self.0).push(key);
        Ok(())
    }
}

/// Two are the same when they come from the same loading: secrets are not compared.
impl PartialEq for Keys {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Keys {}

/// The key for tokens, if it is one that can be used.
fn usable(jwk: &Jwk) -> Option<Key> {
    // Of the right length: a shorter one of Ed25519 is not even looked at without a panic.
    let bytes = |text: &str| {
        use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
        URL_SAFE_NO_PAD.decode(text).map_or(0, |bytes| bytes.len())
    };
    let (algorithm, named, is_good) = match &jwk.algorithm {
        AlgorithmParameters::RSA(key) => {
            (Algorithm::RS256, KeyAlgorithm::RS256, bytes(&key.n) >= MODULUS_BYTES)
        }
        AlgorithmParameters::EllipticCurve(key) => {
            (Algorithm::ES256, KeyAlgorithm::ES256, key.curve == EllipticCurve::P256)
        }
        AlgorithmParameters::OctetKeyPair(key) => {
            let is_good = key.curve == EllipticCurve::Ed25519 && bytes(&key.x) == 32;
            (Algorithm::EdDSA, KeyAlgorithm::EdDSA, is_good)
        }
        AlgorithmParameters::OctetKey(key) => {
            (Algorithm::HS256, KeyAlgorithm::HS256, bytes(&key.value) >= SECRET_BYTES)
        }
        _ => return None,
    };
    let is_for_signatures = !matches!(&jwk.common.public_key_use, Some(PublicKeyUse::Encryption));
    let is_for_another = jwk.common.key_algorithm.is_some_and(|given| given != named);
    if !is_good || !is_for_signatures || is_for_another {
        return None;
    }
    let key = DecodingKey::from_jwk(jwk).ok()?;
    // Whether it is a point of its curve, and so on, shows when it is used.
    verify("AA", b"", &key, algorithm).ok()?;
    Some(Key { algorithm, id: jwk.common.key_id.clone(), key })
}

fn check_size(source: &[u8]) -> Result<(), KeysError> {
    match source.len() {
        length if length > SOURCE_BYTES => Err(KeysError::TooLarge(length)),
        _ => Ok(()),
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
