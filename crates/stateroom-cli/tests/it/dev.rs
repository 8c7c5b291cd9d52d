//! `stateroom dev`: from an empty folder to a room that is edited while people are in it.

use crate::{
    process::{Client, Running, ends_with, get, stateroom, write_program},
    project::{Project, greeter},
};
use std::{
    path::Path,
    time::{Duration, Instant},
};

#[test]
fn an_edit_reaches_the_client_that_is_connected_and_a_broken_one_does_not() {
    let project = Project::new("edited-counter", "counter");
    let mut command = stateroom(["dev", "--port", "0"]);
    let mut dev = Running::start(command.current_dir(&project.path));
    let address = dev.address();
    assert!(address.starts_with("127.0.0.1:"), "{address}");
    dev.hears("ws://");
    let open = dev.hears("in two windows");
    assert!(open.contains(&format!("Open http://{address}/")), "what to open comes last: {open}");

    assert!(!dev.said().contains("descriptors"), "the first lines are about the room");

    let page = get(&address, "/");
    assert!(page.starts_with(&project.read("static/index.html")), "{page}");
    let mut client = Client::connect(&address);
    assert_eq!(client.hears(), "0");
    client.says("+");
    assert_eq!(client.hears(), "1");

    project.write("src/lib.rs", &greeter("good day"));
    dev.hears("Rebuilding");
    dev.hears("Swapped");
    assert_eq!(client.hears(), "good day", "the client is connected to the new room");
    client.says("again");
    assert_eq!(client.hears(), "good day again");

    project.write("src/lib.rs", "this is not Rust");
    dev.hears("error");
    dev.hears("the last good build");
    client.says("still here?");
    assert_eq!(client.hears(), "good day still here?");

    project.write("src/lib.rs", &greeter("good evening"));
    dev.hears("Swapped");
    assert_eq!(client.hears(), "good evening");

    project.write("static/index.html", "a page edited while served");
    let page = get(&address, "/");
    assert!(page.starts_with("a page edited while served"), "{page}");
    project.write("src/lib.rs", &format!("// only a comment\n{}", greeter("good evening")));
    dev.hears("because of lib.rs");
    dev.hears("Unchanged");
    client.says("undisturbed");
    assert_eq!(client.hears(), "good evening undisturbed");

    let config = project.read("stateroom.toml");
    project.write("stateroom.toml", &format!("{config}\n[server]\nprot = 1"));
    let line = dev.hears("stateroom.toml:");
    assert!(line.contains("did you mean `port`? The keys here are"), "{line}");
    project.write("stateroom.toml", &format!("{config}\n[server]\nport = 1"));
    dev.hears("the edited stateroom.toml takes effect after a restart");

    dev.signal("-INT");
    dev.hears("Stopped");
    assert_eq!(dev.terminate(), Some(0));
}

