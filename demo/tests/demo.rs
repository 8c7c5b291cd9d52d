//! `cargo demo` says how long the first build takes, and only then.
#![cfg(unix)]

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

#[test]
fn how_long_it_takes_is_said_before_the_first_build_and_not_again() {
    let target: PathBuf =
        [env!("CARGO_TARGET_TMPDIR"), &format!("demo-{}", std::process::id())].iter().collect();
    fs::create_dir_all(target.join("debug")).unwrap();
    fs::create_dir_all(target.join("demo")).unwrap();
    let demo = target.join("debug/demo");
    // A copy might still be open, in a process that another test has just started, and could not be run then.
    fs::hard_link(env!("CARGO_BIN_EXE_demo"), &demo).unwrap();
    let run = || {
        let output = Command::new(&demo).arg("chat").env("CARGO", "echo").output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let has_run = String::from_utf8(output.stdout).unwrap();
        assert_eq!(has_run, "run --profile demo --package stateroom-cli -- dev examples/chat\n");
        said
    };
    let said = run();
    assert!(said.contains(" minutes with ") && said.contains("http://localhost:8080"), "{said}");
    fs::write(target.join("demo/stateroom"), "").unwrap();
    assert_eq!(run(), "");
    fs::remove_dir_all(&target).unwrap();
}

fn demo(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_demo")).args(arguments).env("CARGO", "echo").output().unwrap()
}

#[test]
fn each_example_is_run_as_what_it_is_with_what_else_is_asked_for() {
    for (arguments, has_run) in [
        (&[][..], "stateroom-cli -- dev examples/whiteboard"),
        (&["--port", "9000"], "stateroom-cli -- dev examples/whiteboard --port 9000"),
        (&["chat", "--port", "9000"], "stateroom-cli -- dev examples/chat --port 9000"),
        (&["native"], "native"),
    ] {
        let stdout = String::from_utf8(demo(arguments).stdout).unwrap();
        assert_eq!(stdout, format!("run --profile demo --package {has_run}\n"));
    }
}

#[test]
fn what_cannot_be_run_is_told_before_anything_is_built() {
    for (arguments, told) in [
        (
            &["chess"][..],
            "no example chess; there are chat, counter, native, stopwatch, whiteboard\n",
        ),
        (&["native", "--port", "9000"], "its port is the variable PORT\n"),
    ] {
        let output = demo(arguments);
        assert!(!output.status.success() && output.stdout.is_empty());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.starts_with("error: ") && said.ends_with(told), "{said}");
    }
}
