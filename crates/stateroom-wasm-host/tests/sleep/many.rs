//! How little many sleeping rooms take.

#![cfg(target_os = "linux")]

use crate::support::{How, NO_BINARY, NO_TIMER, Room, engine, module};
use stateroom::StateroomService;

const ROOMS: usize = 50_000;

/// Bytes of memory that are this process's own.
fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// Rooms of a module that hardly has a state, so that what is seen is what a sleeping room takes
/// besides. They live in a pool with two places.
#[test]
fn fifty_thousand_rooms_sleep_in_a_kilobyte_and_a_half_each() {
    let factory = engine(2);
    let text = module("", &format!("(global (mut i32) (i32.const 1)) {NO_BINARY} {NO_TIMER}"));
    let factory = factory.load_bytes("test", text.as_bytes()).unwrap();
    let sleeping = || {
        let mut room = Room::start(&factory);
        room.sleep(How::Compressed);
        room
    };
    // What the first takes once for all.
    let mut rooms = vec![sleeping()];
    let before = resident_bytes();
    rooms.extend((1..ROOMS).map(|_| sleeping()));
    let each = resident_bytes().saturating_sub(before) / (ROOMS - 1);
    println!("{each} bytes a room, by its own account {}", rooms[0].host.footprint());
    assert!(each < 1500, "{each} bytes a room");

    // They are rooms still.
    for room in rooms.iter_mut().step_by(1000) {
        assert!(room.host.wake());
        room.host.timer();
        assert_eq!(room.host.failure(), None);
        room.sleep(How::Raw);
    }
}
