//! A service written for the published 0.2 generation compiles with these crates unchanged.

use crate::compiler::{EDITIONS, Fixture, TARGETS, Target, files, scratch};
use std::path::{Path, PathBuf};

/// The service that the host's tests run as a module of the published crates.
fn everything() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../stateroom-wasm-host/tests/modules/published-0.2/src/lib.rs")
}

#[test]
fn services_and_hosts_of_the_published_generation_compile() {
    let mut sources = files("published");
    sources.push(everything());
    for target in TARGETS {
        for edition in EDITIONS {
            for file in &sources {
                // Under another name than `lib`, which the file has.
                Fixture { file, target, edition, compiler: "rustc" }
                    .passes(["--crate-type=lib", "--crate-name=published"]);
            }
        }
    }
}

#[test]
fn a_service_of_the_published_generation_links_to_a_module_with_its_exports() {
    let file = everything();
    let fixture =
        Fixture { file: &file, target: Target::Module, edition: "2021", compiler: "rustc" };
    let module = scratch().join("everything.wasm");
    fixture.passes([
        "--crate-type=cdylib",
        "--crate-name=everything",
        "-Dwarnings",
        &format!("--emit=link={}", module.display()),
    ]);

    let module = std::fs::read(module).unwrap();
    for name in [
        "initialize",
        "connect",
        "disconnect",
        "message",
        "binary",
        "timer",
        "jam_malloc",
        "jam_free",
        "JAMSOCKET_API_VERSION",
        "JAMSOCKET_API_PROTOCOL",
        "send_message",
        "send_binary",
        "set_timer",
    ] {
        // In a module, a name stands behind its length.
        let mut needle = vec![u8::try_from(name.len()).unwrap()];
        needle.extend(name.as_bytes());
        assert!(module.windows(needle.len()).any(|window| window == needle), "no {name}");
    }
}
