//! No file uses, whatever lies between, a file that uses it: so each can be understood with those that it
//! uses, and changed without them.

mod uses;

use stateroom_tests::root;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The first files of all crates of the workspace: libraries, programs, tests, benches and examples.
fn crates() -> Vec<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let metadata = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap().iter();
    let targets = packages.flat_map(|package| package["targets"].as_array().unwrap());
    targets.map(|target| target["src_path"].as_str().unwrap().into()).collect()
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let (mut files, mut circles) = (BTreeSet::new(), String::new());
    let shown =
        |file: &Path| file.strip_prefix(root()).unwrap_or(file).to_string_lossy().into_owned();
    for root_file in crates() {
        let mut uses = uses::of_crate(&root_file);
        files.extend(uses.keys().cloned());
        while let Some(circle) = uses::circle(&uses) {
            let next = circle.iter().cycle().skip(1);
            for (file, next) in circle.iter().zip(next) {
                let path = &uses[file][next];
                circles.push_str(&format!("\n{} uses {path} of {}", shown(file), shown(next)));
            }
            circles.push('\n');
            // So that others are found as well.
            let (first, last) = (&circle[0], &circle[circle.len() - 1]);
            uses.get_mut(last).unwrap().remove(first);
        }
    }
    assert!(circles.is_empty(), "{circles}");
    assert!(files.len() > 300, "only {} files were found", files.len());
}

#[test]
fn a_circle_is_found_however_a_file_names_another() {
    for (place, (names, is_circle)) in [
        ("use crate::other::Thing;", true),
        ("use crate::{other::{self}};", true),
        ("use super::other::Thing as Renamed;", true),
        ("use crate::Thing;", true),
        ("fn f() { crate::other::f(); }", true),
        ("fn f() { g!(x, crate::other::f()); }", true),
        ("fn f(thing: super::other::Thing) {}", true),
        ("use super::*; fn f() { other::f(); }", true),
        ("pub use crate::other::Thing;", false),
        ("pub use crate::other::Thing; fn f(thing: Thing) {}", true),
        ("use other::Thing;", false),
        ("fn f(other: u32) { other.thing; self.other }", false),
        ("// use crate::other::Thing;", false),
    ]
    .into_iter()
    .enumerate()
    {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("circle-{place}"));
        fs::create_dir_all(&folder).unwrap();
        let file = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
        file("lib.rs", "mod one;\nmod other;\npub use other::Thing;");
        file("one.rs", names);
        file("other.rs", "use crate::one::One;\npub struct Thing;");
        let uses = uses::of_crate(&folder.join("lib.rs"));
        let circle = uses::circle(&uses);
        assert_eq!(circle.is_some(), is_circle, "{names}: {uses:?}");
    }
}
