//! What the documents claim of the code, checked.

use stateroom_tests::{root, rust_files};
use std::fs;

/// Where the code is.
const SOURCES: &[&str] = &["crates", "examples", "benches", "tests/preload"];

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

#[test]
fn every_source_file_says_in_its_first_line_what_it_is() {
    for file in rust_files(SOURCES).unwrap() {
        // What a UI test shows to the compiler is not ours to read.
        if file.components().any(|part| part.as_os_str() == "ui") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("//! "), "{} does not begin with `//! `", file.display());
    }
}

#[test]
fn the_files_with_unsafe_code_are_those_that_the_architecture_names() {
    let architecture = read("ARCHITECTURE.md");
    let section = architecture.split("## Unsafe code").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let named: Vec<String> = section
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| name.ends_with(".rs"))
        .map(|name| match name.starts_with("tests/") {
            true => name.to_owned(),
            false => format!("crates/{name}"),
        })
        .collect();
    let mut allowing: Vec<String> = rust_files(SOURCES)
        .unwrap()
        .iter()
        .filter(|file| fs::read_to_string(file).unwrap().contains("allow(unsafe_code"))
        .map(|file| file.strip_prefix(root()).unwrap().display().to_string())
        .filter(|file| !file.contains("/tests/"))
        .collect();
    let mut sorted = named;
    sorted.sort();
    allowing.sort();
    assert_eq!(sorted, allowing, "named in ARCHITECTURE.md, and found in the code");
}

#[test]
fn the_changelog_tells_of_the_current_version() {
    let version = env!("CARGO_PKG_VERSION");
    assert!(read("CHANGELOG.md").contains(&format!("\n## {version}")), "no heading for {version}");
}

#[test]
fn the_crates_that_are_published_can_be_found_and_read_about() {
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let manifest = fs::read_to_string(entry.unwrap().path().join("Cargo.toml")).unwrap();
        assert!(!manifest.contains("TODO"), "{manifest}");
        assert!(manifest.contains("description = "), "{manifest}");
        assert!(manifest.contains("readme") || manifest.contains("repository"), "{manifest}");
    }
}

#[test]
fn ci_runs_the_test_command_of_the_readme() {
    assert!(read("README.md").contains("\n./test.sh\n"));
    assert!(read(".ci/run").contains("\n./test.sh\n"));
}

#[test]
fn what_cargo_runs_by_itself_is_the_command() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let metadata = std::process::Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata = String::from_utf8(metadata.stdout).unwrap();
    let members = metadata.split("\"workspace_default_members\":[").nth(1).unwrap();
    let members = members.split(']').next().unwrap();
    assert!(members.contains("stateroom-cli#") && !members.contains(','), "{members}");
}
