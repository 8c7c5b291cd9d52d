//! Disks that are full or read-only, and stores that are damaged, taken, or of another time: each is
//! told clearly, and costs no more than it must.

use crate::{
    kept::{Member, Site},
    process::{ends_with, status, until_status},
    project::REMEMBERING_ROOM,
};
use rusqlite::Connection;
use std::{
    fs::{self, OpenOptions},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

/// A folder on which something is mounted, until this is dropped.
struct Mount(PathBuf);

impl Mount {
    /// What `mount` makes of these arguments; `None`, with a line about it, where that is not allowed.
    fn new(arguments: &[&str], folder: &Path) -> Option<Mount> {
        fs::create_dir_all(folder).unwrap();
        let mounted = Command::new("mount").args(arguments).arg(folder).output();
        if mounted.as_ref().is_ok_and(|mounted| mounted.status.success()) {
            return Some(Mount(folder.to_owned()));
        }
        eprintln!("not tried: only root may mount ({mounted:?})");
        None
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_full_disk_ends_the_room_that_could_not_be_saved_and_undoes_nothing_that_was_seen() {
    let site = Site::with(REMEMBERING_ROOM.as_bytes(), &["--survives", "power-loss"]);
    let data = site.data();
    let Some(_mount) = Mount::new(&["-t", "tmpfs", "-o", "size=3M", "none"], &data) else { return };
    let ballast = data.join("ballast");
    fs::write(&ballast, vec![1; 1 << 20]).unwrap();
    let (mut server, address) = site.serve();
    let mut member = Member::join(&address, "test").await;
    let mut bystander = Member::join(&address, "bystander").await;
    bystander.says("here").await;
    assert_eq!(bystander.hears("").await, "");

    // Each is answered with the one before it, once it is kept.
    let mut kept = String::new();
    let mut number = 0;
    let end = loop {
        number += 1;
        let text = format!("{number:03000}");
        member.says(&text).await;
        match member.next().await {
            Ok(answer) => assert_eq!(answer, kept),
            Err(end) => break end,
        }
        kept = text;
    };
    let reason = "room failed: what it did could not be saved";
    assert_eq!(end, Some((1011, reason.to_owned())));
    server.hears("is full; nothing was written: make space");

    fs::remove_file(&ballast).unwrap();
    let mut again = Member::join(&address, "test").await;
    again.says("with space").await;
    assert_eq!(again.hears("").await, kept, "the last that was answered, and no other");
    bystander.says("still").await;
    assert_eq!(bystander.hears("").await, "here");
    drop(server);
    let (_server, address) = site.serve();
    let mut later = Member::join(&address, "test").await;
    later.says("later").await;
    assert_eq!(later.hears("").await, "with space");
}

#[test]
fn a_read_only_folder_is_refused() {
    let site = Site::with(REMEMBERING_ROOM.as_bytes(), &[]);
    open_and_stop(&site);
    let data = site.data();
    let Some(_mount) = Mount::new(&["--bind", &data.to_string_lossy()], &data) else { return };
    let remount = ["-o", "remount,ro,bind"];
    assert!(Command::new("mount").args(remount).arg(&data).status().unwrap().success());
    let said = ends_with(7, &mut site.command());
    assert!(said.contains("is read-only") && said.contains("or choose another folder"), "{said}");
}

#[test]
fn a_folder_that_another_server_has_is_refused() {
    let site = Site::with(REMEMBERING_ROOM.as_bytes(), &[]);
    let (server, _) = site.serve();
    let said = ends_with(7, &mut site.command());
    assert!(said.contains("is in use by process "), "{said}");
    drop(server);
    open_and_stop(&site);
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_refused_and_left_as_it_is() {
    let site = Site::with(REMEMBERING_ROOM.as_bytes(), &[]);
    open_and_stop(&site);
    Connection::open(database(&site)).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let before = fs::read(database(&site)).unwrap();
    let said = ends_with(7, &mut site.command());
    assert!(said.contains("is of format 99") && said.contains("or a newer one"), "{said}");
    assert!(fs::read(database(&site)).unwrap() == before);
}

/// Rooms that were told something by clients that have gone.
async fn fill(address: &str) {
    for room in 0..50 {
        let mut member = Member::join(address, &format!("room-{room}")).await;
        member.says("hello").await;
        member.hears("").await;
    }
    until_status(address, |status| status["active_connections"] == 0);
}

#[tokio::test]
async fn the_folder_of_a_server_that_was_stopped_is_small_and_can_be_copied() {
    let site = Site::with(REMEMBERING_ROOM.as_bytes(), &[]);
    let (server, address) = site.serve();
    fill(&address).await;
    assert_eq!(server.terminate(), Some(0));
    let elsewhere = Site::with(REMEMBERING_ROOM.as_bytes(), &[]);
    let copy = Command::new("cp").arg("-r").args([site.data(), elsewhere.data()]).status();
    assert!(copy.unwrap().success());
    let size = Command::new("du").args(["-sb"]).arg(elsewhere.data()).output().unwrap().stdout;
    let size = String::from_utf8(size).unwrap();
    let bytes: u64 = size.split_whitespace().next().unwrap().parse().unwrap();
    assert!(bytes < 1 << 20, "{size}");
    let (_server, address) = elsewhere.serve();
    let mut member = Member::join(&address, "room-7").await;
    member.says("again").await;
    assert_eq!(member.hears("").await, "hello");
}

#[tokio::test]
async fn a_store_that_was_cut_short_is_refused_and_left_as_it_is() {
    let site = Site::with(REMEMBERING_ROOM.as_bytes(), &[]);
    for is_stopped in [true, false] {
        let (server, address) = site.serve();
        fill(&address).await;
        match is_stopped {
            true => assert_eq!(server.terminate(), Some(0)),
            false => drop(server),
        }
        let log = site.data().join("rooms.db-wal");
        // No log is as good as an empty one.
        let read_log = || fs::read(&log).unwrap_or_default();
        let (whole, whole_log) = (fs::read(database(&site)).unwrap(), read_log());
        assert_eq!(whole_log.is_empty(), is_stopped);
        for length in [whole.len() / 2, 4096, 100, 0] {
            fs::write(database(&site), &whole[..length]).unwrap();
            let said = ends_with(7, &mut site.command());
            assert!(said.contains("restore it from a backup"), "{length} bytes: {said}");
            assert!(fs::read(database(&site)).unwrap() == whole[..length], "{length} bytes");
            assert!(read_log() == whole_log, "{length} bytes");
        }
        fs::write(database(&site), whole).unwrap();
    }
    let (_server, address) = site.serve();
    let mut member = Member::join(&address, "room-7").await;
    member.says("again").await;
    assert_eq!(member.hears("").await, "hello");
}

/// Two rooms that were told something; then their server is killed, or stopped.
async fn two_rooms(is_stopped: bool) -> Site {
    let site = Site::with(REMEMBERING_ROOM.as_bytes(), &["--reconnect-timeout", "100ms"]);
    let (server, address) = site.serve();
    for room in ["damaged", "sound"] {
        let mut member = Member::join(&address, room).await;
        member.says(&format!("what {room} was told")).await;
        assert_eq!(member.hears("").await, "");
    }
    until_status(&address, |status| status["active_connections"] == 0);
    match is_stopped {
        true => assert_eq!(server.terminate(), Some(0)),
        false => drop(server),
    }
    site
}

/// The room `damaged` is refused, again and again, and the other goes on.
async fn only_one_is_damaged(site: &Site) {
    let (mut server, address) = site.serve();
    for is_first in [true, false] {
        let mut refused = Member::join(&address, "damaged").await;
        let (code, reason) = refused.ends().await.expect("a close frame");
        assert_eq!(code, 1011);
        assert_eq!(reason, "room failed: it could not start");
        if is_first {
            let line = server.hears("the room could not be opened");
            assert!(line.contains("what is stored of the room"), "{line}");
            assert!(line.contains("is damaged") && line.contains("from a backup"), "{line}");
        }
        let mut member = Member::join(&address, "sound").await;
        member.says("what sound was told").await;
        assert_eq!(member.hears("").await, "what sound was told");
    }
    assert_eq!(server.terminate(), Some(0));
}

#[tokio::test]
async fn a_flipped_bit_in_the_journal_of_a_room_costs_that_room_alone() {
    let site = two_rooms(false).await;
    let text = b"what damaged was told";
    let mut flipped = 0;
    for file in fs::read_dir(site.data().join("log")).unwrap() {
        let path = file.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        while let Some(place) = bytes.windows(text.len()).position(|bytes| bytes == text) {
            bytes[place] ^= 1;
            flipped += 1;
        }
        fs::write(&path, bytes).unwrap();
    }
    assert_eq!(flipped, 1);
    only_one_is_damaged(&site).await;
}

#[tokio::test]
async fn a_flipped_bit_in_the_state_of_a_room_costs_that_room_alone() {
    let site = two_rooms(true).await;
    let store = Connection::open(database(&site)).unwrap();
    let sql = "SELECT state FROM rooms WHERE room = 'damaged'";
    let state: Vec<u8> = store.query_row(sql, (), |row| row.get(0)).unwrap();
    drop(store);
    // In the file itself, as a failing disk would.
    let file = fs::read(database(&site)).unwrap();
    let part = &state[..40];
    let places: Vec<_> = file
        .windows(part.len())
        .enumerate()
        .filter_map(|(place, bytes)| (bytes == part).then_some(place))
        .collect();
    let disk = OpenOptions::new().write(true).open(database(&site)).unwrap();
    for place in places {
        let byte = file[place + 20] ^ 4;
        disk.write_all_at(&[byte], (place + 20) as u64).unwrap();
    }
    only_one_is_damaged(&site).await;
}

#[tokio::test]
async fn a_damaged_room_with_a_timer_does_not_keep_the_server_busy() {
    let site = Site::with(REMEMBERING_ROOM.as_bytes(), &["--survives", "crash"]);
    let (server, address) = site.serve();
    let mut member = Member::join(&address, "damaged").await;
    member.says("timer").await;
    assert_eq!(member.hears("").await, "");
    // So that its state is in the database.
    assert_eq!(server.terminate(), Some(0));
    let store = Connection::open(database(&site)).unwrap();
    store.execute("UPDATE rooms SET state = zeroblob(9)", ()).unwrap();
    drop(store);
    let (mut server, address) = site.serve();
    server.hears("the room could not be opened");
    until_status(&address, |status| status["rooms"] == 0);
    let (start, cpu_time) = (Instant::now(), server.cpu_time());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let computed = server.cpu_time() - cpu_time;
    assert!(computed < start.elapsed() / 4, "{computed:?}");
    let opened = server.said().matches("the room could not be opened").count();
    assert!(opened <= 2, "tried {opened} times");
}

/// Has a server come and go.
fn open_and_stop(site: &Site) {
    let (server, address) = site.serve();
    // Only when it answers has it made its peace with signals.
    status(&address);
    assert_eq!(server.terminate(), Some(0));
}

fn database(site: &Site) -> PathBuf {
    site.data().join("rooms.db")
}
