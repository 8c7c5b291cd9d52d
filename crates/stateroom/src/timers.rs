//! The timers of a room, by name, in the order in which they are due: many of them over the one that a host has.

#[cfg(test)]
mod tests;

use std::time::Duration;

/// How many named timers a room has at most.
pub const MAX_NAMED_TIMERS: usize = 1024;

/// How many bytes the name of a timer has at most.
pub const MAX_TIMER_NAME_BYTES: usize = 64;

/// What [`set_timer`](crate::StateroomContext::set_timer) sets has no name.
const UNNAMED: &str = "";

/// When a timer is heard so late, it has failed and is tried again, or the room was away.
const LATE: Duration = Duration::from_secs(1);

/// How long a timer that fails lets the others go first, at most.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Timers and when they are due. Nothing here knows a clock: each time is given.
#[derive(Debug, Default)]
pub struct Timers {
    /// In no order: there are few of them.
    timers: Vec<Timer>,
    /// For which time the host was asked, and when that is.
    armed: Option<Armed>,
    /// The first of them was late already.
    in_doubt: bool,
}

#[derive(Debug, Clone, Copy)]
struct Armed {
    next: Duration,
    /// Later than `next` where that had passed already.
    at: Duration,
}

#[derive(Debug)]
struct Timer {
    name: Box<str>,
    due: Duration,
    /// As `due`, unless it has failed.
    not_before: Duration,
}

/// Which timer is heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Due {
    /// None yet.
    Nothing,
    /// The one that was set with `set_timer`.
    Unnamed,
    /// The one of this name.
    Named(Box<str>),
}

impl Timers {
    /// Sets the timer of this name, which replaces the one before.
    ///
    /// # Panics
    /// When the name is empty, too long or several lines, and when there would be too many.
    pub fn schedule(&mut self, name: &str, due: Duration) {
        assert!(
            (1..=MAX_TIMER_NAME_BYTES).contains(&name.len()),
            "the name of a timer has 1 to {MAX_TIMER_NAME_BYTES} bytes, and not {}",
            name.len()
        );
        assert!(!name.contains('\n'), "the name of a timer is one line, and not `{name}`");
        self.cancel(name);
        assert!(
            self.named().count() < MAX_NAMED_TIMERS,
            "a room has at most {MAX_NAMED_TIMERS} named timers at once: `{name}` would be one more"
        );
        self.insert(name, due);
    }

    /// Sets the one without a name.
    pub fn schedule_unnamed(&mut self, due: Duration) {
        self.cancel_unnamed();
        self.insert(UNNAMED, due);
    }

    fn insert(&mut self, name: &str, due: Duration) {
        self.timers.push(Timer { name: name.into(), due, not_before: due });
    }

    /// Forgets the timer of this name, if there is one.
    pub fn cancel(&mut self, name: &str) {
        self.timers.retain(|timer| &*timer.name != name);
    }

    /// Forgets the one without a name.
    pub fn cancel_unnamed(&mut self) {
        self.cancel(UNNAMED);
    }

    /// All of them, and when they are due, since 1970-01-01 00:00 UTC. That of `set_timer` has the name "".
    pub fn iter(&self) -> impl Iterator<Item = (&str, Duration)> {
        self.timers.iter().map(|timer| (&*timer.name, timer.due))
    }

