//! What a room prints reaches the log with the room's id, bounded in length and number.

use crate::support::{Recorder, Room, check_told, engine, load, short};
use stateroom::{StateroomService, StateroomServiceFactory};
use stateroom_wasm_host::Limits;
use std::{
    io,
    sync::{Arc, Mutex},
};

/// What `run` logs, line by line, on this thread.
pub(crate) fn logged<R>(run: impl FnOnce() -> R) -> (R, Vec<String>) {
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);
    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let written = Written::default();
    let writer = written.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .without_time()
        .finish();
    let result = tracing::subscriber::with_default(subscriber, run);
    let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    (result, text.lines().map(|line| line.trim().to_owned()).collect())
}

const FD_WRITE: &str = r#"(import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))"#;

/// `$print` prints what lies at 2048, by the list of one piece at 1024.
fn print(text: &str, length: usize) -> String {
    format!(
        r#"(data (i32.const 2048) "{text}")
        (func $print (param $fd i32)
            (i32.store (i32.const 1024) (i32.const 2048))
            (i32.store (i32.const 1028) (i32.const {length}))
            (drop (call $fd_write (local.get $fd) (i32.const 1024) (i32.const 1) (i32.const 1032))))"#
    )
}

/// What a room with these limits logs when its timer fires and it is dropped; it has `$print`.
fn printed(limits: Limits, text: &str, length: usize, timer: &str) -> Vec<String> {
    let engine = engine(limits);
    let items = print(text, length);
    let edits = [("(;imports;)", FD_WRITE), ("(;items;)", items.as_str()), ("(;timer;)", timer)];
    let mut room = Room::start(&load(&engine, &edits));
    logged(move || room.host.timer()).1
}

const OUT: &str = "(call $print (i32.const 1))";
const ERROR: &str = "(call $print (i32.const 2))";

fn repeated(count: u32, body: &str) -> String {
    format!(
        "(local $left i32) (local.set $left (i32.const {count})) (loop $again {body} \
         (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))"
    )
}

#[test]
fn lines_carry_the_rooms_id_and_their_level() {
    let lines = printed(Limits::default(), r"hello\nthere\n", 12, &format!("{OUT}{ERROR}"));
    assert_eq!(
        lines,
        [
            "INFO guest: hello room=lobby",
            "INFO guest: there room=lobby",
            "WARN guest: hello room=lobby",
            "WARN guest: there room=lobby",
        ]
    );
}

#[test]
fn a_line_may_say_its_level() {
    let text = r"<3>e\n<4>w\n<6>i\n<0>0\n<9>n\n<3\n";
    let lines = printed(Limits::default(), text, 28, OUT);
    assert_eq!(
        lines,
        [
            "ERROR guest: e room=lobby",
            "WARN guest: w room=lobby",
            "INFO guest: i room=lobby",
            "ERROR guest: 0 room=lobby",
            "INFO guest: <9>n room=lobby",
            "INFO guest: <3 room=lobby",
        ]
    );
    let lines = printed(Limits::default(), r"<7>for debugging\n", 17, ERROR);
    assert_eq!(lines, [""; 0], "it is not shown by default");
}

#[test]
fn a_line_that_is_printed_in_pieces_is_one_line() {
    let lines = printed(Limits::default(), "piece ", 6, &repeated(3, OUT));
    assert_eq!(lines, ["INFO guest: piece piece piece  room=lobby"]);
}

#[test]
fn a_long_line_is_cut_and_tells_by_how_much() {
    let limits = Limits { log_line_bytes: 10, ..Limits::default() };
    let lines = printed(limits, r"0123456789abc\n", 14, OUT);
    assert_eq!(lines, ["INFO guest: 0123456789 … (3 bytes more) room=lobby"]);
}

#[test]
fn a_line_that_has_begun_is_ended_after_the_room_was_saved() {
    let engine = engine(Limits::default());
    let items = print("half a line, ", 13);
    let edits = [("(;imports;)", FD_WRITE), ("(;items;)", items.as_str()), ("(;timer;)", OUT)];
    let factory = load(&engine, &edits);
    let mut room = Room::start(&factory);
    room.host.timer();
    let state = room.host.save().unwrap().encode().unwrap();
    let mut room = factory.restore("lobby", Recorder::default(), &state).unwrap();
    let ((), lines) = logged(move || {
        room.timer();
        drop(room);
    });
    assert_eq!(lines, ["INFO guest: half a line, half a line,  room=lobby"]);
}

#[test]
fn the_default_cut_is_at_4_kib() {
    let lines = printed(Limits::default(), "", 60_000, OUT);
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    assert!(line.contains("(55904 bytes more)"), "{line}");
}

#[test]
fn lines_past_the_limit_are_counted_and_the_room_goes_on() {
    let lines = printed(Limits::default(), r"x\n", 2, &repeated(250, OUT));
    assert_eq!(lines.len(), 101);
    assert!(lines[..100].iter().all(|line| line == "INFO guest: x room=lobby"));
    assert!(lines[100].contains("printed 150 more lines than the 100 a second"), "{}", lines[100]);
    assert!(lines[100].contains("room=lobby"));
}

#[test]
fn a_room_that_prints_without_end_is_stopped_and_fills_no_log() {
    for (text, length) in [(r"x\n", 60_000), ("endless", 60_000), (r"\n\n\n\n\n\n\n\n", 8)] {
        let lines = printed(short(100), text, length, "(loop (call $print (i32.const 2)) (br 0))");
        let bytes: usize = lines.iter().map(String::len).sum();
        assert!(lines.len() <= 130, "{} lines", lines.len());
        assert!(bytes < 100 * (3 * 4096 + 100), "{bytes} bytes");
    }
}

#[test]
fn what_is_printed_can_forge_no_other_line() {
    let lines = printed(Limits::default(), r"\1b[2Ja\0d\00b\e2\80\a8\n", 11, OUT);
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    assert!(!line.contains(['\x1b', '\r', '\0']), "{line:?}");
}

#[test]
fn what_a_failure_tells_can_forge_no_other_line() {
    let engine = engine(Limits::default());
    let items = print(r"\1b[2Jpanicked\0d\0afor \00 a reason\0a", 29);
    let items = format!(r#"{items} (func $"two\1b[2J\nlines" (unreachable))"#);
    let timer = format!(r#"{ERROR} (call $"two\1b[2J\nlines")"#);
    let edits = [("(;imports;)", FD_WRITE), ("(;items;)", &*items), ("(;timer;)", &*timer)];
    let mut room = Room::start(&load(&engine, &edits));
    room.host.timer();
    let failure = room.host.failure().unwrap();
    check_told(failure, "room failed: an error in its service", &["panicked", "a reason", "two"]);
    assert!(!failure.detail.contains(char::is_control), "{:?}", failure.detail);
}

#[test]
fn only_the_end_of_what_was_printed_goes_with_a_failure() {
    let engine = engine(Limits::default());
    let items = print(r"0123456789", 10);
    let timer = format!("{} (unreachable)", repeated(10_000, ERROR));
    let edits = [("(;imports;)", FD_WRITE), ("(;items;)", &*items), ("(;timer;)", &*timer)];
    let mut room = Room::start(&load(&engine, &edits));
    room.host.timer();
    let failure = room.host.failure().unwrap();
    assert!(failure.detail.contains("the guest printed: "), "{failure}");
    assert!(failure.detail.len() < 2048, "{failure}");
}
