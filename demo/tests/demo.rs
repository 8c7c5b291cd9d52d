//! `cargo demo` says how long the first build takes, and only then.
#![cfg(unix)]

use std::{fs, path::PathBuf, process::Command};

#[test]
fn how_long_it_takes_is_said_before_the_first_build_and_not_again() {
    let target: PathBuf =
        [env!("CARGO_TARGET_TMPDIR"), &format!("demo-{}", std::process::id())].iter().collect();
    fs::create_dir_all(target.join("debug")).unwrap();
    fs::create_dir_all(target.join("demo")).unwrap();
    let demo = target.join("debug/demo");
    fs::copy(env!("CARGO_BIN_EXE_demo"), &demo).unwrap();
    let run = || {
        let output = Command::new(&demo).arg("chat").env("CARGO", "echo").output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let has_run = String::from_utf8(output.stdout).unwrap();
        assert_eq!(has_run, "run --profile demo --package stateroom-cli -- dev examples/chat\n");
        said
    };
    assert!(run().contains(" minutes with "));
    fs::write(target.join("demo/stateroom"), "").unwrap();
    assert_eq!(run(), "");
    fs::remove_dir_all(&target).unwrap();
}
