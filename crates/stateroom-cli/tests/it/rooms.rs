//! Rooms that are kept, as whoever looks after them sees and handles them.

use crate::{
    process::{Client, PATIENCE, Running, ends_with, stateroom, told},
    project::{Module, REMEMBERING_ROOM},
};
use clap::Parser;
use serde_json::{Value, json};
use stateroom_cli::options::Options;
use stateroom_room::Record;
use stateroom_store::ExportedRoom;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// The room that remembers a message, which also tells that as its state. A message that begins with
/// `!` is more than it can bear; after one that begins with `+` it sets its timer to an hour later.
fn room() -> String {
    let edits = [
        (
            "(param $text i32) (param $bytes i32)",
            "(param $text i32) (param $bytes i32)
        (if (i32.eq (i32.load8_u (local.get $text)) (i32.const 33)) (then unreachable))",
        ),
        ("(i32.const 116)", "(i32.const 43)"),
        ("(i32.const 700)", "(i32.const 3600000)"),
        (
            "(func (export \"binary\")",
            r#"(func (export "stateroom_v1_hand_over") (result i32)
        (i32.store8 (i32.const 4095) (i32.const 34))
        (i32.store8 (i32.add (i32.const 4096) (global.get $length)) (i32.const 34))
        (i32.store (i32.const 516) (i32.const 4095))
        (i32.store (i32.const 520) (i32.add (global.get $length) (i32.const 2)))
        (i32.const 512))
    (func (export "stateroom_v1_take_over") (param i32 i32 i32 i32) (result i32) (i32.const 0))
    (func (export "binary")"#,
        ),
    ];
    edits.iter().fold(REMEMBERING_ROOM.to_owned(), |room, (from, to)| {
        assert_eq!(room.matches(from).count(), 1, "{from}");
        room.replace(from, to)
    })
}

/// A folder that rooms are kept in, and the module that they run.
struct Kept {
    module: Module,
    folder: TempDir,
}

impl Kept {
    fn new() -> Kept {
        Kept { module: Module::new(&room()), folder: tempfile::tempdir().unwrap() }
    }

    fn data_dir(&self) -> PathBuf {
        self.folder.path().join("kept")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn serve(&self) -> (Running, String) {
        let arguments = ["serve", "--host", "127.0.0.1", "--port", "0", "--shards", "1"];
        let mut command = self.command(arguments);
        let mut server = Running::start(command.arg(&self.module.path));
        let address = server.address();
        (server, address)
    }

    /// The command on these rooms, in a folder of its own.
    fn command<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = stateroom(arguments);
        command.env_remove("STATEROOM_EPHEMERAL").current_dir(self.folder.path());
        command.arg("--data-dir").arg(self.data_dir());
        command
    }

    fn list(&self) -> Vec<Value> {
        lines(&told(&mut self.command(["rooms", "--json"])))
    }

    fn show(&self, room: &str) -> Value {
        let shown = told(&mut self.command(["rooms", "show", room, "--json", "--state"]));
        serde_json::from_str(&shown).unwrap()
    }

    fn export(&self, room: &str, file: &str) -> PathBuf {
        let said = ends_with(0, self.command(["rooms", "export", room]).arg(self.file(file)));
        assert!(said.contains("Exported"), "{said}");
        self.file(file)
    }

    /// Two clients who have said `one` and `two` in the room `lobby`, the first with a token.
    fn talk(&self, address: &str) -> [Client; 2] {
        let mut first = Client::join(address, "lobby?token=a-secret");
        assert_eq!(ask(&mut first, "one"), "");
        let mut second = Client::join(address, "lobby");
        assert_eq!(ask(&mut second, "two"), "one");
        [first, second]
    }

    /// Rooms that nobody serves any more, since the server was killed.
    fn abandoned() -> Kept {
        let kept = Kept::new();
        let (server, address) = kept.serve();
        let _clients = kept.talk(&address);
        drop(server);
        kept
    }
}

