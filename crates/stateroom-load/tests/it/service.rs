//! A server that does its work passes, whatever it is tried with.

use crate::servers::{Broadcast, Echo, serve, serve_with_reception, try_out};
use stateroom_load::{
    Activity, Dialect, Expect, LoadError, OpenedWhen, Pace, Plain, Script, Who, run,
};
use std::time::Duration;

#[test]
fn an_echo_is_verified_in_a_closed_loop() {
    let server = serve::<Echo>();
    let mut plan = server.plan();
    (plan.rooms, plan.clients, plan.pace) = (5, 3, Pace::Window(4));
    let report = try_out(&plan);
    assert!(report.is_clean());
    assert_eq!((report.counts.connected, report.counts.open), (15, 15));
    assert_eq!(report.counts.total_sent, report.counts.total_delivered - report.counts.unstamped);
    assert_eq!(report.counts.unstamped, 15, "the greetings");
    assert!(report.counts.delivered > 0 && report.latency.count > 0);
    assert!(report.latency.p50 <= report.latency.p99 && report.latency.p99 <= report.latency.max);
}

#[test]
fn a_broadcast_is_verified_at_everyone_though_the_server_puts_a_prefix_before_it() {
    let server = serve::<Broadcast>();
    let mut plan = server.plan();
    (plan.rooms, plan.clients, plan.expect) = (3, 8, Expect::Broadcast);
    for (senders, threads, pace) in [
        (None, 1, Pace::Window(2)),
        (Some(1), 2, Pace::Window(16)),
        (Some(2), 3, Pace::Rate(600.0)),
    ] {
        (plan.senders, plan.threads, plan.pace) = (senders, threads, pace);
        let report = try_out(&plan);
        assert!(report.is_clean());
        assert_eq!(report.counts.total_sent * 8, report.counts.total_delivered);
    }
}

#[test]
fn a_rate_is_kept_and_its_messages_are_counted_exactly() {
    let server = serve::<Echo>();
    let mut plan = server.plan();
    (plan.rooms, plan.clients, plan.pace) = (2, 5, Pace::Rate(2000.0));
    let report = try_out(&plan);
    assert!(report.is_clean());
    assert_eq!((report.counts.sent, report.counts.total_sent), (1000, 1200));
    assert_eq!(report.latency.count, 1000);
}

#[test]
fn messages_may_be_binary_large_or_of_the_least_size() {
    let server = serve::<Echo>();
    for (bytes, binary) in [(32, false), (126, true), (500_000, true)] {
        let mut plan = server.plan();
        (plan.bytes, plan.binary, plan.clients, plan.pace) = (bytes, binary, 2, Pace::Window(2));
        let report = try_out(&plan);
        assert!(report.is_clean() && report.counts.delivered > 0);
    }
}

#[test]
fn where_nothing_is_expected_nothing_is_missing() {
    let server = serve::<Broadcast>();
    let mut plan = server.plan();
    (plan.expect, plan.pace, plan.bytes) = (Expect::None, Pace::Rate(1000.0), 5);
    let report = try_out(&plan);
    assert!(report.is_clean());
    assert_eq!(report.counts.total_sent, 600);
}

#[test]
fn a_script_is_verified_where_it_has_a_stamp() {
    let server = serve::<Echo>();
    let mut plan = server.plan();
    let text =
        "{\"client\": {client}, \"room\": \"{room}\"}\n{\"at\": {number}, \"id\": \"{stamp}\"}";
    plan.script = Some(Script::parse(text).unwrap());
    plan.clients = 2;
    for pace in [Pace::Window(3), Pace::Rate(1000.0)] {
        plan.pace = pace;
        let report = try_out(&plan);
        assert!(report.is_clean());
        assert_eq!(report.counts.total_sent, report.counts.total_delivered - 2);
        let verified = report.counts.total_delivered - report.counts.unstamped;
        assert!(verified.abs_diff(report.counts.total_sent / 2) <= 2);
    }
}

