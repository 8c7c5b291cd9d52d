//! Which tokens are taken, at which time, with which keys.

use super::{Auth, Keys, KeysError, Refused, rules::SUBJECT_BYTES};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use std::time::Duration;

macro_rules! file {
    ($name:literal) => {
        include_bytes!(concat!("../../tests/keys/", $name))
    };
}

const SECRET: &[u8] = b"a secret of more than 32 bytes, for tests";
const NOW: Duration = Duration::from_secs(1_000_000);

fn signed(algorithm: Algorithm, key: &EncodingKey, id: Option<&str>, claims: &Value) -> String {
    let header = Header { kid: id.map(str::to_owned), ..Header::new(algorithm) };
    encode(&header, claims, key).unwrap()
}

fn by_secret(claims: &Value) -> String {
    signed(Algorithm::HS256, &EncodingKey::from_secret(SECRET), None, claims)
}

fn ada() -> Value {
    json!({ "sub": "ada", "exp": 1_000_100 })
}

/// Ada, with these claims besides.
fn ada_with(more: &Value) -> Value {
    let mut claims = ada();
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    claims
}

fn auth(add: impl FnOnce(&mut Keys) -> Result<(), KeysError>) -> Auth {
    let mut keys = Keys::default();
    add(&mut keys).unwrap();
    Auth::new(keys)
}

fn with_secret() -> Auth {
    auth(|keys| keys.add_secret(SECRET))
}

fn admit(auth: &Auth, token: &str) -> Result<(), Refused> {
    auth.admit(Some(token.to_owned()), "lobby", NOW).map(|identity| assert!(identity.is_some()))
}

fn rsa() -> EncodingKey {
    EncodingKey::from_rsa_pem(file!("rsa.pem")).unwrap()
}

fn ec() -> EncodingKey {
    EncodingKey::from_ec_pem(file!("ec.pem")).unwrap()
}

fn ed() -> EncodingKey {
    EncodingKey::from_ed_pem(file!("ed.pem")).unwrap()
}

#[test]
fn each_algorithm_is_taken_with_its_key_and_with_no_other() {
    let ways = [
        (Algorithm::HS256, EncodingKey::from_secret(SECRET), "h", with_secret()),
        (Algorithm::RS256, rsa(), "r", auth(|keys| keys.add_public_key(file!("rsa.pub.pem")))),
        (Algorithm::ES256, ec(), "e", auth(|keys| keys.add_public_key(file!("ec.pub.pem")))),
        (Algorithm::EdDSA, ed(), "d", auth(|keys| keys.add_public_key(file!("ed.pub.pem")))),
    ];
    let all = auth(|keys| keys.add_jwks(file!("jwks.json")));
    for (algorithm, key, id, auth) in &ways {
        let token = signed(*algorithm, key, None, &ada());
        assert_eq!(admit(&all, &token), Ok(()), "{algorithm:?}");
        let named = signed(*algorithm, key, Some(id), &ada());
        assert_eq!(admit(&all, &named), Ok(()), "{algorithm:?}");
        let unknown = signed(*algorithm, key, Some("unknown"), &ada());
        assert_eq!(admit(&all, &unknown), Err(Refused::NoKey), "{algorithm:?}");
        // A key without an id is for all of its algorithm.
        assert_eq!(admit(auth, &unknown), Ok(()), "{algorithm:?}");
        for (other, .., other_auth) in &ways {
            let expected = if other == algorithm { Ok(()) } else { Err(Refused::NoKey) };
            assert_eq!(admit(other_auth, &token), expected, "{algorithm:?} for {other:?}");
        }
    }
}

#[test]
fn what_is_signed_with_a_public_key_as_a_secret_or_not_at_all_is_refused() {
    for pem in [&file!("rsa.pub.pem")[..], file!("ec.pub.pem"), file!("ed.pub.pem")] {
        let auth = auth(|keys| keys.add_public_key(pem));
        let forged = signed(Algorithm::HS256, &EncodingKey::from_secret(pem), None, &ada());
        assert_eq!(admit(&auth, &forged), Err(Refused::NoKey));
    }
    let token = by_secret(&ada());
    let (_, rest) = token.split_once('.').unwrap();
    let (claims, _) = rest.split_once('.').unwrap();
    // {"alg":"none"}, {"alg":"HS256","crit":["x"]}
    for header in ["eyJhbGciOiJub25lIn0", "eyJhbGciOiJIUzI1NiIsImNyaXQiOlsieCJdfQ"] {
        assert_eq!(admit(&with_secret(), &format!("{header}.{claims}.")), Err(Refused::Malformed));
    }
    let longer = signed(Algorithm::HS512, &EncodingKey::from_secret(SECRET), None, &ada());
    assert_eq!(admit(&with_secret(), &longer), Err(Refused::NoKey));
}