fn ask(client: &mut Client, text: &str) -> String {
    client.says(text);
    client.hears()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn replay(kept: &Kept, file: &Path, arguments: &[&str]) -> String {
    told(kept.command(["replay"]).arg(file).args(arguments))
}

#[test]
fn the_timers_of_a_service_are_shown_beside_its_state() {
    let kept = Kept::new();
    let (server, address) = kept.serve();
    // Its state is this in quotes.
    assert_eq!(ask(&mut Client::join(&address, "lobby"), "tea\"\n1700000000250 round"), "");
    drop(server);
    let shown = kept.show("lobby");
    assert_eq!(shown["state"], "tea");
    assert_eq!(shown["timers"], json!({ "round\"": "2023-11-14T22:13:20.250000Z" }));
    let shown = told(&mut kept.command(["rooms", "show", "lobby", "--state"]));
    let end = "\n\ntimers\n  2023-11-14T22:13:20.250000Z  round\"\n\nstate\n\"tea\"\n";
    assert!(shown.ends_with(end), "{shown}");
}

#[test]
fn rooms_are_seen_while_a_server_runs_and_after_it_was_killed() {
    let kept = Kept::new();
    let (server, address) = kept.serve();
    let _clients = kept.talk(&address);
    let mut other = Client::join(&address, "another%20room");
    assert_eq!(ask(&mut other, "+timer"), "");

    let list = kept.list();
    assert_eq!(list.len(), 2, "{list:?}");
    let [another, lobby] = [&list[0], &list[1]];
    assert_eq!((&another["room"], &another["events"]), (&json!("another room"), &json!(2)));
    assert!(another["next_timer"].as_str().unwrap().ends_with('Z'), "{another}");
    assert_eq!(
        [&lobby["room"], &lobby["clients"], &lobby["events"], &lobby["quarantined"]],
        [&json!("lobby"), &json!(2), &json!(4), &json!(0)]
    );
    assert_eq!([&lobby["next_timer"], &lobby["damaged"]], [&Value::Null, &json!(false)]);
    assert!(
        lobby["snapshot_bytes"].as_u64() > Some(0) && lobby["journal_bytes"].as_u64() > Some(0),
        "{lobby}"
    );

    let shown = kept.show("lobby");
    let members = json!([{ "client": 1, "token": true }, { "client": 2, "token": false }]);
    assert_eq!([&shown["members"], &shown["state"]], [&members, &json!("two")]);
    assert_eq!([&shown["events"], &shown["module"]], [&json!(4), &lobby["module"]]);
    let shown = told(&mut kept.command(["rooms", "show", "lobby", "--state"]));
    for line in ["no token   2\n", "token      1\n", "events       4\n", "\nstate\n\"two\"\n"] {
        assert!(shown.contains(line), "{line:?} in {shown}");
    }
    assert!(!shown.contains("a-secret"), "{shown}");
    let exported = kept.export("lobby", "lobby.room");

    drop(server);
    assert_eq!(kept.list(), list, "a killed server leaves all that its clients have seen");
    let table = told(&mut kept.command(["rooms"]));
    let words: Vec<Vec<&str>> =
        table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0][..3], ["ROOM", "CLIENTS", "EVENTS"]);
    assert_eq!(words[2][..3], ["lobby", "2", "4"], "{table}");
    let module = lobby["module"].as_str().unwrap();
    assert_eq!(words[2][7..], [&module[..8], "0", "-"], "{table}");
    let again = kept.export("lobby", "again.room");
    assert_eq!(fs::read(exported).unwrap(), fs::read(again).unwrap());
}

