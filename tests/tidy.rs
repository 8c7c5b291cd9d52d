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

/// What tells promises and bounds, with the tests that show them.
const CLAIMS: [&str; 2] = ["docs/guarantees.md", "docs/limits.md"];

/// Whatever stands in backticks in a text, but for its blocks of code.
fn quoted(text: &str) -> Vec<&str> {
    let plain = text.split("\n```").step_by(2);
    plain.flat_map(|part| part.split('`').skip(1).step_by(2)).collect()
}

/// The rows of all tables in a text that have this last heading: what each cell has.
fn rows<'a>(text: &'a str, last: &str) -> Vec<Vec<&'a str>> {
    let (mut rows, mut is_in) = (Vec::new(), false);
    for line in text.lines() {
        let cells: Vec<&str> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
        match line.starts_with('|') {
            false => is_in = false,
            true if cells.last() == Some(&last) => is_in = true,
            true if is_in && !cells.iter().all(|cell| cell.starts_with("---")) => rows.push(cells),
            true => {}
        }
    }
    rows
}

#[test]
fn the_tests_that_the_documents_name_are_there() {
    let code: Vec<String> = rust_files(&["crates", "tests", "benches", "examples"])
        .unwrap()
        .iter()
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    let is_there = |name: &str| match name.contains('/') {
        true => root().join(name).is_file(),
        false => code.iter().any(|text| text.contains(&format!("fn {name}("))),
    };
    for document in CLAIMS {
        let text = read(document);
        let rows = rows(&text, "tests");
        assert!(rows.len() > 20, "{document} has {} rows", rows.len());
        for row in rows {
            let tests = quoted(row.last().unwrap());
            assert!(!tests.is_empty(), "{document}: nothing shows that {}", row[0]);
            for test in tests {
                assert!(is_there(test), "{document}: there is no test {test}");
            }
        }
        // Elsewhere, whatever has the length of a test's name is one.
        let is_name = |word: &&str| {
            let is_word = word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            is_word && word.matches('_').count() >= 4
        };
        for name in quoted(&text).into_iter().filter(is_name) {
            assert!(is_there(name), "{document}: there is no test {name}");
        }
    }
}

/// Each setting of the command, and its default: what `docs/settings.md` tells, which is kept true by a test of
/// the command.
fn settings(page: &str) -> Vec<(String, String)> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split(" | ").collect();
        let flag = cells[0].split(['`', ' ', '[']).next().unwrap();
        (flag.to_owned(), cells[3].trim().to_owned())
    })
    .collect()
}

#[test]
fn the_settings_in_the_documents_are_there_with_the_defaults_that_they_tell() {
    let settings = settings(&read("docs/settings.md"));
    assert!(settings.len() > 30, "{settings:?}");
    let default_of = |flag: &str| settings.iter().find(|(name, _)| name == flag).map(|it| &*it.1);
    for document in CLAIMS {
        for flag in quoted(&read(document)).into_iter().filter(|word| word.starts_with("--")) {
            let name = flag.split([' ', '=']).next().unwrap();
            assert!(default_of(name).is_some(), "{document}: there is no setting {flag}");
        }
    }
    let text = read("docs/limits.md");
    let mut told = 0;
    for row in rows(&text, "tests").into_iter().filter(|row| row.len() == 5) {
        let Some(flag) = quoted(row[1]).first().copied() else { continue };
        assert_eq!(Some(row[2]), default_of(flag), "the default of {flag}");
        told += 1;
    }
    assert!(told > 25, "{told} settings");
}

/// The functions in the host's lists that are called `Function(name, takes, gives)`, as `name(3)`.
fn functions(code: &str, list: &str) -> Vec<(String, usize)> {
    let start = format!("const {list}: &[Function] =");
    let list = code.split(&start).nth(1).unwrap().split("];").next().unwrap();
    let each = list.split("Function(").skip(1).map(|text| text.split(')').next().unwrap());
    let each = each.map(|text| text.split(", ").collect::<Vec<_>>());
    each.map(|parts| {
        let name = match parts[0] {
            "carry_over::HAND_OVER" => "stateroom_v1_hand_over",
            "carry_over::TAKE_OVER" => "stateroom_v1_take_over",
            "request::REQUEST" => "stateroom_v1_request",
            quoted => quoted.trim_matches('"'),
        };
        (name.to_owned(), parts[1].parse().unwrap())
    })
    .collect()
}

#[test]
fn the_page_of_the_guest_interface_tells_each_function_that_the_host_knows() {
    let page = read("docs/guests.md");
    let interface = read("crates/stateroom-wasm-host/src/interface.rs");
    let lists = ["NAMED_FUNCTIONS", "OPTIONAL", "IMPORTS", "IMPORTS_V1"]
        .map(|list| functions(&interface, list));
    // That one belongs to another generation.
    let ours = lists.into_iter().flatten().filter(|(name, _)| name != "stateroom_send");
    let mut count = 0;
    for (name, takes) in ours {
        let told = page.split(&format!("| `{name}(")).nth(1);
        let told = told.unwrap_or_else(|| panic!("{name} is not told of")).split(')').next();
        let parameters = told.unwrap().split(", ").filter(|parameter| !parameter.is_empty());
        assert_eq!(parameters.count(), takes, "the parameters of {name}");
        count += 1;
    }
    assert_eq!(count, 22);
    let wasi = read("crates/stateroom-wasm-host/src/wasi.rs");
    let defined = wasi.split("func_wrap(").skip(1).map(|call| call.split('"').nth(1).unwrap());
    let untold: Vec<_> = defined.filter(|name| !page.contains(&format!("`{name}`"))).collect();
    assert!(untold.is_empty(), "{untold:?}");
}
