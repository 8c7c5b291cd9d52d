//! What is refused, and in which words, on which of the user's tokens.

use crate::compiler::{Fixture, Target, files, stderr};

/// Each file also uses the item that it has put the attribute on: an error about that would show
/// that the item had been swallowed.
#[test]
fn every_mistake_is_told_on_the_users_own_token() {
    trybuild::TestCases::new().compile_fail("tests/ui/errors/*.rs");
}

#[test]
fn a_mistake_is_told_in_the_same_words_when_a_module_is_built() {
    for file in files("errors") {
        let expected = std::fs::read_to_string(file.with_extension("stderr")).unwrap();
        let fixture =
            Fixture { file: &file, target: Target::Module, edition: "2021", compiler: "rustc" };
        let output = fixture.check(["--crate-type=bin"]);
        assert!(!output.status.success());
        assert_eq!(errors(&stderr(&output)), errors(&expected), "{}", file.display());
    }
}

/// The first line of each error, without the compiler's count of them.
fn errors(output: &str) -> Vec<&str> {
    let is_error =
        |line: &&str| line.starts_with("error") && !line.starts_with("error: aborting due to");
    output.lines().filter(is_error).collect()
}
