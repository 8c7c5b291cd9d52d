//! Where a client comes from whose connection a proxy has made for it.

use crate::{headers::items, request::HEADERS, trusted_proxy::TrustedProxy};
use std::net::{IpAddr, SocketAddr};

/// Each proxy adds to it whom it speaks for, so that the last one is the nearest. The header `Forwarded` of
/// RFC 7239 is not read: a proxy that sets the one may pass on the other as its client has sent it.
const HEADER: &str = "x-forwarded-for";

/// Where the client comes from that sent this head, if `trusted` proxies say so: `None` if it is where its
/// connection comes from.
pub(crate) fn client_address(
    peer: IpAddr,
    head: &[u8],
    trusted: &[TrustedProxy],
) -> Option<IpAddr> {
    let is_trusted = |address: IpAddr| trusted.iter().any(|proxy| proxy.is_at(address));
    if !is_trusted(peer.to_canonical()) {
        return None;
    }
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    request.parse(head).ok()?;
    let hops = items(request.headers, HEADER);
    let mut client = None;
    // What stands before the first that is no trusted proxy is only what that one says.
    for hop in hops.rev() {
        let Some(address) = address(hop) else { break };
        client = Some(address);
        if !is_trusted(address) {
            break;
        }
    }
    client
}

/// Some proxies add the port.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?.trim();
    let socket = || text.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    text.parse::<IpAddr>().ok().or_else(socket).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who `headers` say that it is, from `peer`, where 10.0.0.0/8 and ::1 are trusted.
    fn told(peer: &str, headers: &str) -> Option<String> {
        let trusted = ["10.0.0.0/8", "::1"].map(|text| text.parse().unwrap());
        let head = format!("GET /ws HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
        let address = client_address(peer.parse().unwrap(), head.as_bytes(), &trusted);
        address.map(|address| address.to_string())
    }

    #[test]
    fn a_trusted_proxy_is_believed_and_nobody_else() {
        let header = "X-Forwarded-For: 203.0.113.9\r\n";
        for (peer, expected) in [
            ("10.1.2.3", Some("203.0.113.9")),
            ("::1", Some("203.0.113.9")),
            ("::ffff:10.1.2.3", Some("203.0.113.9")),
            ("192.0.2.1", None),
            ("::2", None),
        ] {
            assert_eq!(told(peer, header).as_deref(), expected, "{peer}");
        }
    }

    #[test]
    fn what_a_client_claims_before_the_nearest_proxy_speaks_counts_for_nothing() {
        for (headers, expected) in [
            ("", None),
            ("Forwarded: for=198.51.100.7\r\n", None),
            ("X-Forwarded-For: 198.51.100.7, 203.0.113.9\r\n", Some("203.0.113.9")),
            ("x-forwarded-for: 198.51.100.7, 203.0.113.9,10.9.9.9\r\n", Some("203.0.113.9")),
            (
                "x-forwarded-for: 198.51.100.7\r\nX-Forwarded-For: 203.0.113.9\r\n",
                Some("203.0.113.9"),
            ),
            ("x-forwarded-for: 203.0.113.9, unknown, 10.9.9.9\r\n", Some("10.9.9.9")),
            ("x-forwarded-for: 203.0.113.9, \r\n", None),
            ("x-forwarded-for: 203.0.113.9:4711\r\n", Some("203.0.113.9")),
            ("x-forwarded-for: [2001:db8::9]:4711\r\n", Some("2001:db8::9")),
            ("x-forwarded-for: 2001:db8::9\r\n", Some("2001:db8::9")),
        ] {
            assert_eq!(told("10.1.2.3", headers).as_deref(), expected, "{headers:?}");
        }
    }
}
