//! `stateroom new`.

use crate::{
    process::{ends_with, stateroom, target_folder},
    project::Project,
};
use std::{fs, process::Command};

/// Builds, tests and formats as a project of its own, natively: what `cargo test` does for a user.
fn is_a_project_whose_tests_pass(template: &str) {
    let project = Project::new(&format!("new-{template}"), template);
    let output = Command::new("cargo")
        .args(["test", "--quiet"])
        .current_dir(&project.path)
        .env("CARGO_TARGET_DIR", target_folder())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("test result: ok"), "{said}");
    assert!(!said.contains("warning"), "{said}");
    for file in ["README.md", ".gitignore", "stateroom.toml", "static/index.html"] {
        assert!(!project.read(file).is_empty(), "{file}");
    }
}

#[test]
fn a_new_counter_builds_and_its_tests_pass() {
    is_a_project_whose_tests_pass("counter");
}

#[test]
fn a_new_chat_builds_and_its_tests_pass() {
    is_a_project_whose_tests_pass("chat");
}

#[test]
fn a_new_whiteboard_builds_and_its_tests_pass() {
    is_a_project_whose_tests_pass("whiteboard");
}

#[test]
fn a_name_that_cargo_would_not_take_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    for (name, reason) in [
        ("my room", "ASCII letters"),
        ("9lives", "starting with a letter"),
        ("räume", "ASCII letters"),
        ("..", "ASCII letters"),
        ("", "a value is required"),
        ("match", "keyword of Rust"),
        ("stateroom_wasm", "a crate that the project uses"),
    ] {
        let said = ends_with(2, stateroom(["new", name]).current_dir(&folder));
        assert!(said.contains(reason), "{name}: {said}");
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn a_folder_in_which_something_is_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("taken")).unwrap();
    fs::write(folder.path().join("taken/notes"), "mine").unwrap();
    let said = ends_with(2, stateroom(["new", "taken"]).current_dir(&folder));
    assert!(said.contains("not an empty folder"), "{said}");
    assert_eq!(fs::read_dir(folder.path().join("taken")).unwrap().count(), 1);

    fs::create_dir(folder.path().join("free")).unwrap();
    ends_with(0, stateroom(["new", "free"]).current_dir(&folder));
    assert!(folder.path().join("free/src/lib.rs").exists());
}

#[test]
fn a_project_below_another_workspace_is_a_workspace_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("Cargo.toml"), "[workspace]\nmembers = []\n").unwrap();
    ends_with(0, stateroom(["new", "inner"]).current_dir(&folder));
    let output = Command::new("cargo")
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(folder.path().join("inner"))
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(metadata["packages"][0]["name"], "inner");
    assert!(metadata["workspace_root"].as_str().unwrap().ends_with("inner"));
}
