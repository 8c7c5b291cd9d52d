//! Pages of the documentation, tried with the programs that they name.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

/// The block of code in a page of `docs` that is of this language and has this text.
pub(crate) fn block(page: &str, language: &str, text: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(page);
    let page = fs::read_to_string(file).unwrap();
    let start = format!("\n```{language}\n");
    let blocks = page.split(&start).skip(1).map(|rest| rest.split("```").next().unwrap());
    let mut found = blocks.filter(|block| block.contains(text));
    let block = found.next().unwrap_or_else(|| panic!("there is no {language} with {text}"));
    assert_eq!(found.next(), None, "{text} is in two of them");
    block.to_owned()
}

/// Where a program is. Where it is not, the test that needs it is passed over, which is told; where `CI` is set,
/// it fails instead.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let found = folders.map(|folder| folder.join(name)).find(|file| file.is_file());
    if found.is_none() {
        passed_over(&format!("there is no {name}"));
        assert!(std::env::var_os("CI").is_none(), "{name} has to be installed");
    }
    found
}

/// Tells that a test is passed over, also where the output of tests that pass is not shown.
pub(crate) fn passed_over(why: &str) {
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    let _ = writeln!(std::io::stderr(), "PASSED OVER: {name}: {why}");
}
