//! What a server does wrong is found out.

use crate::servers::{Fault, serve_with, try_out};
use stateroom_load::{Pace, Report};

fn tried(fault: Fault, pace: Pace) -> Report {
    let server = serve_with(fault);
    let mut plan = server.plan();
    plan.pace = pace;
    try_out(&plan)
}

/// 100 ms of warm-up and 500 ms at this rate are 600 messages.
const RATE: Pace = Pace::Rate(1000.0);

#[test]
fn dropped_messages_are_lost() {
    let report = tried(Fault::Drops, RATE);
    assert_eq!(
        (report.counts.lost, report.counts.out_of_order, report.counts.duplicated),
        (6, 0, 0)
    );
    assert!(!report.is_clean());
    // The closed loop goes on, too.
    let report = tried(Fault::Drops, Pace::Window(4));
    assert!(
        report.counts.lost >= 1
            && report.counts.lost == report.counts.total_sent - report.counts.total_delivered
    );
}

#[test]
fn reordered_messages_are_out_of_order_and_not_lost() {
    let report = tried(Fault::Reorders, RATE);
    assert_eq!(
        (report.counts.lost, report.counts.out_of_order, report.counts.duplicated),
        (0, 6, 0)
    );
    assert!(!report.is_clean());
}

#[test]
fn duplicated_messages_are_counted_once() {
    let report = tried(Fault::Duplicates, RATE);
    assert_eq!(
        (report.counts.lost, report.counts.out_of_order, report.counts.duplicated),
        (0, 0, 6)
    );
    assert_eq!(report.counts.total_delivered, report.counts.total_sent + 6);
    assert!(!report.is_clean());
}

#[test]
fn a_stall_is_counted_for_every_message_that_was_due_in_it() {
    let server = serve_with(Fault::Stalls);
    let mut plan = server.plan();
    (plan.pace, plan.warmup) = (RATE, std::time::Duration::ZERO);
    let report = try_out(&plan);
    assert!(report.is_clean());
    // Of 500 messages, those of 200 ms were due while the server did nothing: 40 of 100, which
    // waited for 100 ms on average. A generator that waits for answers would see one late answer.
    assert_eq!(report.latency.count, 500);
    assert!(report.latency.p90 > 100_000.0, "{:?}", report.latency);
    assert!(report.latency.max >= 195_000.0, "{:?}", report.latency);
    let late: u64 = report.histogram.iter().filter(|b| b.up_to > 20_000.0).map(|b| b.count).sum();
    assert!(late > 150, "{:?}", report.histogram);
}

#[test]
fn what_a_server_does_not_read_is_not_sent_without_end_and_counted() {
    let server = serve_with(Fault::ReadsNoMore);
    let mut plan = server.plan();
    (plan.pace, plan.bytes) = (RATE, 100_000);
    let report = try_out(&plan);
    assert!(report.counts.unsent > 0 && !report.is_clean());
    // Each message that was due is one or the other.
    assert_eq!(report.counts.total_sent + report.counts.unsent, 600);
}

#[test]
fn a_close_is_told_with_its_code_and_reason() {
    let report = tried(Fault::Closes, RATE);
    assert_eq!(report.errors.get("closed by the server: 1013 too slow"), Some(&1));
    assert_eq!(report.counts.open, 0);
    assert!(!report.is_clean());
}

#[test]
fn a_server_that_hangs_up_is_told_of() {
    let report = tried(Fault::HangsUp, Pace::Window(1));
    assert_eq!(report.errors.values().sum::<u64>(), 1, "{:?}", report.errors);
    assert!(!report.is_clean());
}

#[test]
fn fragments_are_joined_and_pings_answered() {
    let report = tried(Fault::Fragments, RATE);
    assert!(report.is_clean());
    assert_eq!(report.counts.total_delivered, 600);
}