#[test]
fn what_is_changed_or_is_no_token_is_refused() {
    let token = by_secret(&ada());
    let (head, signature) = token.rsplit_once('.').unwrap();
    let other = by_secret(&json!({ "sub": "bob", "exp": 1_000_100 }));
    let (other_head, _) = other.rsplit_once('.').unwrap();
    let auth = with_secret();
    assert_eq!(admit(&auth, &format!("{other_head}.{signature}")), Err(Refused::Signature));
    assert_eq!(admit(&auth, &format!("{head}.")), Err(Refused::Signature));
    let other_key = EncodingKey::from_secret(b"another secret of more than 32 bytes!");
    let foreign = signed(Algorithm::HS256, &other_key, None, &ada());
    assert_eq!(admit(&auth, &foreign), Err(Refused::Signature));
    for token in
        ["", ".", "..", "...", "a.b.c", "é", head, &format!("{token}."), &format!(" {token}")]
    {
        assert_eq!(admit(&auth, token), Err(Refused::Malformed), "{token}");
    }
}

#[test]
fn a_token_with_any_byte_changed_removed_or_added_is_refused() {
    let (auth, token) = (with_secret(), by_secret(&ada()));
    let check = |changed: String| {
        assert!(changed == token || admit(&auth, &changed).is_err(), "{changed}");
    };
    for place in 0..token.len() {
        let (before, after) = token.split_at(place);
        for byte in 0..128_u8 {
            let other = char::from(byte);
            check(format!("{before}{other}{}", &after[1..]));
            check(format!("{before}{other}{after}"));
        }
        check(format!("{before}{}", &after[1..]));
        check(before.to_owned());
    }
}

#[test]
fn a_token_is_taken_from_its_first_moment_to_its_last() {
    let auth = Auth { leeway: Duration::from_secs(10), ..with_secret() };
    let token = by_secret(&ada_with(&json!({ "nbf": 1_000_000.5 })));
    for (milliseconds, expected) in [
        (999_990_499, Err(Refused::NotYet)),
        (999_990_500, Ok(Duration::from_secs(1_000_110))),
        (1_000_109_999, Ok(Duration::from_secs(1_000_110))),
        (1_000_110_000, Err(Refused::Expired)),
        (9_000_000_000, Err(Refused::Expired)),
    ] {
        let now = Duration::from_millis(milliseconds);
        let until = auth.admit(Some(token.clone()), "lobby", now).map(|ada| ada.unwrap().until);
        assert_eq!(until, expected, "at {milliseconds} ms");
    }
    for (claims, expected) in [
        (json!({ "sub": "ada" }), Err(Refused::Missing("exp"))),
        (json!({ "sub": "ada", "exp": "1000100" }), Err(Refused::Missing("exp"))),
        (json!({ "sub": "ada", "exp": -1 }), Err(Refused::Missing("exp"))),
        (json!({ "sub": "ada", "exp": 1e300 }), Err(Refused::Missing("exp"))),
        (json!({ "sub": "ada", "exp": 0 }), Err(Refused::Expired)),
        (json!({ "sub": "ada", "exp": 1.9e19 }), Err(Refused::Missing("exp"))),
        (json!({ "sub": "ada", "exp": 1.8e19 }), Ok(())),
        (ada_with(&json!({ "nbf": "soon" })), Err(Refused::NotYet)),
        (ada_with(&json!({ "nbf": null })), Err(Refused::NotYet)),
    ] {
        assert_eq!(admit(&auth, &by_secret(&claims)), expected, "{claims}");
    }
}

#[test]
fn issuer_and_audience_have_to_be_ours() {
    let theirs = ada_with(&json!({ "iss": "https://id", "aud": ["rooms", "more"] }));
    let theirs = by_secret(&theirs);
    let auth = |issuer: Option<&str>, audience: Option<&str>| Auth {
        issuer: issuer.map(str::to_owned),
        audience: audience.map(str::to_owned),
        ..with_secret()
    };
    assert_eq!(admit(&auth(Some("https://id"), Some("rooms")), &theirs), Ok(()));
    assert_eq!(admit(&auth(None, Some("more")), &theirs), Ok(()));
    assert_eq!(admit(&auth(Some("https://id"), Some("other")), &theirs), Err(Refused::Audience));
    assert_eq!(admit(&auth(Some("other"), Some("rooms")), &theirs), Err(Refused::Issuer));
    assert_eq!(admit(&auth(None, None), &theirs), Err(Refused::NoAudience));
    let without = by_secret(&ada());
    assert_eq!(admit(&auth(None, None), &without), Ok(()));
    assert_eq!(admit(&auth(Some("https://id"), None), &without), Err(Refused::Issuer));
    assert_eq!(admit(&auth(None, Some("rooms")), &without), Err(Refused::Audience));
}

#[test]
fn a_subject_is_a_text_of_1_to_255_bytes() {
    for (subject, is_one) in [
        (json!("a"), true),
        (json!("x".repeat(SUBJECT_BYTES)), true),
        (json!("auth0|über"), true),
        (json!(""), false),
        (json!("x".repeat(SUBJECT_BYTES + 1)), false),
        (json!("ada\u{0}phone"), false),
        (json!("ada\n"), false),
    ] {
        let token = by_secret(&json!({ "sub": subject, "exp": 1_000_100 }));
        let expected = if is_one { Ok(()) } else { Err(Refused::Subject) };
        assert_eq!(admit(&with_secret(), &token), expected, "{subject}");
    }
    for (subject, refused) in [
        (json!(null), Refused::Missing("sub")),
        (json!(7), Refused::Missing("sub")),
        (json!(["ada"]), Refused::Malformed),
    ] {
        let token = by_secret(&json!({ "sub": subject, "exp": 1_000_100 }));
        assert_eq!(admit(&with_secret(), &token), Err(refused), "{subject}");
    }
}

