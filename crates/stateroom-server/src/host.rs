//! The address to listen on, as people write it: an IP address, or a name of this machine.

use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs};

/// A text that is no address of this machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no IP address, nor a name of this machine: give localhost, 0.0.0.0 for all addresses, or one \
     such as 192.0.2.1"
)]
pub struct HostError(String);

/// The address that `text` means.
///
/// # Errors
/// When it means none.
pub fn resolve_host(text: &str) -> Result<IpAddr, HostError> {
    // Whatever the system thinks of it: clients mostly try this one first.
    if text.eq_ignore_ascii_case("localhost") {
        return Ok(Ipv4Addr::LOCALHOST.into());
    }
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if let Ok(ip) = bare.parse() {
        return Ok(ip);
    }
    let found: Vec<IpAddr> =
        (text, 0).to_socket_addrs().into_iter().flatten().map(|found| found.ip()).collect();
    let preferred = found.iter().find(|ip| ip.is_ipv4()).or(found.first());
    preferred.copied().ok_or_else(|| HostError(text.to_owned()))
}
