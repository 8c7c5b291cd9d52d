//! Where the system gives less address space than the rooms would take, there are fewer rooms.

use crate::support::{BASE, Room, text};
use stateroom_wasm_host::{HostConfig, WasmEngine};
use std::{env, process::Command};

/// Tells a process of this test what it is to try.
const CHILD: &str = "STATEROOM_TEST_WITH_LITTLE_SPACE";

/// What the test `name` prints in a process with `gib` of address space.
fn with_space(name: &str, gib: u32) -> String {
    let output = Command::new("sh")
        .args(["-c", r#"ulimit -v "$1" && shift && exec "$@""#, "sh"])
        .arg((gib << 20).to_string())
        .arg(env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, "yes")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{told} {}", String::from_utf8_lossy(&output.stderr));
    told
}

#[cfg(target_os = "linux")]
#[test]
fn an_engine_has_as_many_rooms_as_there_is_space_for() {
    if env::var_os(CHILD).is_none() {
        let name = "address_space::an_engine_has_as_many_rooms_as_there_is_space_for";
        let told = with_space(name, 32);
        assert!(told.contains("there are 4 rooms"), "{told}");
        assert_eq!(told.matches("WARN").count(), 1, "{told}");
        assert!(told.contains("wanted=4128 rooms=4") && told.contains("`ulimit -v`"), "{told}");
        let told = with_space(name, 10);
        assert!(told.contains("there are 1 rooms"), "{told}");
        return;
    }
    let subscriber =
        tracing_subscriber::fmt().with_writer(std::io::stdout).with_ansi(false).finish();
    tracing::subscriber::with_default(subscriber, || {
        let engine = WasmEngine::new(HostConfig::default()).unwrap();
        println!("there are {} rooms", engine.max_rooms());
        let mut room = Room::start(&engine.load_bytes("guest.wasm", BASE.as_bytes()).unwrap());
        assert_eq!(room.say("hello"), [text(crate::support::ADA, "hello")]);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn no_space_for_even_one_room_is_told() {
    if env::var_os(CHILD).is_none() {
        let told = with_space("address_space::no_space_for_even_one_room_is_told", 4);
        assert!(told.contains("cannot set up even one room, which takes 8 GiB"), "{told}");
        assert!(told.contains("`ulimit -v`"), "{told}");
        return;
    }
    println!("{}", WasmEngine::new(HostConfig::default()).err().unwrap());
}

#[test]
fn unless_told_otherwise_there_are_as_many_rooms_as_a_server_keeps_awake() {
    let engine = WasmEngine::new(HostConfig::default()).unwrap();
    assert!((1..=4_128).contains(&engine.max_rooms()));
    let one = HostConfig { max_rooms: Some(1), ..HostConfig::default() };
    assert_eq!(WasmEngine::new(one).unwrap().max_rooms(), 1);
}
