//! The timers of a room, by name, in the order in which they are due: many of them over the one that a host has.

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
    /// first has to wait and lets the others go: as long as it was due already, up to a minute. On a host that is
    /// always a second late, two timers may hold each other up so until it is not.
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
        }
        self.in_doubt = false;
        self.take_first(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Due::{Named, Nothing, Unnamed};

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn named(name: &str) -> Due {
        Named(name.into())
    }

    /// Timers as a room has them: what fails is as if it had not been, and is tried again as a host does.
    struct Site {
        timers: Timers,
        now: Duration,
        host: Option<Duration>,
    }

    impl Site {
        fn of(dues: &[(&str, Duration)]) -> Site {
            let mut timers = Timers::default();
            for (name, due) in dues {
                timers.schedule(name, *due);
            }
            let mut site = Site { timers, now: s(0), host: None };
            site.arm();
            site
        }

        fn arm(&mut self) {
            if let Some(ms) = self.timers.arm(|| self.now) {
                self.host = (ms > 0).then(|| self.now + Duration::from_millis(ms.into()));
            }
        }

        /// Fires the host's timer at a time, at which `poison` fails; tells whether it was heard.
        fn fires(&mut self, now: Duration, poison: &str) -> Due {
            let Timers { timers, armed, in_doubt } = &self.timers;
            let copy = |timer: &Timer| Timer { name: timer.name.clone(), ..*timer };
            let before = Timers {
                timers: timers.iter().map(copy).collect(),
                armed: *armed,
                in_doubt: *in_doubt,
            };
            assert!(self.host.is_some_and(|due| due <= now), "the host's timer is not due");
            self.now = now;
            let due = self.timers.fire(|| now);
            if due == named(poison) {
                self.timers = before;
            } else {
                self.host = None;
                self.arm();
            }
            due
        }
    }

    #[test]
    fn they_are_heard_one_by_one_by_time_and_then_by_name() {
        let mut site = Site::of(&[("c", s(1)), ("b", s(2)), ("a", s(2)), ("d", s(2)), ("e", s(9))]);
        site.timers.cancel("d");
        assert_eq!(site.host, Some(s(1)));
        assert_eq!(site.fires(s(1), ""), named("c"));
        assert_eq!(site.host, Some(s(2)));
        assert_eq!(site.fires(s(2), ""), named("a"));
        assert_eq!(site.host, Some(s(2) + ms(1)));
        assert_eq!(site.fires(s(2) + ms(1), ""), named("b"));
        site.timers.cancel("e");
        site.arm();
        assert_eq!(site.host, None);
    }

    #[test]
    fn the_one_without_a_name_is_one_of_them_and_alone_it_is_the_hosts() {
        let mut site = Site::of(&[("a", s(2))]);
        site.timers.schedule_unnamed(s(1));
        site.arm();
        assert_eq!(site.fires(s(1), ""), Unnamed);
        assert_eq!(site.fires(s(2), ""), named("a"));
        assert_eq!(site.timers.fire(|| panic!("the clock is not asked")), Unnamed);
    }

    #[test]
    fn none_is_heard_too_early_and_a_far_one_takes_several_turns() {
        let mut site = Site::of(&[("far", s(6_000_000))]);
        let turn = Duration::from_millis(u32::MAX.into());
        assert_eq!(site.host, Some(turn));
        assert_eq!(site.fires(turn, ""), Nothing);
        assert_eq!(site.host, Some(s(6_000_000)));
        let mut timers = Timers::default();
        timers.schedule("soon", Duration::from_micros(1001));
        assert_eq!(timers.arm(|| s(0)), Some(2));
        assert_eq!(timers.arm(|| s(0)), None, "it is set already");
    }

    #[test]
    fn after_a_room_was_away_all_that_was_due_is_heard_in_order() {
        let mut site = Site::of(&[("b", s(1)), ("a", s(2)), ("c", s(3))]);
        let mut now = s(3600);
        let mut heard = Vec::new();
        while heard.len() < 3 {
            if let Named(name) = site.fires(now, "") {
                heard.push(name.to_string());
            }
            now += ms(1);
        }
        assert_eq!(heard, ["b", "a", "c"]);
        assert!(now < s(3601));
    }

    #[test]
    fn one_that_fails_for_ever_holds_up_no_other_for_longer_than_seconds() {
        let mut site = Site::of(&[("poison", s(10)), ("tick", s(10))]);
        let (mut now, mut tick, mut failures, mut latest) = (s(10), s(10), 0, s(0));
        while now < s(3600) {
            match site.fires(now, "poison") {
                Named(name) if &*name == "poison" => {
                    // Its host tries again later and later: a second, and as long as it was due.
                    failures += 1;
                    now += s(1) + now.saturating_sub(site.host.unwrap()).min(s(59));
                    continue;
                }
                Named(_) => {
                    latest = latest.max(now - tick);
                    tick = now + s(1);
                    site.timers.schedule("tick", tick);
                    site.arm();
                }
                Unnamed | Nothing => {}
            }
            now = now.max(site.host.unwrap());
        }
        assert!(latest < s(4), "the other was late by {latest:?}");
        assert!((100..200).contains(&failures), "it was tried {failures} times in an hour");
    }

    #[test]
    fn one_that_fails_alone_is_tried_whenever_the_host_tries_it() {
        let mut site = Site::of(&[("poison", s(1))]);
        for now in [1, 2, 4, 8] {
            assert_eq!(site.fires(s(now), "poison"), named("poison"));
        }
        assert_eq!(site.fires(s(16), ""), named("poison"));
    }

    #[test]
    fn a_name_that_is_set_again_is_one_timer() {
        let mut timers = Timers::default();
        for due in [5, 3, 4] {
            timers.schedule("a", s(due));
        }
        assert_eq!(timers.named().collect::<Vec<_>>(), [("a", s(4))]);
    }

    #[test]
    fn what_is_written_is_read_again_and_never_due_too_early() {
        let mut timers = Timers::default();
        timers.schedule_unnamed(Duration::from_nanos(1_700_000_000_000_000_001));
        timers.schedule(" a b ", ms(1));
        timers.schedule("c\r", Duration::MAX);
        let lines = timers.to_lines();
        assert_eq!(lines, "1700000000001\n1  a b \n18446744073709551615 c\r\n");
        assert_eq!(Timers::read(&lines).unwrap().to_lines(), lines);
        assert_eq!(Timers::read("").unwrap().to_lines(), "");
        assert_eq!(Timers::read("1 a\nb 2").unwrap_err(), "`b 2` is no timer");
    }

    #[test]
    fn there_are_bounds_and_past_them_a_reason() {
        let panic = |act: &dyn Fn(&mut Timers)| {
            let mut timers = Timers::default();
            for number in 0..MAX_NAMED_TIMERS {
                timers.schedule(&number.to_string(), s(1));
            }
            let act = std::panic::AssertUnwindSafe(|| act(&mut timers));
            *std::panic::catch_unwind(act).unwrap_err().downcast::<String>().unwrap()
        };
        let one_more = panic(&|timers| timers.schedule("more", s(1)));
        assert_eq!(
            one_more,
            "a room has at most 1024 named timers at once: `more` would be one more"
        );
        let too_long = panic(&|timers| timers.schedule(&"é".repeat(33), s(1)));
        assert_eq!(too_long, "the name of a timer has 1 to 64 bytes, and not 66");
        assert!(panic(&|timers| timers.schedule("", s(1))).contains("not 0"));
        assert!(panic(&|timers| timers.schedule("a\nb", s(1))).contains("one line"));
    }
}