#[test]
fn an_event_that_failed_is_shown_with_its_reason() {
    let kept = Kept::new();
    let (server, address) = kept.serve();
    let _clients = kept.talk(&address);
    Client::join(&address, "lobby?token=another-secret").says("!\x1b[2J boom");
    let deadline = Instant::now() + PATIENCE;
    while kept.list()[0]["quarantined"] == 0 {
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(20));
    }
    for _ in 0..2 {
        let shown = kept.show("lobby");
        let quarantined = &shown["quarantined"][0];
        assert_eq!(quarantined["at"], 5, "{shown}");
        assert_eq!(quarantined["payload"], json!({ "text": "!\x1b[2J boom" }), "{shown}");
        assert_eq!(quarantined["what"], "a message of 10 bytes from client 3");
        let reason = quarantined["reason"].as_str().unwrap();
        assert!(reason.contains("unreachable"), "{reason}");
        assert_eq!(shown["state"], "two", "the room is as it was before");
    }
    let shown = told(&mut kept.command(["rooms", "show", "lobby"]));
    assert!(shown.contains(r#"client 3: "!\u{1b}[2J boom""#), "{shown}");
    assert!(shown.contains("unreachable") && !shown.contains('\x1b'), "{shown}");

    drop(server);
    let file = kept.export("lobby", "lobby.room");
    let elsewhere = Kept::new();
    ends_with(0, elsewhere.command(["rooms", "import"]).arg(&file));
    let quarantined = &elsewhere.show("lobby")["quarantined"];
    assert_eq!(*quarantined, kept.show("lobby")["quarantined"], "what failed goes with it");
}

#[test]
fn a_room_goes_on_elsewhere_under_another_id() {
    let kept = Kept::abandoned();
    let file = kept.export("lobby", "lobby.room");
    let elsewhere = Kept::new();
    let import = || {
        let mut command = elsewhere.command(["rooms", "import", "--as", "hall"]);
        command.arg(&file);
        command
    };
    ends_with(0, &mut import());
    let (server, address) = elsewhere.serve();
    let mut client = Client::join(&address, "hall?token=a-secret");
    assert_eq!(ask(&mut client, "three"), "two");
    let shown = elsewhere.show("hall");
    assert_eq!(shown["members"][0], json!({ "client": 1, "token": true }), "{shown}");
    let said = ends_with(7, &mut import());
    assert!(said.contains("stop it first"), "{said}");
    assert_eq!(server.terminate(), Some(0));

    let said = ends_with(2, &mut import());
    assert!(said.contains("--as") && said.contains("--replace"), "{said}");
    assert_eq!(elsewhere.show("hall")["state"], "three");
    ends_with(0, import().arg("--replace"));
    assert_eq!(elsewhere.show("hall")["state"], "two");
    let said = ends_with(2, elsewhere.command(["rooms", "import", "--as", ""]).arg(&file));
    assert!(said.contains("1 to 128 bytes"), "{said}");
}

#[test]
fn a_replay_tells_the_events_and_comes_to_the_same_states() {
    let kept = Kept::abandoned();
    let file = kept.export("lobby", "lobby.room");
    let told_once = replay(&kept, &file, &["--state"]);
    assert_eq!(told_once, replay(&kept, &file, &["--state"]));
    assert_eq!(told_once, told(&mut kept.command(["replay", "lobby", "--state"])));
    for line in [
        "  0  ",
        "  1  ",
        "a client's connect with a token\n          open client 1\n          state ",
        "a message of 3 bytes from client 1: \"one\"\n          send to client 1: 0 bytes \"\"\n",
        "  4  ",
        "a message of 3 bytes from client 2: \"two\"\n          send to client 2: 3 bytes \"one\"\n",
        "\n\"two\"\n",
    ] {
        assert!(told_once.contains(line), "{line:?} in {told_once}");
    }
    assert!(!told_once.contains("a-secret"), "{told_once}");

    let events = lines(&replay(&kept, &file, &["--json"]));
    let numbers: Vec<u64> = events.iter().map(|event| event["event"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4]);
    assert_eq!(events[4]["payload"], json!({ "text": "two" }));
    let sent = json!([{ "send": { "text": "one" }, "to": { "client": 2 }, "binary": false }]);
    assert_eq!(events[4]["commands"], sent);
    let digests: Vec<&str> = events.iter().map(|it| it["state"].as_str().unwrap()).collect();
    assert!(digests.iter().all(|digest| digest.len() == 16), "{digests:?}");
    assert!(digests[1] != digests[2] && digests[3] != digests[4], "{digests:?}");

    let begun = lines(&replay(&kept, &file, &["--json", "--until", "2", "--state"]));
    assert_eq!(begun[..3], events[..3]);
    assert_eq!(begun[3..], [json!({ "service_state": "one" })]);
}

#[test]
fn a_replay_that_goes_another_way_tells_where_and_ends_with_8() {
    let kept = Kept::abandoned();
    let file = kept.export("lobby", "lobby.room");
    let mut room = ExportedRoom::decode(&fs::read(&file).unwrap()).unwrap();
    let mut number = 0;
    for part in &mut room.stored.tail {
        let records = std::mem::take(&mut part.records);
        let mut rest = records.as_slice();
        while !rest.is_empty() {
            let (mut record, after) = Record::read(rest).unwrap();
            rest = after;
            number += 1;
            record.digest ^= u32::from(number == 3);
            record.write(&mut part.records);
        }
    }
    assert_eq!(number, 4);
    fs::write(&file, room.encode()).unwrap();
    let said = ends_with(8, kept.command(["replay", "--until", "4"]).arg(&file));
    assert!(said.contains("event 3 of the journal, a client's connect"), "{said}");
    assert_eq!(lines(&replay(&kept, &file, &["--json", "--until", "2"])).len(), 3);
    let said = ends_with(8, kept.command(["rooms", "import", "--replace"]).arg(&file));
    assert!(said.contains("event 3"), "{said}");
    assert_eq!(kept.show("lobby")["state"], "two", "nothing was replaced");
}

#[test]
fn a_room_that_is_deleted_begins_anew() {
    let kept = Kept::new();
    let (server, address) = kept.serve();
    let _clients = kept.talk(&address);
    let mut other = Client::join(&address, "other");
    assert_eq!(ask(&mut other, "kept"), "");
    for command in ["delete", "restart"] {
        let said = ends_with(7, &mut kept.command(["rooms", command, "lobby"]));
        assert!(said.contains("a server runs on") && said.contains("stop it first"), "{said}");
    }
    assert_eq!(server.terminate(), Some(0));

    let said = ends_with(2, &mut kept.command(["rooms", "delete", "lobby", "none"]));
    assert!(said.contains("no room none"), "{said}");
    assert_eq!(kept.list().len(), 2, "all or none");
    ends_with(0, &mut kept.command(["rooms", "delete", "lobby"]));
    let list = kept.list();
    assert_eq!((list.len(), &list[0]["room"]), (1, &json!("other")));
    let (_server, address) = kept.serve();
    assert_eq!(ask(&mut Client::join(&address, "lobby"), "hello"), "");
    assert_eq!(ask(&mut Client::join(&address, "other"), "hello"), "kept");
}

#[test]
fn a_room_that_is_restarted_keeps_who_its_clients_are() {
    let kept = Kept::abandoned();
    ends_with(0, &mut kept.command(["rooms", "restart", "lobby"]));
    let shown = kept.show("lobby");
    let members = json!([{ "client": 1, "token": true }, { "client": 2, "token": false }]);
    assert_eq!([&shown["state"], &shown["members"]], [&json!(""), &members]);
    let (_server, address) = kept.serve();
    let mut client = Client::join(&address, "lobby?token=a-secret");
    assert_eq!(ask(&mut client, "hello"), "");
    assert_eq!(kept.show("lobby")["members"][0]["client"], 1);
}

#[test]
fn rooms_whose_ids_are_alike_become_files_of_their_own() {
    let kept = Kept::new();
    let (_server, address) = kept.serve();
    for (id, path) in [("a/b", "a%2Fb"), ("a_b", "a_b")] {
        assert_eq!(ask(&mut Client::join(&address, path), id), "");
        let said = ends_with(0, &mut kept.command(["rooms", "export", id]));
        assert!(said.contains(&format!("{path}.room")), "{said}");
    }
    for (id, file) in [("a/b", "a%2Fb.room"), ("a_b", "a_b.room")] {
        let exported = ExportedRoom::decode(&fs::read(kept.file(file)).unwrap()).unwrap();
        assert_eq!(&*exported.room, id);
    }
}

#[test]
fn damage_is_told_and_keeps_nothing_else_from_being_seen() {
    let kept = Kept::new();
    let (server, address) = kept.serve();
    let _clients = kept.talk(&address);
    assert_eq!(ask(&mut Client::join(&address, "other"), "kept"), "");
    let file = kept.export("other", "other.room");
    assert_eq!(server.terminate(), Some(0));
    let database = rusqlite::Connection::open(kept.data_dir().join("rooms.db")).unwrap();
    database.execute("UPDATE rooms SET clients = 77 WHERE room = 'lobby'", ()).unwrap();
    drop(database);

    let damaged: Vec<_> = kept.list().iter().map(|room| room["damaged"].clone()).collect();
    assert_eq!(damaged, [true, false]);
    let table = told(&mut kept.command(["rooms"]));
    assert!(table.contains("lobby") && table.contains("  damaged\n"), "{table}");
    assert!(!table.contains("77"), "{table}");
    let said = ends_with(7, &mut kept.command(["rooms", "show", "lobby"]));
    assert!(said.contains("lobby") && said.contains("is damaged: the checksum"), "{said}");
    assert_eq!(kept.show("other")["state"], "kept");
    let all = kept.file("all");
    let said = ends_with(7, kept.command(["rooms", "export"]).arg("--all").arg(&all));
    assert!(said.contains("lobby: ") && said.contains("1 rooms are damaged"), "{said}");
    let other = ExportedRoom::decode(&fs::read(all.join("other.room")).unwrap()).unwrap();
    assert_eq!(&*other.room, "other");
    assert_eq!(fs::read_dir(all).unwrap().count(), 1);
    ends_with(0, &mut kept.command(["rooms", "delete", "lobby"]));
    assert_eq!(kept.list().len(), 1);

    let whole = fs::read(&file).unwrap();
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    let mut newer = whole.clone();
    newer[8] = 9;
    for (bytes, reason) in [
        (&damaged[..], "damaged: its checksum is wrong"),
        (&whole[..whole.len() - 1], "damaged"),
        (&newer, "format 9"),
        (b"something else", "no exported room"),
    ] {
        fs::write(&file, bytes).unwrap();
        for command in [&["replay"][..], &["rooms", "import", "--as", "new"]] {
            let said = ends_with(7, kept.command(command.iter().copied()).arg(&file));
            assert!(said.contains(reason) && said.contains("other.room"), "{said}");
        }
    }
    assert_eq!(kept.list().len(), 1);
}

#[test]
fn what_is_not_there_is_told_and_not_made() {
    let kept = Kept::new();
    for arguments in [&["rooms"][..], &["rooms", "delete", "lobby"], &["rooms", "show", "lobby"]] {
        let said = ends_with(7, &mut kept.command(arguments.iter().copied()));
        assert!(said.contains("there is no folder") && said.contains("--data-dir"), "{said}");
    }
    let said = ends_with(2, &mut kept.command(["replay", "nope"]));
    assert!(said.starts_with("error: there is no file nope, and no room of that id"), "{said}");
    assert!(said.contains("--data-dir") && said.lines().count() == 1, "{said}");
    ends_with(2, &mut kept.command(["rooms", "import", "lobby.room"]));
    assert!(!kept.data_dir().exists());
    let said = ends_with(2, &mut kept.command(["rooms", "--json", "delete", "lobby"]));
    assert!(said.contains("--json"), "{said}");

    // The folder and the bounds that stateroom.toml names are those that hold.
    let kept = Kept::abandoned();
    let text = "[durability]\ndata_dir = \"kept\"\nephemeral = true\n[limits]\nmemory_bytes = 1";
    fs::write(kept.file("stateroom.toml"), format!("{text}\nstack_bytes = \"1GiB\"")).unwrap();
    let here = |arguments: &[&str]| {
        let mut command = stateroom(arguments);
        command.env_remove("STATEROOM_EPHEMERAL").current_dir(kept.folder.path());
        command
    };
    assert_eq!(lines(&told(&mut here(&["rooms", "--json"]))).len(), 1);
    let said = ends_with(1, &mut here(&["replay", "lobby"]));
    assert!(said.contains("stack_bytes"), "{said}");
    // What the room could see of its limits is part of it, whatever is set now.
    told(&mut here(&["replay", "lobby", "--stack-bytes", "1MiB"]));
}

#[test]
fn the_commands_in_the_documents_are_ones_that_there_are() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/rooms.md");
    let mut texts =
        vec![told(&mut stateroom(["rooms", "--help"])), told(&mut stateroom(["replay", "--help"]))];
    // A packaged crate has no documents.
    texts.extend(fs::read_to_string(page));
    let lines = texts.iter().flat_map(|text| text.lines());
    let commands = lines
        .map(|line| line.split(" #").next().unwrap().trim())
        .filter(|line| line.starts_with("stateroom "))
        .flat_map(|line| line.split(" && "))
        .map(|line| line.split(" | ").next().unwrap());
    let mut count = 0;
    for command in commands {
        let parsed = Options::try_parse_from(command.split_whitespace());
        assert!(parsed.is_ok(), "{command}: {}", parsed.unwrap_err());
        count += 1;
    }
    assert!(count >= 7, "{count}");
}

#[test]
fn temporary_rooms_are_gone_as_soon_as_they_are_left() {
    let kept = Kept::new();
    let mut command =
        kept.command(["serve", "--host", "localhost", "--port", "0", "--survives", "crash"]);
    command.args(["--temporary-rooms", "load-{number}"]).arg(&kept.module.path);
    let mut server = Running::start(&mut command);
    let address = server.address();
    for room in ["load-7", "load-balancing"] {
        let mut client = Client::join(&address, room);
        // One that sets a timer, which is nobody's any more.
        assert_eq!(ask(&mut client, "+"), "");
    }
    let names = || kept.list().iter().map(|room| room["room"].clone()).collect::<Vec<_>>();
    let deadline = Instant::now() + PATIENCE;
    while names() != ["load-balancing"] {
        assert!(Instant::now() < deadline, "{:?}", names());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(ask(&mut Client::join(&address, "load-7"), "again"), "", "it is a new room");
}
