//! `stateroom new`.

use crate::{
    process::{ends_with, stateroom, target_folder},
    project::Project,
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Where this repository is, if the tests run in it.
fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// All files in a folder, below which there may be no link to somewhere else.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        assert!(!path.is_symlink(), "{} is a link", path.display());
        match path.is_dir() {
            true => files.extend(self::files(&path)),
            false => files.push(path),
        }
    }
    files
}

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
    let readme = project.read("README.md");
    // A number tells nobody which message it answers.
    assert_eq!(readme.contains("whether anything is lost"), template != "counter", "{readme}");
    assert!(!readme.contains('{') && !readme.contains("docs.rs"), "{readme}");
    assert!(project.read(".gitignore").lines().any(|line| line == "*.room"));
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

/// Cargo in a world that has neither the checkout nor a network, where the system can make such a one.
fn cargo_alone(project: &Project, arguments: &str) -> Command {
    const HIDE: &str =
        "mount -t tmpfs none \"$CHECKOUT\" && test ! -e \"$CHECKOUT/Cargo.toml\" && ";
    let can_hide = Command::new("unshare").args(["-rmn", "true"]).output();
    let mut command = match can_hide {
        Ok(output) if output.status.success() => {
            let mut command = Command::new("unshare");
            command.args(["-rmn", "sh", "-c", &format!("{HIDE}cargo {arguments}")]);
            command
        }
        _ => {
            eprintln!(
                "this system hides no folder from a program: built with the checkout in sight"
            );
            let mut command = Command::new("sh");
            command.args(["-c", &format!("cargo {arguments}")]);
            command
        }
    };
    command.current_dir(&project.path).env("CHECKOUT", checkout());
    command.env("CARGO_TARGET_DIR", project.path.join("target"));
    command
}

#[test]
fn a_new_project_builds_where_neither_the_checkout_nor_a_network_is() {
    let project = Project::new("alone", "chat");
    for file in files(&project.path) {
        let text = fs::read_to_string(&file).unwrap();
        assert!(!text.contains(checkout().to_str().unwrap()), "{}", file.display());
    }
    let build = "build --quiet --offline --target wasm32-wasip1";
    let output = cargo_alone(&project, build).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(said, "", "nothing to warn of");
    assert!(project.path.join("target/wasm32-wasip1/debug/alone.wasm").is_file());

    let output = cargo_alone(&project, "metadata --offline --format-version 1").output().unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let here: Vec<&str> = packages
        .iter()
        .filter(|package| package["source"].is_null())
        .map(|package| package["manifest_path"].as_str().unwrap())
        .collect();
    assert_eq!(here.len(), 4, "{here:?}");
    for manifest in here {
        assert!(Path::new(manifest).starts_with(&project.path), "{manifest}");
    }
    assert_eq!(
        metadata["workspace_members"].as_array().unwrap().len(),
        1,
        "vendor/ is no part of it"
    );
}

#[test]
fn a_new_project_tells_how_to_move_to_published_crates() {
    let project = Project::new("moving", "whiteboard");
    let version = env!("CARGO_PKG_VERSION");
    for file in ["Cargo.toml", "vendor/README.md"] {
        let text = project.read(file);
        assert!(text.contains(&format!("stateroom-wasm = \"{version}\"")), "{file}: {text}");
    }
    assert!(project.read("README.md").contains("`vendor/`"));
    assert!(project.read("vendor/LICENSE-MIT").contains("Permission is hereby granted"));
}

#[test]
fn the_templates_are_the_examples() {
    for template in ["counter", "chat", "whiteboard"] {
        let project = Project::new(&format!("as-{template}"), template);
        let example = checkout().join("examples").join(template);
        let of_both = ["src", "static"].map(|folder| files(&example.join(folder)));
        for file in of_both.concat().into_iter().chain([example.join("load.txt")]) {
            let name = file.strip_prefix(&example).unwrap().to_str().unwrap();
            assert!(
                project.read(name) == fs::read_to_string(&file).unwrap(),
                "copy {} to the templates of stateroom-cli",
                file.display()
            );
        }
    }
    let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    assert!(files(&templates).len() > 3);
    // The other examples have no template, and the same files of all pages.
    for example in ["stopwatch", "native"] {
        for file in ["room.js", "room.css"] {
            let of_example = checkout().join("examples").join(example).join("static").join(file);
            assert_eq!(fs::read(&of_example).unwrap(), fs::read(templates.join(file)).unwrap());
        }
    }
}

#[test]
fn a_project_is_made_in_the_current_folder_and_at_the_end_of_a_path() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("my-room");
    // What `git init` has made is no reason to refuse.
    fs::create_dir_all(here.join(".git")).unwrap();
    let said = ends_with(0, stateroom(["new", "."]).current_dir(&here));
    assert!(said.contains("now: stateroom dev"), "{said}");
    let manifest = fs::read_to_string(here.join("Cargo.toml")).unwrap();
    assert!(manifest.contains("name = \"my-room\""), "{manifest}");

    let said = ends_with(0, stateroom(["new", "path/to/app"]).current_dir(&folder));
    assert!(said.contains("now: cd path/to/app && stateroom dev"), "{said}");
    let manifest = fs::read_to_string(folder.path().join("path/to/app/Cargo.toml")).unwrap();
    assert!(manifest.contains("name = \"app\""), "{manifest}");

    ends_with(0, stateroom(["new", "My Room", "--name", "my-room"]).current_dir(&folder));
    let manifest = fs::read_to_string(folder.path().join("My Room/Cargo.toml")).unwrap();
    assert!(manifest.contains("name = \"my-room\""), "{manifest}");
}

#[test]
fn a_name_that_cargo_would_not_take_is_refused_with_the_reason() {
    let parent = tempfile::Builder::new().prefix("parent").tempdir().unwrap();
    let folder = parent.path().join("folder");
    fs::create_dir(&folder).unwrap();
    for (name, reason) in [
        ("my room", "ASCII letters"),
        ("9lives", "starting with a letter"),
        ("räume", "ASCII letters"),
        ("nowhere/..", "ASCII letters"),
        ("..", "not an empty folder"),
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