#[test]
fn what_a_room_prints_and_logs_is_shown_with_its_id_and_level() {
    let project = Project::new("talkative-room", "counter");
    project.write(
        "src/lib.rs",
        r#"
use stateroom_wasm::prelude::*;

#[stateroom_wasm]
struct Talkative;

impl SimpleStateroomService for Talkative {
    fn new(_: &str, _: &impl StateroomContext) -> Self {
        Talkative
    }
    fn message(&mut self, _: ClientId, message: &str, _: &impl StateroomContext) {
        if message == "wait" {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        println!("I have heard {message}");
        log::debug!("not shown by default");
        log::warn!("be careful\nwith this");
        log::error!("this is bad");
    }
}
"#,
    );
    let mut command = stateroom(["dev", "--port", "0", "--log-format", "json"]);
    let mut dev = Running::start(command.current_dir(&project.path));
    let address = dev.address();
    let mut client = Client::join(&address, "lobby");
    client.says("hello");
    for (text, level) in [
        ("I have heard hello", "INFO"),
        ("be careful", "WARN"),
        ("with this", "WARN"),
        ("this is bad", "ERROR"),
    ] {
        let line: serde_json::Value = serde_json::from_str(&dev.hears(text)).unwrap();
        let told = (&line["message"], &line["level"], &line["room"]);
        assert_eq!(told, (&text.into(), &level.into(), &"lobby".into()));
    }
    client.says("wait");
    dev.hears("a room cannot wait: use a timer");
    assert!(!dev.said().contains("not shown by default"));
}

#[test]
fn an_edit_keeps_the_count_and_the_socket_and_so_does_a_killed_server() {
    let project = Project::new("carried-counter", "counter");
    let start = || {
        let mut command = stateroom(["dev", "--port", "0"]);
        command.env_remove("STATEROOM_EPHEMERAL").current_dir(&project.path);
        let mut dev = Running::start(&mut command);
        let line = dev.hears("rooms are kept");
        assert!(line.contains(".stateroom/dev"), "{line}");
        let address = dev.address();
        (dev, address)
    };
    let (mut dev, address) = start();
    let mut client = Client::connect(&address);
    assert_eq!(client.hears(), "0");
    client.says("+");
    assert_eq!(client.hears(), "1");

    let mut step = 1;
    for next in [10, 100, 1000] {
        let source = project.read("src/lib.rs");
        let (old, new) = (format!("self.value += {step}"), format!("self.value += {next}"));
        assert!(source.contains(&old));
        let edited = Instant::now();
        project.write("src/lib.rs", &source.replace(&old, &new));
        dev.hears("the new code goes on with the state of the old");
        let time = edited.elapsed();
        eprintln!("from an edit to the new code: {time:?}");
        assert!(time < Duration::from_secs(60), "{time:?}");
        step = next;
    }
    client.says("+");
    assert_eq!(client.hears(), "1001", "the socket and the count are those of before");
    drop(dev);

    let (mut dev, address) = start();
    let mut client = Client::connect(&address);
    assert_eq!(client.hears(), "1001");
    // A state that means something else is not taken over, but kept.
    project.write("src/lib.rs", &project.read("src/lib.rs").replace("value", "number"));
    let line = dev.hears("the room starts anew with the new code");
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["level"], "WARN");
    assert_eq!(
        line["message"],
        "the room starts anew with the new code; what it was is kept as the room test~1"
    );
    assert_eq!(
        line["reason"],
        "missing field `number`: if it is new, write #[serde(default)] above it; if it was called otherwise, \
         #[serde(alias = \"old_name\")]; the old state has the field `value` (docs/rooms.md tells how a room \
         gets its old state back)"
    );
    assert_eq!(client.hears(), "0");
    let mut rooms = stateroom(["rooms", "show", "test~1", "--dev", "--state"]);
    rooms.env_remove("STATEROOM_EPHEMERAL").current_dir(&project.path);
    let output = rooms.output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("\"value\": 1001"), "{told}");

    // The next one that does not fit is kept as well.
    client.says("+");
    client.hears();
    project.write("src/lib.rs", &project.read("src/lib.rs").replace("number", "amount"));
    dev.hears("what it was is kept as the room test~2");
    assert_eq!(client.hears(), "0");
}

#[test]
fn a_project_that_does_not_build_ends_with_3_and_shows_what_cargo_says() {
    let project = Project::new("broken-from-the-start", "counter");
    project.write("src/lib.rs", "this is not Rust");
    for command in ["dev", "build"] {
        let said = ends_with(3, stateroom([command]).arg(&project.path));
        assert!(said.contains("src/lib.rs:1"), "{said}");
        assert!(said.contains("the build failed"), "{said}");
    }
}

#[test]
fn a_crate_without_a_module_is_told_what_to_add() {
    let project = Project::new("no-cdylib", "counter");
    let manifest = project.read("Cargo.toml").replace("\"cdylib\", ", "");
    project.write("Cargo.toml", &manifest);
    let said = ends_with(3, stateroom(["build"]).arg(&project.path));
    assert!(said.contains("crate-type = [\"cdylib\", \"rlib\"]"), "{said}");
}

/// A toolchain without the target is played by a `rustc` that knows an empty sysroot, and by a
/// `rustup` that fills it.
#[cfg(unix)]
#[test]
fn a_missing_target_is_named_or_added_with_yes() {
    let project = Project::new("no-target", "counter");
    let tools = tempfile::tempdir().unwrap();
    let sysroot = tools.path().join("sysroot");
    script(&tools.path().join("rustc"), &format!("echo {}", sysroot.display()));
    script(
        &tools.path().join("rustup"),
        &format!("mkdir -p {}/lib/rustlib/$3/lib; echo rustup \"$@\" >&2", sysroot.display()),
    );
    let path = format!("{}:{}", tools.path().display(), std::env::var("PATH").unwrap());

    let said = ends_with(3, stateroom(["dev"]).arg(&project.path).env("PATH", &path));
    assert!(said.contains("rustup target add wasm32-wasip1\n"), "{said}");

    // The build that follows is not of interest here, so it is one that fails at once.
    project.write("Cargo.toml", "[package]\nname = \"no-target\"");
    let mut command = stateroom(["dev", "--yes"]);
    let said = ends_with(3, command.arg(&project.path).env("PATH", &path));
    assert!(said.contains("rustup target add wasm32-wasip1"), "{said}");
    assert!(sysroot.join("lib/rustlib/wasm32-wasip1/lib").is_dir());
}

#[cfg(unix)]
fn script(file: &Path, line: &str) {
    write_program(file, &format!("#!/bin/sh\n{line}\n"));
}
