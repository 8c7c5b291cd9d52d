//! Whose pages may open rooms: a browser tells with each handshake which site the page is of.

use std::{net::IpAddr, str::FromStr};

/// Pages that may open rooms. Clients that are no browsers send no `Origin`, and are not asked for one.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct AllowedOrigin(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// Those of every site.
    Any,
    /// Those of the host that the request is for, whatever its port.
    SameHost,
    /// Those of the browser's own machine.
    Localhost,
    /// Those of this site alone.
    Exact(String),
    /// Those of all hosts whose site begins and ends so.
    Below { scheme: String, domain: String },
}

/// A text that is no [`AllowedOrigin`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no origin: write it like https://app.example.com or https://*.example.com, without a path, or as one \
     of same-host, localhost, null and *"
)]
pub struct NotAnOrigin(String);

impl AllowedOrigin {
    /// Those of every site.
    pub const ANY: Self = AllowedOrigin(Kind::Any);
    /// Those of the host that the request is for, whatever its port.
    pub const SAME_HOST: Self = AllowedOrigin(Kind::SameHost);
    /// Those of the browser's own machine.
    pub const LOCALHOST: Self = AllowedOrigin(Kind::Localhost);

    /// Whether a page of `origin` may open rooms of the server that it calls `host`.
    pub(crate) fn allows(&self, origin: &str, host: &str) -> bool {
        let origin = origin.to_ascii_lowercase();
        match &self.0 {
            Kind::Any => true,
            Kind::Exact(exact) => *exact == origin,
            Kind::SameHost => {
                let page = host_of(&origin);
                page.is_some_and(|page| page.eq_ignore_ascii_case(without_port(host)))
            }
            Kind::Localhost => host_of(&origin).is_some_and(is_local),
            Kind::Below { scheme, domain } => {
                let host = origin.strip_prefix(scheme).and_then(|rest| rest.strip_suffix(domain));
                host.is_some_and(|host| {
                    !host.is_empty() && !host.ends_with('.') && !host.contains([':', '/', '@'])
                })
            }
        }
    }
}

impl std::fmt::Display for AllowedOrigin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Kind::Any => formatter.write_str("*"),
            Kind::SameHost => formatter.write_str("same-host"),
            Kind::Localhost => formatter.write_str("localhost"),
            Kind::Exact(origin) => formatter.write_str(origin),
            Kind::Below { scheme, domain } => write!(formatter, "{scheme}*{domain}"),
        }
    }
}

impl FromStr for AllowedOrigin {
    type Err = NotAnOrigin;

    fn from_str(text: &str) -> Result<Self, NotAnOrigin> {
        let wrong = || NotAnOrigin(text.to_owned());
        let origin = text.trim().to_ascii_lowercase();
        let kind = match &*origin {
            "*" => Kind::Any,
            "same-host" => Kind::SameHost,
            "localhost" => Kind::Localhost,
            "null" => Kind::Exact(origin),
            _ => {
                let (scheme, host) = origin.split_once("://").ok_or_else(wrong)?;
                let is_scheme = |text: &str| {
                    !text.is_empty()
                        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                };
                if !is_scheme(scheme) || host.contains(['/', '?', '#', '@', ',', ' ']) {
                    return Err(wrong());
                }
                // Browsers leave out the port that is the scheme's own.
                let own = match scheme {
                    "https" => ":443",
                    "http" => ":80",
                    _ => "",
                };
                let host = host.strip_suffix(own).unwrap_or(host);
                let name = without_port(host);
                match host.strip_prefix('*') {
                    Some(domain)
                        if name.len() > 2 && domain.starts_with('.') && !domain.contains('*') =>
                    {
                        Kind::Below { scheme: format!("{scheme}://"), domain: domain.to_owned() }
                    }
                    None if !name.is_empty() && !host.contains('*') => {
                        Kind::Exact(format!("{scheme}://{host}"))
                    }
                    _ => return Err(wrong()),
                }
            }
        };
        Ok(AllowedOrigin(kind))
    }
}

impl TryFrom<String> for AllowedOrigin {
    type Error = NotAnOrigin;

