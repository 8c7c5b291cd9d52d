//! Whose messages made a room fail lately, so that those who go on are kept away from it for a while.

use stateroom::ClientId;
use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

/// So many messages of one may fail within [`WINDOW`] before it is kept away.
const FAILURES: u32 = 3;

/// See [`FAILURES`].
const WINDOW: Duration = Duration::from_secs(60);

/// For how long it is kept away at first. Each time after that it is twice as long.
const FIRST: Duration = Duration::from_secs(5);

/// For how long at most.
const LONGEST: Duration = Duration::from_secs(5 * 60);

/// How many are remembered, in one room: those who did it last.
const REMEMBERED: usize = 64;

/// By what somebody is known again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Who {
    Token(Box<str>),
    /// The session of a client without a token.
    Session(ClientId),
    Address(IpAddr),
}

/// The offenders of one room.
#[derive(Debug, Default)]
pub(super) struct Offenders(Vec<Offender>);

#[derive(Debug)]
struct Offender {
    who: Who,
    failures: u32,
    last: Instant,
    away_until: Option<Instant>,
}

impl Who {
    /// Whose token it is. Somebody who has logged in is the same with whatever else they add to that, see
    /// `request`.
    pub(super) fn of_token(token: &str) -> Who {
        let ends = token.strip_prefix('\0').and_then(|rest| rest.find('\0')).map(|end| end + 1);
        Who::Token(ends.and_then(|end| token.get(..end)).unwrap_or(token).into())
    }
}

impl Offenders {
    /// Notes that a message of somebody has failed, and tells for how long that keeps them away, if it does.
    pub(super) fn note(&mut self, who: Who, now: Instant) -> Option<Duration> {
        let known = self.0.iter().position(|offender| offender.who == who);
        let mut offender = match known.map(|place| self.0.remove(place)) {
            Some(known) if known.is_remembered(now) => known,
            _ => Offender { who, failures: 0, last: now, away_until: None },
        };
        offender.failures = offender.failures.saturating_add(1);
        offender.last = now;
        let times = offender.failures.checked_sub(FAILURES);
        let away = times.map(|times| FIRST.saturating_mul(1 << times.min(16)).min(LONGEST));
        if let Some(time) = away {
            offender.away_until = Some(now + time);
        }
        if self.0.len() == REMEMBERED {
            self.0.remove(0);
        }
        self.0.push(offender);
        away
    }

    /// Until when somebody is kept away, if that is so.
    pub(super) fn away_until(&self, who: &Who, now: Instant) -> Option<Instant> {
        let offender = self.0.iter().find(|offender| offender.who == *who)?;
        offender.away_until.filter(|until| now < *until)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Offender {
    fn is_remembered(&self, now: Instant) -> bool {
        now < self.away_until.unwrap_or(self.last) + WINDOW
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_goes_on_is_kept_away_for_longer_and_longer() {
        let mut offenders = Offenders::default();
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        let (ada, bob) = (Who::Token("ada".into()), Who::Address([127, 0, 0, 1].into()));
        offenders.note(ada.clone(), at(0));
        offenders.note(ada.clone(), at(1));
        assert_eq!(offenders.away_until(&ada, at(1)), None);
        assert_eq!(offenders.note(ada.clone(), at(2)), Some(FIRST));
        assert_eq!(offenders.away_until(&ada, at(2)), Some(at(7)));
        assert_eq!(offenders.away_until(&ada, at(7)), None);
        assert_eq!(offenders.away_until(&bob, at(2)), None);
        offenders.note(ada.clone(), at(8));
        assert_eq!(offenders.away_until(&ada, at(8)), Some(at(18)));
        for _ in 0..20 {
            offenders.note(ada.clone(), at(9));
        }
        assert_eq!(offenders.away_until(&ada, at(9)), Some(at(9 + 300)));
        offenders.note(ada.clone(), at(1000));
        assert_eq!(offenders.away_until(&ada, at(1000)), None, "a minute without one forgets them");
    }

    #[test]
    fn who_has_logged_in_is_the_same_on_all_devices() {
        let ada = Who::Token("\0ada".into());
        for token in ["\0ada", "\0ada\0phone", "\0ada\0", "\0ada\0a\0b"] {
            assert_eq!(Who::of_token(token), ada, "{token:?}");
        }
        for token in ["ada", "", "\0", "ada\0phone", "\0adam\0phone"] {
            assert_ne!(Who::of_token(token), ada, "{token:?}");
        }
    }

    #[test]
    fn only_so_many_are_remembered() {
        let mut offenders = Offenders::default();
        for number in 0..1000_u32 {
            offenders.note(Who::Token(number.to_string().into()), Instant::now());
        }
        assert_eq!(offenders.0.len(), REMEMBERED);
    }
}