#[test]
fn the_claim_says_which_rooms_may_be_entered_and_who_has_no_token_may_come_or_not() {
    let auth = Auth { rooms_claim: Some("rooms".to_owned()), ..with_secret() };
    let refused = Err(Refused::Room("rooms".to_owned()));
    assert_eq!(admit(&auth, &by_secret(&ada_with(&json!({ "rooms": ["lob*"] })))), Ok(()));
    assert_eq!(admit(&auth, &by_secret(&ada_with(&json!({ "rooms": ["other"] })))), refused);
    assert_eq!(admit(&auth, &by_secret(&ada())), refused);
    assert_eq!(auth.admit(None, "lobby", NOW), Err(Refused::NoToken));
    let open = Auth { anonymous: true, ..auth };
    assert_eq!(open.admit(None, "lobby", NOW), Ok(None));
    // Whoever shows a token that is none is not let in without.
    assert_eq!(admit(&open, ""), Err(Refused::Malformed));
    assert_eq!(admit(&open, &by_secret(&ada())), refused);
}

#[test]
fn keys_that_cannot_be_used_are_told() {
    let add = |add: &dyn Fn(&mut Keys) -> Result<(), KeysError>| add(&mut Keys::default());
    for pem in [&file!("rsa1024.pub.pem")[..], file!("p384.pub.pem"), b"", b"\xFF", b"secret"] {
        assert_eq!(add(&|keys| keys.add_public_key(pem)), Err(KeysError::NotAKey));
    }
    for pem in [&file!("rsa.pem")[..], file!("ec.pem"), file!("ed.pem")] {
        assert_eq!(add(&|keys| keys.add_public_key(pem)), Err(KeysError::Private));
    }
    for secret in [&file!("rsa.pub.pem")[..], file!("jwks.json")] {
        assert_eq!(add(&|keys| keys.add_secret(secret)), Err(KeysError::NotASecret));
    }
    assert_eq!(add(&|keys| keys.add_secret(&[7; 31])), Err(KeysError::ShortSecret(31)));
    assert_eq!(add(&|keys| keys.add_secret(&[7; 32])), Ok(()));
    assert_eq!(add(&|keys| keys.add_secret(&[7; 64 << 10])), Ok(()));
    let large = vec![b' '; (64 << 10) + 1];
    for result in [
        add(&|keys| keys.add_secret(&large)),
        add(&|keys| keys.add_public_key(&large)),
        add(&|keys| keys.add_jwks(&large)),
    ] {
        assert_eq!(result, Err(KeysError::TooLarge(large.len())));
    }
    for json in ["", "[]", "{}", r#"{"keys":7}"#] {
        let error = add(&|keys| keys.add_jwks(json.as_bytes()));
        assert!(matches!(error, Err(KeysError::NotAJwks(_))), "{json}");
    }
    for key in [
        r#"{"kty":"oct","k":"c2hvcnQ"}"#,
        r#"{"kty":"OKP","crv":"Ed25519","x":"c2hvcnQ"}"#,
        r#"{"kty":"EC","crv":"P-256","x":"c2hvcnQ","y":"c2hvcnQ"}"#,
        r#"{"kty":"RSA","n":"c2hvcnQ","e":"AQAB"}"#,
        r#"{"kty":"RSA","n":"!","e":"!"}"#,
        r#"{"kty":"new"}"#,
        "7",
    ] {
        let set = format!(r#"{{"keys":[{key}]}}"#);
        let error = add(&|keys| keys.add_jwks(set.as_bytes()));
        assert_eq!(error, Err(KeysError::NoneUsable(1)), "{key}");
    }
}

#[test]
fn there_are_at_most_16_keys_and_4_are_tried_unless_the_token_names_its_key() {
    let mut keys = Keys::default();
    let id = |number: u8| format!("key-{number}");
    for number in 0..16 {
        let k = URL_SAFE_NO_PAD.encode([number; 32]);
        let jwks = json!({ "keys": [{ "kty": "oct", "kid": id(number), "k": k }] });
        keys.add_jwks(jwks.to_string().as_bytes()).unwrap();
    }
    assert_eq!(keys.add_secret(SECRET), Err(KeysError::TooMany));
    assert_eq!(keys.add_jwks(file!("jwks.json")), Err(KeysError::TooMany));
    let auth = Auth::new(keys);
    for number in 0..16 {
        let key = EncodingKey::from_secret(&[number; 32]);
        let token = |id: Option<&str>| signed(Algorithm::HS256, &key, id, &ada());
        assert_eq!(admit(&auth, &token(Some(&id(number)))), Ok(()));
        let expected = if number < 4 { Ok(()) } else { Err(Refused::Signature) };
        assert_eq!(admit(&auth, &token(None)), expected);
    }
}
