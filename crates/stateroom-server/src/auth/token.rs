//! A token (JWT, RFC 7519): is it signed with one of our keys, for us, and valid at this time?

use super::{
    refused::Refused,
    rules::{Auth, SUBJECT_BYTES},
};
use jsonwebtoken::{Algorithm, Validation, decode, decode_header, errors::ErrorKind};
use serde_json::{Map, Value};
use std::time::Duration;

/// What a token says of its client.
#[derive(Debug)]
pub(super) struct Claims {
    pub(super) subject: String,
    /// Until when it is taken, since 1970.
    pub(super) until: Duration,
    pub(super) others: Map<String, Value>,
}

impl Auth {
    /// Checks a token at a time since 1970.
    pub(super) fn verify(&self, token: &str, now: Duration) -> Result<Claims, Refused> {
        let header = decode_header(token).map_err(|_| Refused::Malformed)?;
        // What it says must be understood, and we know of no such thing (RFC 7515 §4.1.11).
        if header.crit.is_some() {
            return Err(Refused::Malformed);
        }
        let validation = self.validation(header.alg);
        let mut refused = Refused::NoKey;
        for key in self.keys.of(header.alg, header.kid.as_deref()) {
            match decode::<Map<String, Value>>(token, &key.key, &validation) {
                Ok(data) => return self.valid(data.claims, now),
                Err(error) => refused = self.reason(error.kind()),
            }
            if refused != Refused::Signature {
                break;
            }
        }
        Err(refused)
    }

    /// What else than time is to be looked at.
    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        (validation.validate_exp, validation.validate_nbf) = (false, false);
        let mut required = vec!["exp", "sub"];
        if let Some(issuer) = &self.issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        if let Some(audience) = &self.audience {
            validation.set_audience(&[audience]);
            required.push("aud");
        }
        validation.set_required_spec_claims(&required);
        validation
    }

    fn reason(&self, kind: &ErrorKind) -> Refused {
        match kind {
            ErrorKind::InvalidSignature => Refused::Signature,
            ErrorKind::InvalidIssuer => Refused::Issuer,
            ErrorKind::InvalidAudience if self.audience.is_none() => Refused::NoAudience,
            ErrorKind::InvalidAudience => Refused::Audience,
            ErrorKind::MissingRequiredClaim(claim) => match claim.as_str() {
                "iss" => Refused::Issuer,
                "aud" => Refused::Audience,
                "exp" => Refused::Missing("exp"),
                _ => Refused::Missing("sub"),
            },
            _ => Refused::Malformed,
        }
    }

    /// Whether the claims of a token that is ours are valid now.
    fn valid(&self, mut others: Map<String, Value>, now: Duration) -> Result<Claims, Refused> {
        let time = |claim: &Value| {
            claim.as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        };
        let expires = others.get("exp").and_then(time).ok_or(Refused::Missing("exp"))?;
        let until = expires.saturating_add(self.leeway);
        if until <= now {
            return Err(Refused::Expired);
        }
        if let Some(not_before) = others.get("nbf")
            && time(not_before).is_none_or(|time| time > now.saturating_add(self.leeway))
        {
            return Err(Refused::NotYet);
        }
        let subject = match others.remove("sub") {
            Some(Value::String(subject)) => subject,
            _ => return Err(Refused::Subject),
        };
        let is_good = (1..=SUBJECT_BYTES).contains(&subject.len());
        match is_good && !subject.chars().any(char::is_control) {
            true => Ok(Claims { subject, until, others }),
            false => Err(Refused::Subject),
        }
    }
}
