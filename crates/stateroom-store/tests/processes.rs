//! The store on disk under the hands of other processes: killed in the midst of commits, holding it,
//! failing to write. The other processes are this test program, run for the one test `child`.
#![cfg(unix)]

mod support;

use fastrand::Rng;
use stateroom_store::{Durability, FileStore, Reader, Store, StoreError, Write};
use std::{
    env,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
};
use support::{append, reader, snapshot};

const ROOMS: u64 = 20;

fn room(number: u64) -> String {
    format!("room {number}")
}

/// What the `at`-th event of a room is.
fn record(number: u64, at: u64) -> Vec<u8> {
    [number.to_le_bytes(), at.to_le_bytes()].concat().repeat(1 + (at % 50) as usize)
}

#[test]
#[ignore = "the other tests run it as a process of its own"]
fn child() {
    let folder = env::var("STORE_FOLDER").expect("the other tests set it");
    let durability = match env::var("STORE_DURABILITY").as_deref() {
        Ok("synced") => Durability::Synced,
        _ => Durability::Buffered,
    };
    let mut store = FileStore::open(Path::new(&folder), durability).expect("it opens");
    println!("opened");
    match env::var("STORE_TASK").as_deref() {
        Ok("write") => write(&mut store),
        Ok("fail") => fail(&mut store),
        _ => {
            let _ = std::io::stdin().read(&mut [0]);
        }
    }
}

/// Writes for ever, and tells after each commit how many events each room has had.
fn write(store: &mut FileStore) {
    let had = reader(store).summary(&room(0)).expect("read").map_or(0, |summary| summary.events);
    for at in had.. {
        let mut writes: Vec<Write> = Vec::new();
        for number in 0..ROOMS {
            if at == 0 {
                writes.push(snapshot(&room(number), 0, b""));
            }
            writes.push(append(&room(number), at, 1, &record(number, at)));
            if (at + number) % 30 == 0 {
                writes.push(snapshot(&room(number), at + 1, &(at + 1).to_le_bytes()));
            }
        }
        store.commit(&writes).expect("committed");
        println!("committed {}", at + 1);
    }
}

/// Writes until it fails, and tells what happens then.
fn fail(store: &mut FileStore) {
    store.commit(&[snapshot("lobby", 0, b"")]).expect("committed");
    for at in 0.. {
        if let Err(error) = store.commit(&[append("lobby", at, 1, &[1; 10_000])]) {
            println!("after {at}: {error:?}");
            break;
        }
    }
    println!("then: {:?}", store.commit(&[snapshot("other", 0, b"")]));
}

fn command(folder: &Path, task: &str, durability: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("this program"));
    command.args(["--exact", "child", "--ignored", "--nocapture", "--test-threads=1"]);
    environment(&mut command, folder, task, durability);
    command
}

fn environment(command: &mut Command, folder: &Path, task: &str, durability: &str) {
    command.env("STORE_FOLDER", folder).env("STORE_TASK", task);
    command.env("STORE_DURABILITY", durability);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
}

/// Reads what `child` tells until a line has `wanted`, and gives what comes after that.
fn wait_for(lines: &mut impl Iterator<Item = std::io::Result<String>>, wanted: &str) -> String {
    let mut lines = lines.map(|line| line.expect("a line"));
    let found = lines.find_map(|line| Some(line.split_once(wanted)?.1.to_owned()));
    found.unwrap_or_else(|| panic!("it ended before {wanted:?}"))
}

fn kill(mut child: Child) {
    child.kill().expect("killed");
    child.wait().expect("it has ended");
}

#[test]
fn a_killed_process_loses_nothing_that_returned() {
    let mut random = Rng::with_seed(1);
    for durability in ["buffered", "synced"] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut told = 0;
        for _ in 0..6 {
            let mut child = command(folder.path(), "write", durability).spawn().expect("started");
            let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
            wait_for(&mut lines, "opened");
            for _ in 0..random.usize(1..200) {
                told = wait_for(&mut lines, "committed ").parse().expect("a number");
            }
            kill(child);
            // What it still said before its end.
            for line in lines {
                let line = line.expect("a line");
                if let Some(number) = line.strip_prefix("committed ") {
                    // The last line may be cut off; then it is a smaller number.
                    told = told.max(number.parse().unwrap_or(0));
                }
            }
            check(folder.path(), &mut told);
        }
    }
}

/// Every room has had at least `told` events, all of them the right ones, and all rooms as many, since
/// a commit is there whole or not at all.
fn check(folder: &Path, told: &mut u64) {
    let mut tool = FileStore::open_read_only(folder).expect("it opens");
    let before = tool.list().expect("read");
    let store = FileStore::open(folder, Durability::Synced).expect("it opens");
    let mut reader = reader(&store);
    assert_eq!(reader.list().expect("read"), before);
    let events = before.first().expect("a room").events;
    assert!((*told..=*told + 1).contains(&events), "told {told}, found {events}");
    *told = events;
    for number in 0..ROOMS {
        let loaded = reader.load(&room(number)).expect("read").expect("there");
        assert_eq!(loaded.events(), events);
        let at = loaded.snapshot.at;
        assert!(events - at <= 30, "the snapshot is lost");
        let state = if at == 0 { Vec::new() } else { at.to_le_bytes().to_vec() };
        assert_eq!(loaded.snapshot.state, state);
        for records in loaded.tail {
            assert_eq!(records.records, record(number, records.follows));
        }
    }
}

#[test]
fn while_a_process_has_it_no_other_can_and_tools_can_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = command(folder.path(), "hold", "synced").spawn().expect("started");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    wait_for(&mut lines, "opened");
    let error = FileStore::open(folder.path(), Durability::Synced).expect_err("it is held");
    let StoreError::InUse { process, .. } = error else { panic!("{error}") };
    assert_eq!(process, Some(child.id()));
    let mut tool = FileStore::open_read_only(folder.path()).expect("it opens");
    assert_eq!(tool.list().expect("read"), []);
    kill(child);
    FileStore::open(folder.path(), Durability::Synced).expect("it is free");
}

#[test]
fn a_write_that_does_not_fit_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    // No file may grow past 512 KiB; the signal that comes with it is ignored.
    let mut command = Command::new("bash");
    let script = "trap '' XFSZ; ulimit -f 512; exec \"$0\" --exact child --ignored --nocapture";
    command.args(["-c", script]).arg(env::current_exe().expect("this program"));
    environment(&mut command, folder.path(), "fail", "synced");
    let output = command.output().expect("it ran");
    let told = String::from_utf8_lossy(&output.stdout);
    let events: u64 = told
        .split_once("after ")
        .and_then(|(_, rest)| rest.split_once(": NotWritten"))
        .and_then(|(events, _)| events.parse().ok())
        .unwrap_or_else(|| panic!("it was not refused: {told}"));
    assert!(told.contains("then: Ok"), "a small one fits: {told}");
    let store = FileStore::open(folder.path(), Durability::Synced).expect("it opens");
    let found = reader(&store).load("lobby").expect("read").expect("there").events();
    assert_eq!(found, events);
}
