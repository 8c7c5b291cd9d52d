//! A guest gets nothing of the machine: no arguments, environment, files or sockets.

use crate::support::{Asked, start};

const BAD_DESCRIPTOR: u32 = 8;
const ILLEGAL_SEEK: u32 = 70;

/// Asserts what a function of WASI answers, and how the two numbers at 2048, 7 and 7 before, are
/// after that.
#[track_caller]
fn check(function: &str, types: &str, arguments: &str, answer: u32, written: [u32; 2]) {
    let import = format!(
        r#"(import "wasi_snapshot_preview1" "{function}" (func $wasi (param {types}) (result i32)))"#
    );
    let body = format!(
        "(call $set_timer (call $wasi {arguments})) (call $set_timer (i32.load (i32.const 2048))) \
         (call $set_timer (i32.load (i32.const 2052)))"
    );
    let data = r#"(data (i32.const 2048) "\07\00\00\00\07\00\00\00")"#;
    let mut room = start(&[("(;imports;)", &import), ("(;items;)", data), ("(;timer;)", &body)]);
    let [first, second] = written;
    assert_eq!(room.fire(), [answer, first, second].map(Asked::Timer), "{function} {arguments}");
}

#[test]
fn there_are_no_arguments_and_no_environment() {
    let places = "(i32.const 2048) (i32.const 2052)";
    for list in ["args", "environ"] {
        check(&format!("{list}_sizes_get"), "i32 i32", places, 0, [0, 0]);
        check(&format!("{list}_get"), "i32 i32", places, 0, [7, 7]);
    }
}

#[test]
fn there_are_no_folders_and_no_files() {
    for fd in 0..6 {
        let arguments = format!("(i32.const {fd}) (i32.const 2048)");
        check("fd_prestat_get", "i32 i32", &arguments, BAD_DESCRIPTOR, [7, 7]);
        let arguments = format!("{arguments} (i32.const 1)");
        check("fd_prestat_dir_name", "i32 i32 i32", &arguments, BAD_DESCRIPTOR, [7, 7]);
        let arguments = format!("{arguments} (i32.const 2048)");
        check("fd_read", "i32 i32 i32 i32", &arguments, BAD_DESCRIPTOR, [7, 7]);
    }
}

#[test]
fn only_the_standard_streams_are_open() {
    for (fd, open) in [(0, true), (1, true), (2, true), (3, false), (-1, false)] {
        let (closed, sought) =
            if open { (0, ILLEGAL_SEEK) } else { (BAD_DESCRIPTOR, BAD_DESCRIPTOR) };
        let fd = format!("(i32.const {fd})");
        check("fd_close", "i32", &fd, closed, [7, 7]);
        let arguments = format!("{fd} (i64.const 0) (i32.const 0) (i32.const 2048)");
        check("fd_seek", "i32 i64 i32 i32", &arguments, sought, [7, 7]);
        // A character device, without flags.
        let device = if open { [2, 0] } else { [7, 7] };
        let arguments = format!("{fd} (i32.const 2048)");
        check("fd_fdstat_get", "i32 i32", &arguments, closed, device);
    }
}

#[test]
fn what_cannot_be_written_to_is_not() {
    for fd in [0, 3, -1] {
        let arguments = format!("(i32.const {fd}) (i32.const 8) (i32.const 1) (i32.const 2048)");
        check("fd_write", "i32 i32 i32 i32", &arguments, BAD_DESCRIPTOR, [7, 7]);
    }
}
