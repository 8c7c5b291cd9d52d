//! Where rooms are kept, and what is told of them at the start.

use crate::{
    process::{Client, Running, ends_with, stateroom, told},
    project::{REMEMBERING_ROOM, SILENT_ROOM},
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// A project in a temporary folder, and another folder, from which the command is run.
struct Places {
    project: TempDir,
    elsewhere: TempDir,
}

impl Places {
    /// With a `stateroom.toml`, a module `room.wat`, and the same as if `build` had made it.
    fn new(config: &str) -> Places {
        let places = Places {
            project: tempfile::tempdir().unwrap(),
            elsewhere: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(places.path("dist")).unwrap();
        for (module, file) in
            [("room.wat", "stateroom.toml"), ("dist/server.wasm", "dist/stateroom.toml")]
        {
            fs::write(places.path(module), REMEMBERING_ROOM).unwrap();
            fs::write(places.path(file), config).unwrap();
        }
        places
    }

    fn path(&self, name: &str) -> PathBuf {
        self.project.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = stateroom(arguments);
        command.env_remove("STATEROOM_EPHEMERAL").current_dir(self.elsewhere.path());
        command
    }

    /// Has a server keep a room; and what the server says of rooms as it starts.
    fn keep(&self, room: &str, arguments: &[&str], last: &Path) -> serde_json::Value {
        let mut command = self.command(&["serve", "--host", "127.0.0.1", "--port", "0"]);
        let mut server = Running::start(command.args(arguments).arg(last));
        let line = server.hears("rooms are kept");
        let address = server.address();
        let mut client = Client::join(&address, room);
        client.says("hello");
        client.hears();
        drop(client);
        assert_eq!(server.terminate(), Some(0));
        serde_json::from_str(&line).unwrap()
    }

    fn list(&self, arguments: &[&str]) -> String {
        told(self.command(&["rooms"]).args(arguments))
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn the_data_folder_is_beside_the_configuration_wherever_the_server_is_started() {
    for config in ["", "[durability]\ndata_dir = \"kept\""] {
        let places = Places::new(config);
        let kept = places.path(if config.is_empty() { ".stateroom" } else { "kept" });
        let file = places.path("stateroom.toml");
        let named: &[&str] = &["--config", text(&file)];
        for (room, arguments, module) in [
            ("by-module", &[][..], "room.wat"),
            ("by-folder", &[], "dist"),
            ("by-file", named, "dist"),
        ] {
            let line = places.keep(room, arguments, &places.path(module));
            let folder = kept.canonicalize().unwrap();
            let told = Path::new(line["folder"].as_str().unwrap()).canonicalize().unwrap();
            assert_eq!(told, folder, "{room}");
        }
        let list = places.list(named);
        assert!(
            ["by-module", "by-folder", "by-file"].iter().all(|room| list.contains(room)),
            "{list}"
        );
        assert!(!places.path("dist/.stateroom").exists());
        assert!(!places.elsewhere.path().join(".stateroom").exists());
    }
}

#[test]
fn without_a_configuration_the_data_folder_is_in_the_current_one() {
    let places = Places::new("");
    fs::remove_file(places.path("stateroom.toml")).unwrap();
    places.keep("lobby", &[], &places.path("room.wat"));
    assert!(places.list(&[]).contains("lobby"));
    assert!(places.elsewhere.path().join(".stateroom").is_dir());
}

#[test]
fn the_rooms_of_dev_are_apart_from_those_that_are_served() {
    let places = Places::new("");
    let (config, dev) = (places.path("stateroom.toml"), places.path(".stateroom/dev"));
    let config: &[&str] = &["--config", text(&config)];
    places.keep("tried-out", &["--data-dir", text(&dev)], &places.path("room.wat"));
    let nothing = "no rooms of `stateroom serve` here yet; `stateroom rooms --dev` lists those of `stateroom dev`\n";
    let said = ends_with(0, places.command(&["rooms"]).args(config));
    assert!(said.ends_with(nothing), "{said}");
    for arguments in
        [&["rooms", "show", "lobby"][..], &["replay", "lobby"], &["rooms", "delete", "x"]]
    {
        let said = ends_with(2, places.command(arguments).args(config));
        assert!(said.ends_with(nothing), "{said}");
    }
    // What somebody else has put there is not to be written over.
    fs::write(places.path(".stateroom/rooms.db"), "somebody's").unwrap();
    let said = ends_with(7, places.command(&["rooms"]).args(config));
    assert!(
        said.contains("--dev is for those") && said.contains("no store of Stateroom"),
        "{said}"
    );
    fs::remove_file(places.path(".stateroom/rooms.db")).unwrap();

    places.keep("lobby", &[], &places.path("room.wat"));
    let (served, tried) = (places.list(config), places.list(&[config, &["--dev"]].concat()));
    assert!(served.contains("lobby") && !served.contains("tried-out"), "{served}");
    assert!(!tried.contains("lobby") && tried.contains("tried-out"), "{tried}");
    told(places.command(&["replay", "tried-out", "--dev"]).args(config));
    ends_with(2, places.command(&["rooms", "--dev", "--data-dir", "x"]).args(config));
    let line = places.keep("lobby", &[], &places.path("room.wat"));
    assert_eq!(line["rooms"], 1, "{line}");
}

#[test]
fn where_no_server_ever_ran_there_are_no_rooms_yet() {
    let places = Places::new("");
    for (arguments, command) in [(&["rooms"][..], "serve"), (&["rooms", "--dev"], "dev")] {
        let said = ends_with(0, &mut places.command(arguments));
        assert!(said.ends_with(&format!("no rooms of `stateroom {command}` here yet\n")), "{said}");
        assert_eq!(told(places.command(arguments).arg("--json")), "");
    }
    let said = ends_with(2, &mut places.command(&["replay", "lobby"]));
    assert!(
        said.starts_with("error: there is no file lobby, and no room of that id: no "),
        "{said}"
    );
    ends_with(2, &mut places.command(&["rooms", "export", "--all", "backup"]));
    assert!(!places.elsewhere.path().join("backup").exists());
    assert!(!places.elsewhere.path().join(".stateroom").exists());
}

#[test]
fn the_first_lines_tell_how_many_rooms_there_are_and_how_many_have_older_code() {
    let places = Places::new("");
    let module = places.path("room.wat");
    let counts = |line: serde_json::Value| [line["rooms"].clone(), line["with_older_code"].clone()];
    assert_eq!(counts(places.keep("first", &[], &module)), [0, 0]);
    assert_eq!(counts(places.keep("second", &[], &module)), [1, 0]);
    fs::write(&module, REMEMBERING_ROOM.replace("700", "800")).unwrap();
    assert_eq!(counts(places.keep("third", &[], &module)), [2, 2]);
    assert_eq!(counts(places.keep("third", &[], &module)), [3, 2]);
}

#[test]
fn who_may_not_have_a_folder_is_told_who_has_it() {
    let places = Places::new("");
    let mut command = places.command(&["serve", "--host", "127.0.0.1", "--port", "0"]);
    let mut server = Running::start(command.arg(places.path("room.wat")));
    server.address();
    fs::write(places.path("other.wat"), SILENT_ROOM).unwrap();
    let mut other = places.command(&["serve", "--host", "127.0.0.1", "--port", "0"]);
    let said = ends_with(7, other.arg(places.path("other.wat")));
    let config = places.path("stateroom.toml");
    let mut delete = places.command(&["rooms", "delete", "lobby", "--config", text(&config)]);
    for said in [said, ends_with(7, &mut delete)] {
        assert!(said.contains("in use by process"), "{said}");
    }
}
