//! Where the rooms are: the URL that a user gives, and the paths that it means.

use crate::LoadError;
use std::{
    fmt,
    net::{SocketAddr, ToSocketAddrs},
    str::FromStr,
};

const PLACEHOLDER: &str = "{room}";

/// The address of a service: `ws://HOST:PORT/ws/{room}`, where `{room}` stands for a room's name.
/// Without a path, rooms are at `/ws/{room}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    authority: String,
    path: String,
}

impl FromStr for Target {
    type Err = LoadError;

    fn from_str(url: &str) -> Result<Self, LoadError> {
        let refuse = |problem| LoadError::Url { url: url.to_owned(), problem };
        let rest = match url.split_once("://") {
            Some(("ws", rest)) => rest,
            Some(("wss", _)) => return Err(refuse("TLS is not spoken here: give a ws:// URL")),
            _ => return Err(refuse("write it like ws://localhost:8080/ws/{room}")),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.is_empty() || authority.contains('@') {
            return Err(refuse("a host is needed, and a port, and no user"));
        }
        if rest.contains(|c: char| c.is_ascii_control() || c == ' ' || c == '#') {
            return Err(refuse("spaces, control characters and # cannot be in it"));
        }
        let path = match path {
            "" | "/" => format!("/ws/{PLACEHOLDER}"),
            path if path.starts_with('/') => path.to_owned(),
            query => format!("/{query}"),
        };
        Ok(Target { authority: authority.to_owned(), path })
    }
}

impl Target {
    /// What a request says in its header `Host`.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.authority
    }

    /// The path of the room `room`.
    #[must_use]
    pub fn path_of(&self, room: &str) -> String {
        self.path.replace(PLACEHOLDER, room)
    }

    /// Finds the address to connect to.
    ///
    /// # Errors
    /// When the host has none.
    pub fn resolve(&self) -> Result<SocketAddr, LoadError> {
        let after_host = self.authority.rsplit_once(']').map_or(&*self.authority, |(_, port)| port);
        let with_port = if after_host.contains(':') {
            self.authority.clone()
        } else {
            format!("{}:80", self.authority)
        };
        let failed = |source| LoadError::Host { host: with_port.clone(), source };
        let mut addresses = with_port.to_socket_addrs().map_err(failed)?;
        let nothing = || failed(std::io::ErrorKind::NotFound.into());
        // `localhost` may have both kinds of address, and servers mostly listen on the older.
        let all: Vec<SocketAddr> = addresses.by_ref().collect();
        let preferred = all.iter().find(|address| address.is_ipv4()).or(all.first());
        preferred.copied().ok_or_else(nothing)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ws://{}{}", self.authority, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_means_a_path_for_each_room() {
        for (url, path) in [
            ("ws://localhost:8080", "/ws/load-0"),
            ("ws://localhost:8080/", "/ws/load-0"),
            ("ws://localhost:8080/ws/{room}", "/ws/load-0"),
            ("ws://localhost:8080/socket?in={room}&as=x", "/socket?in=load-0&as=x"),
            ("ws://localhost:8080/socket", "/socket"),
            ("ws://localhost:8080?room={room}", "/?room=load-0"),
        ] {
            let target: Target = url.parse().unwrap();
            assert_eq!(target.path_of("load-0"), path, "{url}");
            assert_eq!(target.host(), "localhost:8080");
        }
    }

    #[test]
    fn what_is_no_url_of_a_websocket_is_refused() {
        for url in ["", "localhost", "http://x/", "wss://x/", "ws://", "ws:///x", "ws://x/ y"] {
            assert!(url.parse::<Target>().is_err(), "{url}");
        }
    }

    #[test]
    fn addresses_are_found_with_and_without_a_port() {
        for (url, address) in [
            ("ws://127.0.0.1:8080", "127.0.0.1:8080"),
            ("ws://127.0.0.1/x", "127.0.0.1:80"),
            ("ws://[::1]:9/x", "[::1]:9"),
            ("ws://[::1]", "[::1]:80"),
        ] {
            let target: Target = url.parse().unwrap();
            assert_eq!(target.resolve().unwrap(), address.parse().unwrap());
        }
    }
}