    /// Those that have a name.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&str, Duration)> {
        self.iter().filter(|(name, _)| *name != UNNAMED)
    }

    /// Writes them down, for new code to [read](Timers::read): a line for each, with when it is due, in milliseconds
    /// since 1970, and its name. Nothing else is pulled into a module by that.
    #[must_use]
    pub fn to_lines(&self) -> String {
        let mut lines = String::new();
        for (name, due) in self.iter() {
            // So that none is due too early.
            let fraction = due.subsec_nanos().div_ceil(1_000_000);
            let due =
                due.as_secs().saturating_mul(1000).saturating_add(fraction.into()).to_string();
            for part in [&*due, if name.is_empty() { "" } else { " " }, name, "\n"] {
                lines.push_str(part);
            }
        }
        lines
    }

    /// Reads what [`to_lines`](Timers::to_lines) wrote.
    ///
    /// # Errors
    /// Which line is no timer.
    ///
    /// # Panics
    /// As [`schedule`](Timers::schedule).
    pub fn read(lines: &str) -> Result<Timers, String> {
        let mut timers = Timers::default();
        for line in lines.split('\n').filter(|line| !line.is_empty()) {
            let (due, name) = line.split_once(' ').unwrap_or((line, UNNAMED));
            let Ok(due) = due.parse() else { return Err(format!("`{line}` is no timer")) };
            match Duration::from_millis(due) {
                due if name == UNNAMED => timers.schedule_unnamed(due),
                due => timers.schedule(name, due),
            }
        }
        Ok(timers)
    }

    /// When the first of them is due.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.first().and_then(|first| self.timers.get(first)).map(|timer| timer.not_before)
    }

    fn first(&self) -> Option<usize> {
        let timers = self.timers.iter().enumerate();
        let first = timers.min_by_key(|(_, timer)| (timer.not_before, &timer.name));
        first.map(|(place, _)| place)
    }

    /// Takes the first of them, if it is due.
    pub(crate) fn take_first(&mut self, now: Duration) -> Due {
        match self.first() {
            Some(first) if self.next().is_some_and(|next| next <= now) => {
                let Timer { name, .. } = self.timers.swap_remove(first);
                if &*name == UNNAMED { Due::Unnamed } else { Due::Named(name) }
            }
            _ => Due::Nothing,
        }
    }

    /// For how many milliseconds the host's timer is to be set, where it isn't yet; 0 cancels it. It has milliseconds
    /// alone, so the first of them is never heard too early.
    pub(crate) fn arm(&mut self, now: impl FnOnce() -> Duration) -> Option<u32> {
        let next = self.next();
        if next == self.armed.map(|armed| armed.next) {
            return None;
        }
        self.armed = None;
        let Some(next) = next else { return Some(0) };
        let now = now();
        let left = next.saturating_sub(now);
        let fraction = left.subsec_micros().div_ceil(1000);
        let ms_delay = left.as_secs().saturating_mul(1000).saturating_add(fraction.into());
        let ms_delay = u32::try_from(ms_delay).unwrap_or(u32::MAX).max(1);
        let at = now.saturating_add(Duration::from_millis(ms_delay.into()));
        self.armed = Some(Armed { next, at });
        Some(ms_delay)
    }

    /// Notes that the host's timer is set to the first of them already.
    pub(crate) fn is_armed(&mut self) {
        self.armed = self.next().map(|next| Armed { next, at: next });
    }

    /// Takes the timer that is heard when that of the host has run out: one alone, so that it can fail by itself.
    ///
    /// A room that fails goes back to the moment before, and its host tries again a second later. So who is heard late
    /// may have failed, or the room was away. To know which, all is asked for once more; and if it is late again, the
    /// first has to wait and lets the others go: as long as it was due already, up to a minute. That is all that is done
    /// then: the next may fail as well, and must not undo it. On a host that is always a second late, timers may hold
    /// each other up so until it is not.
    pub(crate) fn fire(&mut self, now: impl FnOnce() -> Duration) -> Due {
        let armed = self.armed.take();
        if self.named().next().is_none() {
            // As it is on a host alone, whatever the clock says.
            self.cancel_unnamed();
            return Due::Unnamed;
        }
        let now = now();
        let is_late = armed.is_some_and(|armed| now.saturating_sub(armed.at) >= LATE);
        if is_late && self.timers.len() > 1 {
            self.in_doubt = !self.in_doubt;
            if self.in_doubt {
                return Due::Nothing;
            }
            if let Some(first) = self.first().and_then(|first| self.timers.get_mut(first)) {
                let wait = now.saturating_sub(first.due).clamp(LATE, LONGEST_WAIT);
                first.not_before = now.saturating_add(wait);
            }
            return Due::Nothing;
        }
        self.in_doubt = false;
        self.take_first(now)
    }
}