    fn try_from(text: String) -> Result<Self, NotAnOrigin> {
        text.parse()
    }
}

/// The name of the host of an origin.
fn host_of(origin: &str) -> Option<&str> {
    let (_, host) = origin.split_once("://")?;
    Some(without_port(host))
}

/// A host without its port; an address of IPv6 has colons within brackets.
fn without_port(host: &str) -> &str {
    let name_end = host.rfind(']').map_or(0, |end| end + 1);
    let (before, rest) = host.split_at_checked(name_end).unwrap_or(("", host));
    match rest.find(':') {
        Some(colon) => host.get(..before.len() + colon).unwrap_or(host),
        None => host,
    }
}

/// Whether it is the name of the machine that asks for it.
fn is_local(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost"
        || host.ends_with(".localhost")
        || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::AllowedOrigin;

    #[test]
    fn an_origin_is_allowed_by_what_names_it() {
        for (allowed, origin, host, is_allowed) in [
            ("*", "https://evil.example", "a", true),
            ("*", "null", "a", true),
            ("same-host", "https://rooms.example.com", "rooms.example.com", true),
            ("same-host", "https://Rooms.example.com:8443", "rooms.EXAMPLE.com", true),
            ("same-host", "http://rooms.example.com", "rooms.example.com:8080", true),
            ("same-host", "http://[::1]:3000", "[::1]:8080", true),
            ("same-host", "http://127.0.0.1:3000", "127.0.0.1:8080", true),
            ("same-host", "https://evil.example", "rooms.example.com", false),
            ("same-host", "https://rooms.example.com.evil.example", "rooms.example.com", false),
            ("same-host", "https://example.com", "rooms.example.com", false),
            ("same-host", "null", "null", false),
            ("same-host", "", "", false),
            ("same-host", "http://localhost:8080", "rooms.example.com", false),
            ("localhost", "http://localhost:5173", "x", true),
            ("localhost", "http://app.localhost", "x", true),
            ("localhost", "http://127.0.0.1:3000", "x", true),
            ("localhost", "http://[::1]:3000", "x", true),
            ("localhost", "http://localhost.evil.example", "x", false),
            ("localhost", "http://127.0.0.1.evil.example", "x", false),
            ("localhost", "null", "x", false),
            ("null", "null", "x", true),
            ("null", "https://null", "x", false),
            ("https://app.example.com", "https://app.example.com", "x", true),
            ("https://App.example.com:443", "https://app.example.com", "x", true),
            ("https://app.example.com", "http://app.example.com", "x", false),
            ("https://app.example.com", "https://app.example.com:8443", "x", false),
            ("https://app.example.com", "https://app.example.com.evil.example", "x", false),
            ("https://*.example.com", "https://a.example.com", "x", true),
            ("https://*.example.com", "https://a.b.example.com", "x", true),
            ("https://*.example.com", "https://example.com", "x", false),
            ("https://*.example.com", "https://.example.com", "x", false),
            ("https://*.example.com", "https://evilexample.com", "x", false),
            ("https://*.example.com", "http://a.example.com", "x", false),
            ("https://*.example.com", "https://a.example.com:8443", "x", false),
            ("https://*.example.com", "https://evil.example/.example.com", "x", false),
            ("https://*.example.com:8443", "https://a.example.com:8443", "x", true),
            ("chrome-extension://abc", "chrome-extension://abc", "x", true),
        ] {
            let allowed: AllowedOrigin = allowed.parse().unwrap();
            assert_eq!(allowed.allows(origin, host), is_allowed, "{allowed} {origin} {host}");
        }
    }

    #[test]
    fn an_origin_has_a_scheme_and_no_path() {
        for text in [
            "",
            "example.com",
            "*.example.com",
            "https://",
            "https://example.com/",
            "https://example.com/app",
            "https://*",
            "https://*.",
            "https://a.*.com",
            "https://*x.com",
            "https://*.*.com",
            "://example.com",
            "https://me@example.com",
        ] {
            let error = text.parse::<AllowedOrigin>().unwrap_err().to_string();
            assert!(error.contains("like https://app.example.com"), "{error}");
        }
    }
}
