//! `stateroom build`, and `stateroom serve` of what it made.

use crate::{
    process::{Client, Running, ends_with, get, stateroom},
    project::{Project, SILENT_ROOM},
};
use std::fs;

#[test]
fn what_build_makes_serve_serves() {
    let project = Project::new("built-counter", "counter");
    project.write("static/deep/er.txt", "a file in a folder");
    project.write("dist/static/stale.txt", "left by an earlier build");
    project.write("dist/notes.txt", "put there by somebody");
    let said = ends_with(0, stateroom(["build"]).arg(&project.path));
    assert!(!said.contains("Stripped"), "there is nothing to strip: {said}");
    let manifest = project.read("Cargo.toml");
    let with_debug = "[profile.release.package.built-counter]\ndebug = true\n";
    project.write("Cargo.toml", &format!("{manifest}\n{with_debug}"));
    let said = ends_with(0, stateroom(["build"]).arg(&project.path));
    assert!(said.contains("Stripped") && said.contains("KiB"), "{said}");

    let dist = project.path.join("dist");
    assert!(!dist.join("static/stale.txt").exists());
    assert!(dist.join("notes.txt").exists());
    assert_eq!(project.read("dist/static/index.html"), project.read("static/index.html"));
    let module = fs::read(dist.join("server.wasm")).unwrap();
    assert!(module.starts_with(b"\0asm"));
    let holds = |text: &[u8]| module.windows(text.len()).any(|window| window == text);
    assert!(!holds(b".debug_info"), "debug information is gone");
    assert!(holds(b"\x04name"), "names are kept for backtraces");

    // One that fails leaves it as it is.
    project.write("stateroom.toml", "[limits]\nmemory_bytes = \"64KiB\"\n");
    project.write("static/index.html", "a newer page");
    let said = ends_with(5, stateroom(["build"]).arg(&project.path));
    assert!(said.contains("memory"), "{said}");
    assert_ne!(project.read("dist/static/index.html"), "a newer page");
    assert_eq!(fs::read(dist.join("server.wasm")).unwrap(), module);
    assert!(!project.path.join(".dist-unfinished").exists());

    // What is served needs nothing of the project.
    let elsewhere = tempfile::tempdir().unwrap();
    let served = elsewhere.path().join("served");
    fs::rename(&dist, &served).unwrap();
    let mut command = stateroom(["serve", "--host", "127.0.0.1", "--port", "0"]);
    let mut server = Running::start(command.arg(&served));
    let address = server.address();
    assert_eq!(get(&address, "/deep/er.txt"), "a file in a folder");
    let mut client = Client::connect(&address);
    assert_eq!(client.hears(), "0");
    client.says("+");
    assert_eq!(client.hears(), "1");
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn serve_says_that_the_settings_were_edited_after_the_build() {
    let project = tempfile::tempdir().unwrap();
    let dist = project.path().join("dist");
    fs::create_dir(&dist).unwrap();
    fs::write(dist.join("server.wasm"), SILENT_ROOM).unwrap();
    fs::write(dist.join("stateroom.toml"), "[server]\nport = 0\n").unwrap();
    let warning = "the settings that are served with are not those of the project";
    for (edited, warns) in
        [("[server]\nport = 0\n", false), ("[server]\nport = 0 # edited\n", true)]
    {
        fs::write(project.path().join("stateroom.toml"), edited).unwrap();
        let mut server = Running::start(stateroom(["serve", "--host", "127.0.0.1"]).arg(&dist));
        server.address();
        assert_eq!(server.said().contains(warning), warns, "{}", server.said());
    }
}

#[test]
fn a_client_in_rust_is_built_with_its_javascript() {
    let project = Project::new("with-client", "counter");
    let manifest = project.read("Cargo.toml");
    project
        .write("Cargo.toml", &manifest.replace("[workspace]", "[workspace]\nmembers = [\"page\"]"));
    project.write(
        "page/Cargo.toml",
        &format!(
            "[package]\nname = \"the-page\"\nedition = \"2024\"\n\n[lib]\ncrate-type = [\"cdylib\"]\n\n\
             [dependencies]\nwasm-bindgen = \"={}\"\n",
            wasm_bindgen_shared::version()
        ),
    );
    project.write(
        "page/src/lib.rs",
        "#[wasm_bindgen::prelude::wasm_bindgen]\npub fn greet() -> String {\n    \"hello\".to_string()\n}\n",
    );
    let config = "[client]\npackage = \"the-page\"\n";
    project.write("stateroom.toml", config);
    ends_with(0, stateroom(["build"]).arg(&project.path));

    let mut command = stateroom(["serve", "--host", "127.0.0.1", "--port", "0"]);
    let mut server = Running::start(command.arg(project.path.join("dist")));
    let address = server.address();
    assert!(get(&address, "/client/the_page.js").contains("export function greet()"));
    assert!(project.path.join("dist/static/client/the_page_bg.wasm").exists());
    drop(server);

    let mut command = stateroom(["dev", "--port", "0"]);
    let mut dev = Running::start(command.arg(&project.path));
    let address = dev.address();
    assert!(get(&address, "/client/the_page.js").contains("export function greet()"));
}
