//! Timers as a room has them: in order, one by one, and whatever fails.

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
        if matches!(&due, Named(name) if !poison.is_empty() && name.starts_with(poison)) {
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
fn those_that_fail_for_ever_hold_up_no_other_for_longer_than_seconds() {
    for (poisons, late, tried) in [(1, s(4), 100..200), (2, s(8), 200..400), (3, s(12), 300..600)] {
        fail_for_ever(poisons, late, tried);
    }
}

fn fail_for_ever(poisons: usize, late: Duration, tried: std::ops::Range<u32>) {
    let all = [("poison 1", s(10)), ("poison 2", s(10)), ("poison 3", s(10))];
    let mut site = Site::of(&all[..poisons]);
    site.timers.schedule("tick", s(10));
    site.arm();
    let (mut now, mut tick, mut failures, mut latest) = (s(10), s(10), 0, s(0));
    while now < s(3600) {
        match site.fires(now, "poison") {
            Named(name) if name.starts_with("poison") => {
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
    assert!(latest < late, "the other was late by {latest:?}, with {poisons} that fail");
    assert!(tried.contains(&failures), "{poisons} were tried {failures} times in an hour");
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
    assert_eq!(one_more, "a room has at most 1024 named timers at once: `more` would be one more");
    let too_long = panic(&|timers| timers.schedule(&"é".repeat(33), s(1)));
    assert_eq!(too_long, "the name of a timer has 1 to 64 bytes, and not 66");
    assert!(panic(&|timers| timers.schedule("", s(1))).contains("not 0"));
    assert!(panic(&|timers| timers.schedule("a\nb", s(1))).contains("one line"));
}
