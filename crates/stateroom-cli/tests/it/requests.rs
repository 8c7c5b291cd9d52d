//! HTTP requests to rooms of a server that is killed, and what `stateroom replay` tells of them.

use crate::{
    kept::{Member, Site},
    page::{block, program},
    process::{Running, ends_with, get, stateroom, status, told},
    project::{Project, SILENT_ROOM},
};
use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    process::Command,
};

/// The status and the body of what is answered.
fn asks(address: &str, line: &str, key: Option<&str>, body: &str) -> (u16, String) {
    let key = key.map_or_else(String::new, |key| format!("idempotency-key: {key}\r\n"));
    let length = body.len();
    let request =
        format!("{line} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n{key}\r\n{body}");
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[tokio::test]
async fn what_was_answered_survives_kill_9_and_is_answered_again_as_it_was() {
    let site = Site::new(&[]);
    let (server, address) = site.serve();
    let first = (201, "entry 1".to_owned());
    assert_eq!(asks(&address, "POST /rooms/test/add", Some("k"), "7"), first);
    drop(server);

    // From the journal.
    let (server, address) = site.serve();
    assert_eq!(asks(&address, "POST /rooms/test/add", Some("k"), "7"), first);
    assert_eq!(asks(&address, "POST /rooms/test/add", Some("k"), "8").0, 422);
    assert_eq!(asks(&address, "GET /rooms/test/log", None, ""), (200, "[7]".to_owned()));
    // A planned stop saves the room's state.
    assert_eq!(server.terminate(), Some(0));

    let (server, address) = site.serve();
    assert_eq!(asks(&address, "POST /rooms/test/add", Some("k"), "7"), first);
    let (mut member, _) = Member::enter(&address, "test").await;
    assert_eq!(member.ask("log").await, "[7]");
    assert_eq!(asks(&address, "POST /rooms/test/add", Some("other"), "8").0, 201);
    assert_eq!(member.hears("added").await, "added 8");
    drop(server);

    let (_server, address) = site.serve();
    assert_eq!(asks(&address, "GET /rooms/test/log", None, ""), (200, "[7, 8]".to_owned()));
}

#[tokio::test]
async fn a_request_that_fails_is_a_500_and_as_if_it_had_never_been() {
    let site = Site::new(&[]);
    let (_server, address) = site.serve();
    let (mut member, _) = Member::enter(&address, "test").await;
    let (status, body) = asks(&address, "POST /rooms/test/trap", Some("k"), "7");
    assert_eq!(status, 500);
    assert!(!body.contains("asked to fail"), "{body}");
    assert_eq!(member.ask("log").await, "[]", "nobody else notices");
    assert_eq!(asks(&address, "POST /rooms/test/add", Some("k"), "7").0, 201);
}

#[test]
fn where_nothing_survives_a_request_that_fails_is_a_500_and_ends_its_room() {
    for level in [&["--survives", "nothing"][..], &["--ephemeral"]] {
        let site = Site::new(level);
        let (_server, address) = site.serve();
        assert_eq!(asks(&address, "POST /rooms/test/add", Some("k"), "7").0, 201);
        assert_eq!(asks(&address, "POST /rooms/test/add", Some("k"), "7").1, "entry 1");
        assert_eq!(asks(&address, "POST /rooms/test/trap", None, "8").0, 500, "{level:?}");
        assert_eq!(asks(&address, "POST /rooms/test/add", None, "9").1, "entry 1", "a fresh room");
    }
}

#[tokio::test]
async fn those_whose_requests_make_a_room_fail_again_and_again_are_kept_away() {
    let site = Site::new(&[]);
    let (_server, address) = site.serve();
    for _ in 0..3 {
        assert_eq!(asks(&address, "POST /rooms/test/trap", None, "7").0, 500);
    }
    assert_eq!(asks(&address, "POST /rooms/test/add", None, "7").0, 429);
    assert_eq!(asks(&address, "POST /rooms/other/add", None, "7").0, 201, "it is that room's");
}

#[tokio::test]
async fn a_replay_shows_requests_and_their_answers() {
    let site = Site::new(&[]);
    let (server, address) = site.serve();
    assert_eq!(asks(&address, "POST /rooms/test/add?x=1", Some("k"), "7").0, 201);
    drop(server);
    let data_dir = site.data();
    let replay = told(stateroom(["replay", "test", "--data-dir"]).arg(&data_dir));
    assert!(replay.contains(": POST /add \"7\""), "{replay}");
    assert!(replay.contains("answer request 1: 201, 7 bytes \"entry 1\""), "{replay}");
    let replay = told(stateroom(["replay", "test", "--json", "--data-dir"]).arg(&data_dir));
    assert!(replay.contains(r#""path":"/add""#) && replay.contains(r#""status":201"#), "{replay}");
}

#[test]
fn a_module_that_hears_no_requests_leaves_their_addresses_to_pages() {
    let site = Site::with(SILENT_ROOM.as_bytes(), &[]);
    let (_server, address) = site.serve();
    for line in ["GET /rooms/lobby/x", "POST /rooms/lobby"] {
        let (code, body) = asks(&address, line, None, "");
        assert!(code == 404 && body.contains("There is no page"), "{line}: {code} {body}");
    }
    assert_eq!(status(&address)["rooms"], 0);
}

#[test]
fn what_the_page_says_works() {
    let Some(_) = program("curl") else { return };
    let project = Project::new("votes", "counter");
    project.write("src/lib.rs", &block("requests.md", "rust", "struct Votes"));
    project.write("static/rooms/lobby/help.html", "help");
    ends_with(0, stateroom(["build"]).current_dir(&project.path));
    let mut command = stateroom(["serve", "dist", "--host", "127.0.0.1", "--port", "0"]);
    let mut server = Running::start(command.current_dir(&project.path));
    let address = server.address();
    let commands = block("requests.md", "sh", "curl").replace("localhost:8080", &address);
    for _ in 0..2 {
        let output = Command::new("sh").args(["-eu", "-c", &commands]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{commands}said\n{said}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "{\"count\":1}1");
    }
    assert_eq!(get(&address, "/rooms/lobby/help.html"), "help");
}
