//! Decides who is pinged and who is taken for dead, from times alone.

use crate::ServerConfig;
use std::time::Instant;

/// What to do about one connection now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heartbeat {
    Alive,
    Ping,
    Dead,
}

/// Decides about a connection last heard at `heard`, and when to look at it again.
pub(crate) fn check(
    config: &ServerConfig,
    heard: Instant,
    pinged: bool,
    now: Instant,
) -> (Heartbeat, Instant) {
    let ping_at = heard + config.heartbeat_interval;
    let dead_at = heard + config.heartbeat_timeout.max(config.heartbeat_interval);
    if now >= dead_at {
        (Heartbeat::Dead, now)
    } else if now >= ping_at && !pinged {
        (Heartbeat::Ping, dead_at)
    } else if pinged {
        (Heartbeat::Alive, dead_at)
    } else {
        (Heartbeat::Alive, ping_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn silence_is_first_met_with_one_ping_and_then_taken_for_death() {
        let config = ServerConfig {
            heartbeat_interval: Duration::from_secs(25),
            heartbeat_timeout: Duration::from_secs(60),
            ..ServerConfig::default()
        };
        let heard = Instant::now();
        let at = |seconds| heard + Duration::from_secs(seconds);
        let check = |pinged, seconds| check(&config, heard, pinged, at(seconds));
        assert_eq!(check(false, 24), (Heartbeat::Alive, at(25)));
        assert_eq!(check(false, 25), (Heartbeat::Ping, at(60)));
        assert_eq!(check(true, 40), (Heartbeat::Alive, at(60)));
        assert_eq!(check(true, 60).0, Heartbeat::Dead);
        assert_eq!(check(false, 60).0, Heartbeat::Dead);
    }
}
