//! The guests in `docs/guests.md`, built as it says, in rooms.

use crate::{
    page::{block, program},
    process::{Client, Running, get, stateroom},
};
use std::{fs, process::Command};

/// Builds the guest of this language, with this program, and talks in a room of it, which is killed.
fn works(language: &str, compiler: &str) {
    if program(compiler).is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut source = block("guests.md", language, "A room that passes on");
    if language == "c" {
        source += &block("guests.md", "c", "stateroom_v1_request");
    }
    fs::write(folder.path().join(format!("room.{language}")), source).unwrap();
    let build = block("guests.md", "sh", &format!("{compiler} "));
    let built = Command::new("sh").args(["-eu", "-c", &build]).current_dir(&folder).output();
    let built = built.unwrap();
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{build}said\n{said}");

    let serve = block("guests.md", "sh", "stateroom serve");
    let words = serve.trim().strip_prefix("stateroom ").unwrap().split(' ');
    let words: Vec<&str> = words.chain(["--host", "127.0.0.1", "--port", "0"]).collect();
    let start = || {
        let mut command = stateroom(&words);
        let mut server =
            Running::start(command.current_dir(&folder).env_remove("STATEROOM_EPHEMERAL"));
        let address = server.address();
        (server, address)
    };
    let (server, address) = start();
    let (mut ada, mut bob) = (Client::connect(&address), Client::connect(&address));
    ada.says("grüße");
    assert_eq!(bob.hears(), "grüße");
    // Larger than anything that the host borrows, and than what the guests remember.
    let long = "long ".repeat(40_000);
    bob.says(&long);
    assert_eq!(ada.hears(), long);
    ada.says("");
    assert_eq!(bob.hears(), "");
    ada.says("last");
    assert_eq!(bob.hears(), "last");
    drop(server);

    let (_server, address) = start();
    let mut cyd = Client::connect(&address);
    assert_eq!(cyd.hears(), "last", "it survives");
    if language == "c" {
        assert_eq!(get(&address, "/rooms/test/"), "last", "an answer without headers");
    }
    drop(Client::connect(&address));
    while cyd.hears() != "somebody left" {}
}

#[test]
fn the_guest_in_c_works() {
    works("c", "clang");
}

#[test]
fn the_guest_in_zig_works() {
    works("zig", "zig");
}

#[test]
fn the_guest_in_assemblyscript_works() {
    works("ts", "asc");
}
