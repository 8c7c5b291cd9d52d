//! Where a handshake has its token: in a header, among the subprotocols, or in the query.

use super::{
    refused::Refused,
    rules::{Auth, TOKEN_BYTES},
};
use crate::headers::{header, items};
use percent_encoding::percent_decode_str;
use std::{borrow::Cow, str::Utf8Error};

/// What a subprotocol begins with that is a token. Browsers can send no other header.
pub(crate) const BEARER: &[u8] = b"bearer.";

/// The token of a request, if it has one.
pub(crate) fn bearer(
    auth: &Auth,
    headers: &[httparse::Header],
    query: &str,
) -> Result<Option<String>, Refused> {
    let of_header = header(headers, "authorization").filter_map(|value| {
        let (scheme, token) = value.split_at_checked(6)?;
        let token = token.strip_prefix(b" ")?;
        scheme.eq_ignore_ascii_case(b"bearer").then_some(token.trim_ascii())
    });
    let offered = items(headers, "sec-websocket-protocol");
    let of_header = of_header.chain(offered.filter_map(|offer| offer.strip_prefix(BEARER)));
    let mut tokens = of_header.map(|token| match str::from_utf8(token) {
        Ok(token) => Ok(token.to_owned()),
        Err(_) => Err(Refused::Malformed),
    });
    let of_query = auth.query_parameter.as_deref().and_then(|name| parameter(query, name));
    let of_query = of_query.map(|token| token.map_err(|_| Refused::Malformed));
    let token = tokens.next();
    if tokens.next().is_some() || (token.is_some() && of_query.is_some()) {
        return Err(Refused::Several);
    }
    let token = token.or(of_query).transpose()?;
    match token.as_ref().map_or(0, String::len) {
        length if length > TOKEN_BYTES => Err(Refused::TooLong(length)),
        _ => Ok(token),
    }
}

/// The first parameter of this name in a query (`application/x-www-form-urlencoded`).
pub(crate) fn parameter(query: &str, name: &str) -> Option<Result<String, Utf8Error>> {
    // A parser of the whole query would put a character of its own in the place of what is no UTF-8, and
    // different tokens would become the same.
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8().map(Cow::into_owned)
    };
    let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let (_, value) = pairs.find(|(given, _)| decode(given).is_ok_and(|given| given == name))?;
    Some(decode(value))
}

#[cfg(test)]
mod tests {
    use super::{super::keys::Keys, *};

    fn found(headers: &[(&str, &[u8])], query: &str) -> Result<Option<String>, Refused> {
        let auth = Auth { query_parameter: Some("jwt".to_owned()), ..Auth::new(Keys::default()) };
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| httparse::Header { name, value }).collect();
        bearer(&auth, &headers, query)
    }

    #[test]
    fn a_token_is_found_wherever_it_may_be() {
        let protocol = "Sec-WebSocket-Protocol";
        let a = || Ok(Some("a.b.c".to_owned()));
        assert_eq!(found(&[], ""), Ok(None));
        assert_eq!(found(&[("Authorization", b"Bearer a.b.c")], ""), a());
        assert_eq!(found(&[("authorization", b"bearer  a.b.c ")], "token=x"), a());
        assert_eq!(found(&[(protocol, b"chat, bearer.a.b.c")], ""), a());
        assert_eq!(found(&[(protocol, b"chat"), (protocol, b"bearer.a.b.c")], ""), a());
        assert_eq!(found(&[], "x=1&jwt=a%2Eb.c"), a());
        assert_eq!(
            found(&[("Authorization", b"Basic eDp5"), (protocol, b"Bearer.x")], ""),
            Ok(None)
        );
        assert_eq!(found(&[("Authorization", b"Bearer")], ""), Ok(None));
        assert_eq!(found(&[], "jwt="), Ok(Some(String::new())));
    }

    #[test]
    fn two_tokens_one_that_is_no_text_and_one_that_is_too_long_are_refused() {
        let protocol = "sec-websocket-protocol";
        let twice = [("authorization", &b"Bearer a"[..]), (protocol, b"bearer.a")];
        assert_eq!(found(&twice, ""), Err(Refused::Several));
        assert_eq!(found(&twice[..1], "jwt=a"), Err(Refused::Several));
        assert_eq!(found(&[(protocol, b"bearer.a, bearer.b")], ""), Err(Refused::Several));
        assert_eq!(found(&[("authorization", b"Bearer \xFF")], ""), Err(Refused::Malformed));
        assert_eq!(found(&[], "jwt=%FF"), Err(Refused::Malformed));
        let longest = [b"Bearer ", &[b'x'; TOKEN_BYTES][..]].concat();
        assert!(found(&[("authorization", &longest)], "").is_ok_and(|token| token.is_some()));
        let longer = [&longest[..], b"x"].concat();
        let refused = Err(Refused::TooLong(TOKEN_BYTES + 1));
        assert_eq!(found(&[("authorization", &longer)], ""), refused);
    }
}
