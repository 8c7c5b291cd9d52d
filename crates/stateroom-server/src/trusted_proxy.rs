//! Which proxies are believed when they tell where a client comes from.

use ipnet::IpNet;
use std::{net::IpAddr, str::FromStr};

/// A proxy, or a network of them, that is believed when it tells where a client comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct TrustedProxy(IpNet);

/// A text that is no [`TrustedProxy`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither an IP address nor a network such as 10.0.0.0/8")]
pub struct NotAProxy(String);

impl FromStr for TrustedProxy {
    type Err = NotAProxy;

    fn from_str(text: &str) -> Result<Self, NotAProxy> {
        let text = text.trim();
        let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network.map(TrustedProxy).map_err(|_| NotAProxy(text.to_owned()))
    }
}

impl TryFrom<String> for TrustedProxy {
    type Error = NotAProxy;

    fn try_from(text: String) -> Result<Self, NotAProxy> {
        text.parse()
    }
}

impl TrustedProxy {
    /// Whether it has this address, which is canonical.
    pub(crate) fn is_at(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }
}

#[cfg(test)]
mod tests {
    use super::TrustedProxy;

    #[test]
    fn a_proxy_is_an_address_or_a_network() {
        for text in ["127.0.0.1", " ::1", "10.0.0.0/8", "fd00::/8"] {
            assert!(text.parse::<TrustedProxy>().is_ok(), "{text}");
        }
        for text in ["", "localhost", "10.0.0.0/33", "127.0.0.1:80"] {
            let error = text.parse::<TrustedProxy>().unwrap_err().to_string();
            assert!(error.contains("neither an IP address nor a network"), "{error}");
        }
    }
}
