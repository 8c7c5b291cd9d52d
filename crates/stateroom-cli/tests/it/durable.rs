//! Rooms that outlive their server: timers, those who were there, and rooms that are on disk only.

use crate::{
    kept::{Member, Site},
    process::{Client, Running, stateroom, status, told, until_status},
    project::{Module, SILENT_ROOM},
};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// The first entry that a ledger's timer makes.
const TICK: &str = "4294967296";

#[tokio::test]
async fn a_timer_that_was_due_while_the_server_was_down_fires_though_nobody_has_come() {
    let site = Site::new(&[]);
    let (server, address) = site.serve();
    let (mut member, _) = Member::enter(&address, "test").await;
    let (mut other, _) = Member::enter(&address, "failing").await;
    other.says("fail timer").await;
    for member in [&mut member, &mut other] {
        member.says("alarm 300").await;
        assert_eq!(member.ask("log").await, "[]");
    }
    drop(server);
    sleep(Duration::from_millis(400)).await;

    let (mut server, _) = site.serve();
    server.hears("the timer failed: ");
    sleep(Duration::from_millis(300)).await;
    drop(server);

    let (_server, address) = site.serve();
    let mut later = Member::join(&address, "test").await;
    let welcome = later.hears("welcome").await;
    assert!(welcome.contains(" 1 version-00"), "{welcome}");
    assert_eq!(later.ask("log").await, format!("[{TICK}]"));
}

#[tokio::test]
async fn a_timer_that_is_due_after_a_restart_fires_at_its_time() {
    let site = Site::new(&["--empty-room-timeout", "50ms"]);
    let (server, address) = site.serve();
    let (mut member, _) = Member::enter(&address, "test").await;
    let set = Instant::now();
    member.says("alarm 1500").await;
    assert_eq!(member.ask("log").await, "[]");
    drop(member);
    assert_eq!(server.terminate(), Some(0));
    let (_server, address) = site.serve();
    let (mut member, _) = Member::enter(&address, "test").await;
    assert_eq!(member.ask("log").await, "[]");
    assert_eq!(member.hears("added").await, format!("added {TICK}"));
    assert!(set.elapsed() >= Duration::from_millis(1490), "{:?}", set.elapsed());
}

#[tokio::test]
async fn those_who_do_not_come_back_leave_and_those_who_do_keep_their_ids() {
    let site = Site::new(&["--reconnect-timeout", "1500ms"]);
    let (server, address) = site.serve();
    let (mut without, first) = Member::enter(&address, "test").await;
    let (_returns, second) = Member::enter(&address, "test?token=returns").await;
    let (_stays_away, third) = Member::enter(&address, "test?token=away").await;
    assert_eq!(without.ask("present").await, format!("{{{first}, {second}, {third}}}"));
    drop(server);

    let (_server, address) = site.serve();
    let started = Instant::now();
    let (mut later, fourth) = Member::enter(&address, "test").await;
    assert_eq!(later.ask("gone").await, format!("[{first}]"), "whoever has no token is gone");
    let (mut returned, again) = Member::enter(&address, "test?token=returns").await;
    assert_eq!(again, second);
    assert_eq!(returned.ask("present").await, format!("{{{second}, {third}, {fourth}}}"));
    assert_eq!(later.hears("left").await, format!("left {second}"), "its old connection has ended");
    assert_eq!(later.hears("left").await, format!("left {third}"));
    assert!(started.elapsed() > Duration::from_millis(1000), "{:?}", started.elapsed());
    assert_eq!(returned.ask("present").await, format!("{{{second}, {fourth}}}"));
}

#[tokio::test]
async fn those_who_do_not_come_back_leave_a_room_that_nobody_comes_to() {
    let site = Site::new(&["--reconnect-timeout", "200ms"]);
    let (server, address) = site.serve();
    let (mut member, id) = Member::enter(&address, "test").await;
    let (_away, other) = Member::enter(&address, "test?token=away").await;
    member.says("add 1").await;
    member.hears("added").await;
    drop(server);
    let (server, address) = site.serve();
    until_status(&address, |status| status["rooms"] == 1);
    sleep(Duration::from_millis(300)).await;
    assert_eq!(server.terminate(), Some(0));
    let (_server, address) = site.serve();
    let (mut later, third) = Member::enter(&address, "test").await;
    assert_eq!(later.ask("gone").await, format!("[{id}, {other}]"));
    assert_eq!(later.ask("present").await, format!("{{{third}}}"));
}

#[tokio::test]
async fn rooms_go_to_disk_under_their_clients_and_come_back_for_a_message_alone() {
    const ROOMS: u64 = 20;
    let quiet = ["--sleep-after", "100ms", "--hibernate-after", "100ms"];
    let heartbeats = ["--heartbeat-interval", "100ms", "--heartbeat-timeout", "10s"];
    let site = Site::new(&[&quiet[..], &heartbeats, &["--survives", "power-loss"]].concat());
    let (_server, address) = site.serve();
    let mut members = Vec::new();
    for room in 0..ROOMS {
        let (mut member, _) = Member::enter(&address, &format!("room-{room}")).await;
        member.says(&format!("add {room}")).await;
        member.hears("added").await;
        members.push(member);
    }
    for round in 1..=3 {
        until_status(&address, |status| status["rooms_on_disk"] == ROOMS);
        let wakes = status(&address)["wakes"].as_u64().unwrap();
        // Pings come and are answered.
        for _ in 0..3 {
            for member in &mut members {
                assert!(member.is_pinged().await);
            }
        }
        let status = status(&address);
        assert_eq!(status["wakes"], wakes, "{status}");
        assert_eq!(status["rooms_on_disk"], ROOMS, "{status}");
        assert_eq!(status["active_connections"], ROOMS);
        for (room, member) in (0..ROOMS).zip(&mut members) {
            member.says(&format!("add {}", 100 * round + room)).await;
            member.hears("added").await;
        }
    }
    for (room, member) in (0..ROOMS).zip(&mut members) {
        let log: Vec<u64> = (0..4).map(|round| 100 * round + room).collect();
        assert_eq!(member.ask("log").await, format!("{log:?}"));
    }
}

