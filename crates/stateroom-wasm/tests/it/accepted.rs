//! What compiles, without a warning, on every target and in every edition.

use crate::compiler::{EDITIONS, Fixture, TARGETS, files, scratch, stderr};
use std::path::Path;

#[test]
fn every_shape_of_a_service_compiles_without_a_warning() {
    for target in TARGETS {
        for edition in EDITIONS {
            let some_module = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui/some_module.rs");
            let folder = scratch().join(format!("{target:?}-{edition}"));
            Fixture { file: &some_module, target, edition, compiler: "rustc" }
                .passes(["--crate-type=lib"]);
            let some_module =
                format!("--extern=some_module={}", folder.join("libsome_module.rmeta").display());

            for file in files("accepted") {
                let fixture = Fixture { file: &file, target, edition, compiler: "rustc" };
                fixture.passes(["--crate-type=lib", "-Dwarnings", &some_module]);
            }
        }
    }
}

/// A reader's first try is to copy them.
#[test]
fn the_examples_of_the_readmes_compile_without_a_warning() {
    for readme in ["README.md", "../../README.md"] {
        let text = Path::new(env!("CARGO_MANIFEST_DIR")).join(readme);
        let text = std::fs::read_to_string(text).unwrap();
        assert!(text.contains("```rust\n"), "{readme} has an example");
        for example in text.split("```rust\n").skip(1) {
            let example = example.split("```").next().unwrap();
            assert!(example.contains("#[stateroom_wasm]\nstruct"), "{readme}: {example}");
            let file = scratch().join("readme.rs");
            std::fs::create_dir_all(scratch()).unwrap();
            std::fs::write(&file, example).unwrap();
            for target in TARGETS {
                let fixture = Fixture { file: &file, target, edition: "2024", compiler: "rustc" };
                fixture.passes(["--crate-type=lib", "-Dwarnings"]);
            }
        }
    }
}

#[test]
fn the_strictest_lints_of_clippy_find_nothing_in_the_expansion() {
    for name in ["strict_lints.rs", "strict_lints_carry_over.rs"] {
        let file = files("accepted").into_iter().find(|file| file.ends_with(name)).unwrap();
        for target in TARGETS {
            let fixture =
                Fixture { file: &file, target, edition: "2024", compiler: "clippy-driver" };
            fixture.passes(["--crate-type=lib", "--crate-name=strict_lints_clippy", "-Dwarnings"]);
        }
    }
}

#[test]
fn dead_code_of_the_users_own_is_still_reported() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui/dead_code.rs");
    for target in TARGETS {
        let fixture = Fixture { file: &file, target, edition: "2024", compiler: "rustc" };
        let warnings = stderr(&fixture.check(["--crate-type=lib"]));
        for dead in ["unread_field", "uncalled_method", "uncalled_function"] {
            assert!(warnings.contains(&format!("`{dead}` is never")), "{target:?}: {warnings}");
        }
        assert!(!warnings.contains("`Chat` is never"), "{target:?}: {warnings}");
    }
}
