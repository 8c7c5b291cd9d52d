//! `stateroom load`, tried on a room that says nothing.

use crate::{
    process::{Running, ends_with, stateroom, told},
    project::{Module, Project, SILENT_ROOM},
};
use std::fs;

/// Runs `stateroom load` with these arguments on a room that hears all and says nothing; how it
/// ended, and the JSON that it printed.
fn load(arguments: &[&str]) -> (Option<i32>, serde_json::Value) {
    let folder = tempfile::tempdir().unwrap();
    let module = folder.path().join("room.wat");
    fs::write(&module, SILENT_ROOM).unwrap();
    let mut command = stateroom(["serve", "--host", "127.0.0.1", "--port", "0"]);
    let mut server = Running::start(command.arg(&module));
    let url = format!("ws://{}/ws/{{room}}", server.address());

    let mut command = stateroom(["load", &url, "--json", "--duration", "300ms", "--warmup", "0"]);
    let output = command.args(arguments).output().unwrap();
    let json = serde_json::from_slice(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    (output.status.code(), json.unwrap_or_else(|error| panic!("{error}: {said}")))
}

#[test]
fn what_is_sent_to_a_silent_room_is_lost_unless_nothing_is_expected() {
    let arguments = ["--clients", "3", "--rate", "1000"];
    let (code, report) = load(&[&arguments[..], &["--expect", "none"]].concat());
    assert_eq!(code, Some(0), "{report}");
    assert_eq!((&report["sent"], &report["lost"]), (&300.into(), &0.into()));

    let (code, report) = load(&[&arguments[..], &["--expect", "broadcast"]].concat());
    assert_eq!(code, Some(6), "{report}");
    assert_eq!((&report["sent"], &report["lost"]), (&300.into(), &900.into()));
}

#[test]
fn a_service_without_an_echo_is_told_what_to_do() {
    let told = |room: &str, script: Option<&str>| {
        let module = Module::new(room);
        let mut command = stateroom(["serve", "--host", "localhost", "--port", "0"]);
        let mut server = Running::start(command.arg(&module.path));
        let url = format!("ws://{}", server.address());
        let mut command = stateroom(["load", &url, "--duration", "200ms", "--warmup", "0"]);
        if let Some(script) = script {
            let file = module.path.with_extension("txt");
            fs::write(&file, script).unwrap();
            command.arg("--script").arg(file);
        }
        ends_with(6, &mut command)
    };
    let said = told(SILENT_ROOM, None);
    let silent = "this service does not send messages back: give --script FILE";
    assert!(said.contains(silent), "{said}");
    // It answers the same, whatever it is told.
    let constant = SILENT_ROOM
        .replace(
            "(module",
            r#"(module (import "env" "send_message" (func $send (param i32 i32 i32)))"#,
        )
        .replace(
            r#"(func (export "message") (param i32 i32 i32))"#,
            r#"(func (export "message") (param $client i32) (param i32 i32)
                (call $send (local.get $client) (i32.const 8) (i32.const 1)))"#,
        );
    let said = told(&constant, None);
    assert!(said.contains("does not send back what it is sent: give --script FILE"), "{said}");
    let said = told(&constant, Some("say {stamp}"));
    assert!(said.contains("nothing that has a {stamp} of the script"), "{said}");
}

#[test]
fn the_script_that_the_help_shows_is_that_of_the_chat_template() {
    let help = told(&mut stateroom(["load", "--help"]));
    let lines = help.lines().map(str::trim).filter(|line| line.starts_with("{\""));
    assert_eq!(lines.collect::<Vec<_>>().join("\n") + "\n", CHAT_SCRIPT);
}

const CHAT_SCRIPT: &str = include_str!("../../templates/chat/load.txt");

/// Runs the command that the README of a new project shows, on the project, and shorter; its report.
fn load_on_template(template: &str) -> serde_json::Value {
    let project = Project::new(&format!("{template}-under-load"), template);
    let mut command = stateroom(["dev", "--port", "0"]);
    let mut dev = Running::start(command.current_dir(&project.path));
    let url = format!("ws://{}", dev.address());
    let readme = project.read("README.md");
    let shown = readme.lines().find_map(|line| line.strip_prefix("| `stateroom load "));
    let arguments = shown.and_then(|line| line.split_once('`')).unwrap().0;
    let arguments = arguments.replace("ws://localhost:8080", &url);
    let mut command = stateroom(["load", "--json", "--duration", "400ms", "--warmup", "0"]);
    let report = told(command.args(arguments.split(' ')).current_dir(&project.path));
    serde_json::from_str(&report).unwrap()
}

/// 400 ms at the rate of the README: four from each of a hundred clients in rooms of ten.
const SENT: u64 = 400;

#[test]
fn a_chat_is_verified_with_the_script_that_comes_with_it() {
    let report = load_on_template("chat");
    assert_eq!(report["total_sent"], SENT, "{report}");
    // Each says who it is, and then speaks.
    assert_eq!(report["latency"]["count"], SENT / 2 * 10, "{report}");
}

#[test]
fn a_whiteboard_is_verified_with_the_script_that_comes_with_it() {
    let report = load_on_template("whiteboard");
    assert_eq!(report["total_sent"], SENT, "{report}");
    // Each draws, and then undoes it.
    assert_eq!(report["latency"]["count"], SENT / 2 * 10, "{report}");
}

#[test]
fn a_counter_is_counted_with_the_script_that_comes_with_it() {
    let report = load_on_template("counter");
    assert_eq!(report["total_sent"], SENT, "{report}");
    // A number says nothing of who changed it, so that it is counted, not verified.
    assert!(report["unstamped"].as_u64() > Some(SENT * 9), "{report}");
}

#[test]
fn the_report_has_what_benchmarks_read() {
    let (code, report) = load(&["--hold", "--rooms", "5", "--ramp", "100/s"]);
    assert_eq!(code, Some(0), "{report}");
    assert_eq!(report["settings"]["rooms"], 5);
    assert_eq!((&report["connected"], &report["open_at_end"]), (&5.into(), &5.into()));
    for number in ["connect_seconds", "delivered", "deliveries_per_second", "out_of_order"] {
        assert!(report[number].is_number(), "{number}: {report}");
    }
    for quantile in ["p50", "p90", "p99", "p999", "max"] {
        assert!(report["latency"][quantile].is_number(), "{quantile}: {report}");
    }
    assert!(report["histogram"].is_array() && report["errors"].is_object(), "{report}");

    let (code, report) = load(&["--connect-only", "--connections", "50"]);
    assert_eq!(code, Some(0), "{report}");
    assert!(report["connections_per_second"].as_f64().unwrap() > 0.0, "{report}");
}

#[test]
fn a_service_that_is_not_there_ends_with_6_and_wrong_usage_with_2() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("ws://{free}");
    let said = ends_with(6, &mut stateroom(["load", &url]));
    assert!(said.contains("1 connections failed"), "{said}");

    ends_with(2, &mut stateroom(["load"]));
    ends_with(2, &mut stateroom(["load", "http://localhost"]));
    ends_with(2, &mut stateroom(["load", &url, "--rate", "1", "--window", "1"]));
    ends_with(2, &mut stateroom(["load", &url, "--ramp", "fast"]));
    ends_with(2, &mut stateroom(["load", &url, "--bytes", "10"]));
    ends_with(2, &mut stateroom(["load", &url, "--script", "/none"]));
}
