//! `stateroom types`: the messages of a service as TypeScript types.

use crate::{
    process::{Running, ends_with, stateroom},
    project::Project,
};
use std::{
    fs,
    time::{Duration, SystemTime},
};

#[test]
fn the_types_of_a_typed_service_are_written_and_dev_keeps_them_fresh() {
    let project = Project::new("typed-chat", "chat");
    let types = project.read("static/types.d.ts");
    let run = |arguments: &[&str], code| {
        ends_with(code, stateroom(["types"]).args(arguments).current_dir(&project.path))
    };
    let said = run(&[], 0);
    assert!(said.contains("Unchanged"), "{said}");
    let said = run(&["--output", "elsewhere.ts"], 0);
    assert!(said.contains("Written elsewhere.ts"), "{said}");
    assert_eq!(project.read("elsewhere.ts"), types);

    fs::remove_file(project.path.join("static/types.d.ts")).unwrap();
    let mut command = stateroom(["dev", "--port", "0"]);
    let mut dev = Running::start(command.current_dir(&project.path));
    dev.hears("Types");
    assert_eq!(project.read("static/types.d.ts"), types);
    drop(dev);
    // They are older than the code, as when that was edited before.
    project.write("static/types.d.ts", "stale");
    let file = fs::File::options().append(true).open(project.path.join("static/types.d.ts"));
    let before = SystemTime::now() - Duration::from_secs(3600);
    file.unwrap().set_modified(before).unwrap();
    let mut command = stateroom(["dev", "--port", "0"]);
    let mut dev = Running::start(command.current_dir(&project.path));
    dev.hears("Types");
    assert_eq!(project.read("static/types.d.ts"), types);
    let code = project.read("src/lib.rs");
    let code = code.replace(
        "    Left { client: ClientId },",
        "    Left { client: ClientId },\n    #[allow(dead_code)]\n    Waved { at: u64 },",
    );
    project.write("src/lib.rs", &code);
    dev.hears("Swapped");
    dev.hears("Types");
    let types = project.read("static/types.d.ts");
    assert!(types.contains(r#"{ "type": "waved", at: number, }"#), "{types}");
}

#[test]
fn a_service_that_tells_no_types_is_told_how_to() {
    let project = Project::new("untyped-counter", "counter");
    let said = ends_with(3, stateroom(["types"]).current_dir(&project.path));
    assert!(said.contains("`untyped-counter` has no test that tells its types"), "{said}");
    assert!(said.contains("stateroom_wasm::typescript!(MyService);"), "{said}");
}
