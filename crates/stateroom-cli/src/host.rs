//! The address to listen on, as a setting.

use serde::{Deserialize, Deserializer, de::Error as _};
use stateroom_server::{HostError, resolve_host};
use std::{net::IpAddr, str::FromStr};

/// An IP address, or a name for one of this machine's, such as `localhost`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Host(pub IpAddr);

impl FromStr for Host {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        resolve_host(text).map(Host)
    }
}

impl From<Host> for IpAddr {
    fn from(host: Host) -> Self {
        host.0
    }
}

impl<'de> Deserialize<'de> for Host {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
