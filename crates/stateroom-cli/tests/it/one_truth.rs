//! Whatever a client has seen, its room can be brought back; and what one client does harms no other.

mod bounds;
mod last_answer;
mod others;

use crate::{
    kept::{Site, ledger},
    ledgers::{TICK, Talker},
    preload::{cached, shift_clock},
    process::{Running, stateroom},
};
use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A site whose servers start at once.
fn site(arguments: &[&str]) -> Site {
    Site::with(&ledger(0), arguments)
}

/// A server of it, with these arguments too; and its address.
fn serve_with(site: &Site, arguments: &[&str]) -> (Running, String) {
    start(cached(site.command()).args(arguments))
}

fn serve(site: &Site) -> (Running, String) {
    serve_with(site, &[])
}

fn start(command: &mut Command) -> (Running, String) {
    let mut server = Running::start(command);
    let address = server.address();
    (server, address)
}

async fn enter(address: &str, room: &str) -> Talker {
    match Talker::enter(address, room, 0, PATIENCE).await {
        Ok(talker) => talker,
        Err(stop) => panic!("{room}: {stop}"),
    }
}

async fn add(talker: &mut Talker, number: u64) {
    talker.enters("add", number, PATIENCE).await.unwrap();
}

#[tokio::test]
async fn a_quiet_room_beside_a_busy_one_opens_after_each_of_three_kills() {
    for level in ["power-loss", "crash"] {
        let site = site(&["--survives", level]);
        let (mut server, address) = serve(&site);
        let mut quiet = enter(&address, "quiet").await;
        add(&mut quiet, 1).await;
        let mut busy = enter(&address, "busy").await;
        for number in 0..600 {
            // As long as a message of some weight.
            busy.says(&format!("add {number:03000}")).await.unwrap();
            while busy.next(PATIENCE).await.unwrap() != format!("added {number}") {}
        }
        let end = Instant::now() + Duration::from_secs(3);
        for number in 600.. {
            if Instant::now() > end {
                break;
            }
            add(&mut busy, number).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        for number in 2..5 {
            server.signal("-KILL");
            drop(server);
            let address;
            (server, address) = serve(&site);
            let mut quiet = enter(&address, "quiet").await;
            let log = quiet.log(PATIENCE).await.unwrap();
            assert_eq!(log, (1..number).collect::<Vec<_>>(), "with {level}");
            add(&mut quiet, number).await;
        }
    }
}

#[tokio::test]
async fn a_folder_whose_derived_files_are_gone_is_refused_or_has_all_that_was_seen() {
    for gone in [&["rooms.db-wal"][..], &["rooms.db", "rooms.db-wal", "rooms.db-shm"]] {
        let site = site(&[]);
        let (server, address) = serve(&site);
        let mut talker = enter(&address, "test").await;
        for number in 0..50 {
            add(&mut talker, number).await;
        }
        drop(server);
        for name in gone {
            let _ = fs::remove_file(site.data().join(name));
        }
        let log_before = fs::read_dir(site.data().join("log")).unwrap().count();
        let mut server = Running::start(&mut cached(site.command()));
        let Some(address) = server.try_address(PATIENCE) else {
            let status = server.ends_within(PATIENCE).expect("it ends");
            let said = server.said();
            assert_eq!(status.code(), Some(7), "{said}");
            assert!(said.contains("backup"), "it says what to do: {said}");
            let log_after = fs::read_dir(site.data().join("log")).unwrap().count();
            assert!(log_after >= log_before, "nothing is removed");
            continue;
        };
        let mut talker = enter(&address, "test").await;
        let log = talker.log(PATIENCE).await.unwrap();
        assert_eq!(log, (0..50).collect::<Vec<_>>(), "without {gone:?}");
    }
}

#[tokio::test]
async fn a_room_that_has_computed_for_seconds_is_back_within_one() {
    let site = site(&[]);
    let (server, address) = serve(&site);
    let mut talker = enter(&address, "test").await;
    for number in 0..100 {
        talker.enters("dear", number, PATIENCE).await.unwrap();
    }
    drop(server);
    // On a machine that computes elsewhere too, the best of some tries tells what the room takes.
    let mut tries = Vec::new();
    while tries.len() < 5 && tries.iter().all(|took| *took >= Duration::from_secs(1)) {
        let (_server, address) = serve(&site);
        let began = Instant::now();
        let mut talker = enter(&address, "test").await;
        let log = talker.log(PATIENCE).await.unwrap();
        tries.push(began.elapsed());
        assert_eq!(log, (0..100).collect::<Vec<_>>());
    }
    assert!(tries.last() < Some(&Duration::from_secs(1)), "the first answers took {tries:?}");
}

#[tokio::test]
async fn what_has_passed_passes_again_under_a_smaller_limit_on_time() {
    let site = site(&[]);
    let (server, address) = serve(&site);
    let mut talker = enter(&address, "test").await;
    for number in 0..4 {
        talker.enters("costly", number, PATIENCE).await.unwrap();
    }
    drop(server);
    let (_server, address) = serve_with(&site, &["--cpu-time-per-event", "50ms"]);
    let mut talker = enter(&address, "test").await;
    assert_eq!(talker.log(PATIENCE).await.unwrap(), [0, 1, 2, 3]);
    // What comes now has the limit of now.
    talker.says("costly 4").await.unwrap();
    while talker.next(PATIENCE).await.is_ok() {}
    assert!(talker.visit.has_failed(), "{:?}", talker.visit.end);
    let mut talker = enter(&address, "test").await;
    assert_eq!(talker.log(PATIENCE).await.unwrap(), [0, 1, 2, 3]);
}

#[tokio::test]
async fn what_was_refused_memory_is_refused_it_again_under_a_larger_limit_and_the_other_way() {
    for (before, after, entered) in [("16MiB", "64MiB", false), ("64MiB", "128MiB", true)] {
        let site = site(&[]);
        let (server, address) = serve_with(&site, &["--memory-bytes", before]);
        let mut talker = enter(&address, "test").await;
        talker.says("room-for 40").await.unwrap();
        let log = if entered { vec![40] } else { vec![] };
        assert_eq!(talker.log(PATIENCE).await.unwrap(), log);
        drop(server);
        for limit in [after, before, after] {
            let (_server, address) = serve_with(&site, &["--memory-bytes", limit]);
            let mut talker = enter(&address, "test").await;
            assert_eq!(talker.log(PATIENCE).await.unwrap(), log, "{before}, then {limit}");
        }
        let (_server, address) = serve_with(&site, &["--memory-bytes", after]);
        let mut talker = enter(&address, "test").await;
        talker.enters("room-for", 41, PATIENCE).await.unwrap();
    }
}

#[tokio::test]
async fn timers_fire_on_time_after_a_run_whose_clock_was_an_hour_ahead() {
    let site = site(&[]);
    let mut command = cached(site.command());
    shift_clock(&mut command, 3600);
    let (server, address) = start(&mut command);
    let mut talker = enter(&address, "test").await;
    talker.says("alarm 1500").await.unwrap();
    assert!(talker.log(PATIENCE).await.unwrap().is_empty());
    drop(server);
    let (_server, address) = serve(&site);
    let began = Instant::now();
    let mut talker = enter(&address, "test").await;
    while !talker.visit.seen.contains(&TICK) {
        let next = talker.next(Duration::from_secs(6)).await;
        assert!(next.is_ok(), "no tick within {:?}: {next:?}", began.elapsed());
    }
    // And those that are set now.
    talker.says("alarm 100").await.unwrap();
    let began = Instant::now();
    while !talker.visit.seen.contains(&(TICK + 1)) {
        talker.next(Duration::from_secs(6)).await.unwrap();
    }
    assert!(began.elapsed() >= Duration::from_millis(95), "{:?}", began.elapsed());
}

#[tokio::test]
async fn reading_beside_a_busy_server_calls_nothing_damaged() {
    let site = site(&[]);
    let (_server, address) = serve(&site);
    let end = Instant::now() + Duration::from_secs(6);
    let mut talking = Vec::new();
    for room in 0..24 {
        let mut talker = enter(&address, &format!("room-{room}")).await;
        talking.push(tokio::spawn(async move {
            let mut number = 0;
            while Instant::now() < end {
                for _ in 0..16 {
                    number += 1;
                    talker.says(&format!("add {number:04000}")).await.unwrap();
                }
                let last = format!("added {number}");
                while talker.next(PATIENCE).await.unwrap() != last {}
            }
        }));
    }
    let rooms = async |arguments: &[&str]| {
        let mut command = stateroom(["rooms"]);
        command.env_remove("STATEROOM_EPHEMERAL").args(arguments);
        command.arg("--data-dir").arg(site.data()).current_dir(site.folder.path());
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {told}{said}");
        told
    };
    let mut calls = 0;
    while Instant::now() < end {
        let told = rooms(&["--json"]).await;
        assert!(!told.contains("\"damaged\":true"), "{told}");
        let room = format!("room-{}", calls % 24);
        rooms(&["export", &room, "exported"]).await;
        rooms(&["show", &room, "--json"]).await;
        calls += 1;
    }
    for talking in talking {
        talking.await.unwrap();
    }
    assert!(calls > 1, "only {calls} calls");
}
