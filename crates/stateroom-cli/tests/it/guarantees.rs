//! What `docs/guarantees.md` says of the levels and of disks, where no other test tries it from outside.

use crate::{
    kept::{Member, Site, ledger},
    ledgers::Talker,
    preload::{Fault, cached},
    process::{Running, try_get},
};
use std::{
    fs,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(30);

/// What a call that flushes is told as.
const FLUSH: u8 = 4;

fn site(arguments: &[&str]) -> Site {
    Site::with(&ledger(0), arguments)
}

/// A server of the site in which this fault happens; and its address.
fn serve_with(site: &Site, fault: &Fault) -> (Running, String) {
    let mut command = cached(site.command());
    fault.put_on(&mut command);
    let mut server = Running::start(&mut command);
    let address = server.address();
    (server, address)
}

fn serve(site: &Site) -> (Running, String) {
    let mut server = Running::start(&mut cached(site.command()));
    let address = server.address();
    (server, address)
}

async fn enter(address: &str) -> Talker {
    match Talker::enter(address, "test", 0, PATIENCE).await {
        Ok(talker) => talker,
        Err(stop) => panic!("{stop}"),
    }
}

/// Waits until `/healthz` answers this, and gives what it says.
fn until_health(address: &str, wanted: u16) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match try_get(address, "/healthz") {
            Some((status, body)) if status == wanted => return body,
            other => assert!(Instant::now() < deadline, "{other:?}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test]
async fn what_survives_nothing_survives_a_planned_stop_and_no_kill() {
    let site = site(&["--survives", "nothing"]);
    let (server, address) = serve(&site);
    let mut talker = enter(&address).await;
    talker.enters("add", 1, PATIENCE).await.unwrap();
    assert_eq!(server.terminate(), Some(0));
    let (server, address) = serve(&site);
    let mut talker = enter(&address).await;
    assert_eq!(talker.log(PATIENCE).await.unwrap(), [1]);
    talker.enters("add", 2, PATIENCE).await.unwrap();
    drop(server);
    let (_server, address) = serve(&site);
    assert_eq!(enter(&address).await.log(PATIENCE).await.unwrap(), [1]);
}

#[tokio::test]
async fn a_planned_stop_saves_every_room_so_that_none_has_anything_to_hear_again() {
    for level in ["power-loss", "crash", "nothing"] {
        let site = site(&["--survives", level]);
        let (server, address) = serve(&site);
        let mut members = Vec::new();
        for number in 0..20 {
            let (mut member, _) = Member::enter(&address, &format!("room-{number}")).await;
            member.says("add 1").await;
            member.hears("added 1").await;
            members.push(member);
        }
        assert_eq!(server.terminate(), Some(0));
        let (_server, address) = serve(&site);
        for number in 0..20 {
            let (mut member, _) = Member::enter(&address, &format!("room-{number}")).await;
            assert_eq!(member.ask("log").await, "[1]", "{level}");
        }
        let (_, metrics) = try_get(&address, "/metrics").unwrap();
        let heard =
            metrics.lines().find(|line| line.starts_with("stateroom_replayed_events_total"));
        assert_eq!(heard, Some("stateroom_replayed_events_total 0"), "{level}");
    }
}

/// What the server does is not the same each time, so several calls are tried.
#[tokio::test]
async fn a_flush_that_fails_closes_clients_with_1012_and_ends_the_server_with_74_and_loses_nothing()
{
    let undisturbed = site(&[]);
    let file = undisturbed.folder.path().join("fault");
    let none = Fault::new(&undisturbed.data(), &file, 0, "eio");
    let (server, address) = serve_with(&undisturbed, &none);
    let mut talker = enter(&address).await;
    for number in 0..10 {
        talker.enters("add", number, PATIENCE).await.unwrap();
    }
    let told = none.told();
    drop(server);
    let flushes = (1_u64..).zip(&told).filter(|(_, what)| **what == FLUSH).map(|(call, _)| call);
    for call in flushes.collect::<Vec<_>>().into_iter().rev().take(20) {
        let site = site(&[]);
        let file = site.folder.path().join("fault");
        let fault = Fault::new(&site.data(), &file, call, "eio");
        let (mut server, address) = serve_with(&site, &fault);
        let mut talker = enter(&address).await;
        let mut seen = Vec::new();
        for number in 0..40 {
            match talker.enters("add", number, PATIENCE).await {
                Ok(()) => seen.push(number),
                Err(_) => break,
            }
        }
        let failed = usize::try_from(fault.happened_at()).unwrap();
        if failed == 0 || fault.told()[failed - 1] != FLUSH {
            continue;
        }
        assert_eq!(talker.visit.end.as_ref().map(|(code, _)| *code), Some(1012));
        // So that it is not waited for.
        drop(talker);
        let status = server.ends_within(PATIENCE).expect("it ends");
        let said = server.said();
        assert_eq!(status.code(), Some(74), "{said}");
        assert!(
            said.contains("check the disk") && said.contains("start the server anew"),
            "{said}"
        );
        let (_server, address) = serve(&site);
        let log = enter(&address).await.log(PATIENCE).await.unwrap();
        assert!(log.starts_with(&seen), "seen {seen:?}, and now there is {log:?}");
        assert!(log.len() <= seen.len() + 1, "seen {seen:?}, and now there is {log:?}");
        return;
    }
    panic!("no flush was met");
}

#[tokio::test]
async fn a_data_folder_that_is_moved_away_fails_the_health_check_until_it_is_back() {
    let site = site(&[]);
    let (_server, address) = serve(&site);
    let mut talker = enter(&address).await;
    talker.enters("add", 1, PATIENCE).await.unwrap();
    let elsewhere = site.folder.path().join("elsewhere");
    fs::rename(site.data(), &elsewhere).unwrap();
    let problem = until_health(&address, 503);
    assert!(problem.contains("it is gone") && problem.contains("may be lost"), "{problem}");
    fs::create_dir(site.data()).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while !until_health(&address, 503).contains("another one is in its place") {
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(20));
    }
    fs::remove_dir(site.data()).unwrap();
    fs::rename(&elsewhere, site.data()).unwrap();
    assert_eq!(until_health(&address, 200), "ok");
}

#[tokio::test]
async fn while_the_disk_takes_nothing_a_room_ends_untold_and_comes_back_as_it_was_seen() {
    let site = site(&[]);
    let file = site.folder.path().join("fault");
    let fault = Fault::new(&site.data(), &file, 1, "enospc").sticky();
    fault.lift();
    let (server, address) = serve_with(&site, &fault);
    let mut talker = enter(&address).await;
    talker.enters("add", 1, PATIENCE).await.unwrap();
    fault.arm();
    // What cannot be kept ends the room, and nobody is told of it.
    assert!(talker.enters("add", 2, PATIENCE).await.is_err());
    assert_eq!(talker.visit.end.as_ref().map(|(code, _)| *code), Some(1011));
    fault.lift();
    let mut talker = enter(&address).await;
    assert_eq!(talker.log(PATIENCE).await.unwrap(), [1]);
    talker.enters("add", 3, PATIENCE).await.unwrap();
    drop(server);
    let (_server, address) = serve(&site);
    assert_eq!(enter(&address).await.log(PATIENCE).await.unwrap(), [1, 3]);
}