#[test]
fn connections_are_opened_and_closed_in_any_number() {
    let server = serve::<Echo>();
    for opened in [OpenedWhen::Handshake, OpenedWhen::Message, OpenedWhen::Echo] {
        let mut plan = server.plan();
        plan.activity = Activity::ConnectOnly { connections: 2000, opened };
        (plan.rooms, plan.threads, plan.source_addresses) = (10, 2, 3);
        let report = try_out(&plan);
        assert!(report.is_clean());
        assert_eq!((report.counts.connected, report.connect_latency.count), (2000, 2000));
        assert_eq!(report.counts.open, 0);
    }
}

#[test]
fn connections_are_held_and_opened_at_the_rate_that_is_asked_for() {
    let server = serve::<Echo>();
    let mut plan = server.plan();
    (plan.rooms, plan.activity, plan.ramp) = (100, Activity::Hold, Some(500.0));
    let report = try_out(&plan);
    assert!(report.is_clean());
    assert_eq!(report.counts.open, 100);
    assert!(report.connect_seconds >= 0.19, "{}", report.connect_seconds);
}

/// Asks for a file before it connects, and joins a room of its own making.
struct Roundabout;

impl Dialect for Roundabout {
    fn inquiry(&self, _: Who<'_>) -> Option<Vec<u8>> {
        Some(b"GET /where HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec())
    }

    fn path(&self, who: Who<'_>, _: String, answer: &[u8]) -> Result<String, String> {
        let known = str::from_utf8(answer).is_ok_and(|text| text.contains("rooms"));
        if known { Ok(format!("/ws/other-{}", who.client)) } else { Err("no status".to_owned()) }
    }

    fn first_reply(&self) -> Option<Vec<u8>> {
        Some(b"thank you".to_vec())
    }

    fn prefix(&self, length: usize) -> Vec<u8> {
        format!("{length}:").into_bytes()
    }
}

#[test]
fn another_dialect_may_ask_first_and_begin_its_messages() {
    let server = serve_with_reception::<Echo>();
    let mut plan = server.plan();
    plan.clients = 3;
    let report = run(&plan, &Roundabout, |_| {}).unwrap();
    assert!(report.is_clean(), "{report}");
    assert!(report.counts.delivered > 0);
    assert_eq!(report.counts.unstamped, 6, "a greeting and a thank-you each");
}

#[test]
fn what_cannot_be_done_is_refused() {
    let server = serve::<Echo>();
    let refused = |change: fn(&mut stateroom_load::Plan)| {
        let mut plan = server.plan();
        change(&mut plan);
        run(&plan, &Plain, |_| {}).unwrap_err()
    };
    let plan_is_refused = |change| assert!(matches!(refused(change), LoadError::Plan(_)));
    plan_is_refused(|plan| plan.rooms = 0);
    plan_is_refused(|plan| plan.senders = Some(2));
    plan_is_refused(|plan| plan.bytes = 31);
    plan_is_refused(|plan| plan.pace = Pace::Rate(0.0));
    plan_is_refused(|plan| plan.expect = Expect::None);
    plan_is_refused(|plan| plan.ramp = Some(f64::NAN));
    plan_is_refused(|plan| plan.rooms = u32::MAX);
    let nowhere = refused(|plan| plan.target = "ws://nowhere.invalid".parse().unwrap());
    assert!(matches!(nowhere, LoadError::Host { .. }));
}

#[test]
fn a_server_that_is_not_there_is_an_error_of_every_connection() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut plan = stateroom_load::Plan::new(format!("ws://{free}").parse().unwrap());
    (plan.rooms, plan.threads, plan.duration) = (10, 3, Duration::from_secs(60));
    let report = try_out(&plan);
    assert!(!report.is_clean());
    assert_eq!((report.counts.connected, report.errors.values().sum::<u64>()), (0, 10));
}