/// A room that prints a line for each message.
fn printing_room() -> String {
    let message = r#"(func (export "message") (param i32 i32 i32)
        (drop (call $print (i32.const 1) (i32.const 96) (i32.const 1) (i32.const 112))))
        (data (i32.const 64) "it prints\n")
        (data (i32.const 96) "\40\00\00\00\0a\00\00\00")"#;
    let print = r#"(module (import "wasi_snapshot_preview1" "fd_write"
        (func $print (param i32 i32 i32 i32) (result i32)))"#;
    let silent = r#"(func (export "message") (param i32 i32 i32))"#;
    SILENT_ROOM.replace("(module", print).replace(silent, message)
}

#[tokio::test]
async fn what_a_room_printed_is_not_logged_again_when_it_is_brought_back() {
    let site = Site::with(printing_room().as_bytes(), &[]);
    let (mut server, address) = site.serve();
    let mut member = Member::join(&address, "lobby").await;
    member.says("one").await;
    server.hears("it prints");
    sleep(Duration::from_millis(200)).await;
    drop(server);

    let (mut server, address) = site.serve();
    let mut member = Member::join(&address, "lobby").await;
    member.says("two").await;
    server.hears("it prints");
    sleep(Duration::from_millis(200)).await;
    let said = server.said();
    assert_eq!(said.matches("it prints").count(), 1, "{said}");
}

#[tokio::test]
async fn a_room_in_which_nothing_was_said_is_not_kept_by_a_planned_stop() {
    let site = Site::new(&[]);
    let (server, address) = site.serve();
    drop(Member::enter(&address, "silent").await);
    let (mut member, _) = Member::enter(&address, "spoken").await;
    member.says("add 1").await;
    member.hears("added").await;
    drop(member);
    until_status(&address, |status| status["active_connections"] == 0);
    assert_eq!(server.terminate(), Some(0));
    let mut rooms = stateroom(["rooms", "--json", "--data-dir"]);
    let list = told(rooms.arg(site.data()));
    assert!(list.contains("spoken") && !list.contains("silent"), "{list}");
}

#[tokio::test]
async fn a_server_that_has_no_time_to_save_its_rooms_names_those_that_are_lost_and_fails() {
    const ROOMS: usize = 300;
    let site = Site::new(&["--survives", "nothing", "--shutdown-timeout", "1ms"]);
    let (mut server, address) = site.serve();
    let mut members = Vec::new();
    for room in 0..ROOMS {
        let mut member = Member::enter(&address, &format!("room-{room}")).await.0;
        member.says("add 7").await;
        assert_eq!(member.hears("added").await, "added 7");
        members.push(member);
    }
    server.signal("-TERM");
    let ended = server.ends_within(Duration::from_secs(30)).expect("it does not end");
    let lost: Vec<String> = server
        .said()
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|line| line["message"].as_str().is_some_and(|it| it.contains("and is lost")))
        .map(|line| line["room"].as_str().unwrap().to_owned())
        .collect();
    assert!(!lost.is_empty(), "a millisecond is enough to save {ROOMS} rooms");
    assert_eq!(ended.code(), Some(1));

    let (_server, address) = site.serve();
    for room in (0..ROOMS).map(|room| format!("room-{room}")) {
        let log = Member::enter(&address, &room).await.0.ask("log").await;
        let expected = if lost.contains(&room) { "[]" } else { "[7]" };
        assert_eq!(log, expected, "{room}");
    }
}

#[test]
fn a_room_that_has_no_time_to_be_saved_at_the_end_is_told_with_what_that_means() {
    // A message has it print a line, and compute without end.
    let message = r#"(func (export "message") (param i32 i32 i32)
        (drop (call $print (i32.const 1) (i32.const 96) (i32.const 1) (i32.const 112)))
        (loop $on (br $on)))
        (data (i32.const 64) "computing\n")
        (data (i32.const 96) "\40\00\00\00\0a\00\00\00")"#;
    let print = r#"(module (import "wasi_snapshot_preview1" "fd_write"
        (func $print (param i32 i32 i32 i32) (result i32)))"#;
    let silent = r#"(func (export "message") (param i32 i32 i32))"#;
    let text = SILENT_ROOM.replace("(module", print).replace(silent, message);
    let module = Module::new(&text);
    for (survives, level, means) in [
        ("crash", "WARN", "its state is not saved; it comes back from what it has heard"),
        ("nothing", "ERROR", "its state is not saved, and is lost"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut command = stateroom(["serve", "--host", "127.0.0.1", "--port", "0"]);
        command.args(["--shutdown-timeout", "100ms", "--cpu-time-per-event", "3s"]);
        command.args(["--survives", survives, "--data-dir"]).arg(folder.path()).arg(&module.path);
        let mut server = Running::start(command.env_remove("STATEROOM_EPHEMERAL"));
        let mut client = Client::join(&server.address(), "lobby");
        client.says("go");
        server.hears("computing");
        server.signal("-TERM");
        let line: serde_json::Value =
            serde_json::from_str(&server.hears("there was no time")).unwrap();
        assert_eq!((&line["room"], &line["level"]), (&"lobby".into(), &level.into()), "{line}");
        assert!(line["message"].as_str().unwrap().contains(means), "{line}");
    }
}
