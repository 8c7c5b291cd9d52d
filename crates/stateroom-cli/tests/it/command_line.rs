//! Arguments, environment, exit codes.

use crate::{
    process::{Client, Running, ends_with, stateroom, told},
    project::{Module, SILENT_ROOM},
};
use clap::CommandFactory as _;
use stateroom_cli::options::Options;
use std::{
    fs,
    io::Write as _,
    net::{TcpListener, TcpStream},
};

#[test]
fn the_help_tells_the_exit_codes() {
    let output = stateroom(["--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for code in [
        "0  the command did",
        "2  wrong usage",
        "3  the build failed",
        "4  the address",
        "5  the module",
        "6  load: messages",
        "7  the folder that rooms",
        "8  replay, rooms: a room",
        "74 a server's disk has failed",
    ] {
        assert!(help.contains(code), "{help}");
    }
}

#[test]
fn each_command_tells_its_own_help() {
    let commands: [&[&str]; 8] = [
        &["rooms"],
        &["rooms", "show"],
        &["rooms", "delete"],
        &["rooms", "restart"],
        &["rooms", "export"],
        &["rooms", "import"],
        &["replay"],
        &["serve"],
    ];
    for command in commands {
        let help = told(stateroom(command).arg("--help"));
        let usage = format!("Usage: stateroom {}", command.join(" "));
        assert!(help.contains(&usage) && help.contains("--data-dir"), "{help}");
    }
}

#[test]
fn what_a_help_ends_with_fits_a_terminal() {
    fn look(command: &clap::Command) -> usize {
        let texts = command.get_after_help().into_iter().map(ToString::to_string);
        let told = texts.inspect(|text| {
            for line in text.lines() {
                assert!(line.chars().count() < 80, "{}: {line}", command.get_name());
            }
        });
        told.count() + command.get_subcommands().map(look).sum::<usize>()
    }
    assert_eq!(look(&Options::command()), 5);
    let help = told(stateroom(["new"]).arg("--help"));
    assert!(help.contains("an empty one; `.` is the current folder\n"), "{help}");
}

#[test]
fn a_number_that_is_none_is_told_in_the_same_words_for_flags_and_variables() {
    for (flag, value, why) in [
        ("--max-clients", "abc", "it must be a number"),
        ("--max-clients", "99999999999999999999999", "the number is too large"),
        ("--port", "many", "it must be a number"),
        ("--port", "70000", "70000 is not in 0..=65535"),
    ] {
        let said = ends_with(2, &mut stateroom(["serve", "x", flag, value]));
        let told = format!("error: invalid value '{value}' for '{flag} <");
        assert!(said.starts_with(&told) && said.contains(&format!(">': {why}\n")), "{said}");
    }
    let said = ends_with(2, &mut stateroom(["load", "x", "--rate", "abc"]));
    assert!(said.contains("it must be a number"), "{said}");
}

#[test]
fn wrong_usage_ends_with_2() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("stateroom.toml");
    fs::write(&config, "[server]\nprot = 1").unwrap();
    let module = folder.path().join("room.wat");
    fs::write(&module, SILENT_ROOM).unwrap();

    ends_with(2, &mut stateroom(["serve"]));
    ends_with(2, &mut stateroom(["dvelop"]));
    ends_with(2, &mut stateroom(["dev", "--heartbeat-interval", "soon"]));
    let said = ends_with(2, &mut stateroom(["serve", "x", "--memory-bytes", "much"]));
    assert!(said.contains("write it like 512KiB"), "{said}");
    ends_with(2, &mut stateroom(["serve", "x", "--log", "stateroom=loud"]));
    let said = ends_with(2, stateroom(["serve"]).arg(folder.path().join("none.wasm")));
    assert!(said.contains("there is no file or folder"), "{said}");
    let said = ends_with(2, stateroom(["serve"]).arg(folder.path()));
    assert!(said.contains("has no server.wasm"), "{said}");
    let said = ends_with(2, stateroom(["dev"]).arg(folder.path()));
    assert!(said.contains("no Cargo.toml in"), "{said}");
    let said = ends_with(2, stateroom(["serve"]).arg(&module));
    assert!(said.contains("stateroom.toml:2: unknown key `prot`"), "{said}");
    fs::write(&config, "[server]\nheartbeat_interval = 60\nheartbeat_timeout = 30").unwrap();
    let said = ends_with(2, stateroom(["serve"]).arg(&module));
    assert!(said.contains("heartbeat_timeout (30s)"), "{said}");
}

#[test]
fn a_variable_with_a_wrong_value_is_blamed_and_one_that_is_misspelt_is_named() {
    for (name, value, why) in [
        ("STATEROOM_PORT", "many", "it must be a number"),
        ("STATEROOM_SLEEP_AFTER", "soon", "write it like 30s"),
        ("STATEROOM_SURVIVES", "fire", "it can be nothing, crash, power-loss"),
    ] {
        let said = ends_with(2, stateroom(["serve", "x"]).env(name, value));
        let told = format!("the variable {name} has the value '{value}': ");
        assert!(said.contains(&told) && said.contains(why), "{said}");
    }
    // The flag is wrong, whatever the variable says.
    let mut command = stateroom(["serve", "x", "--port", "many"]);
    let said = ends_with(2, command.env("STATEROOM_PORT", "many"));
    assert!(said.contains("'many' for '--port"), "{said}");

    let said = ends_with(2, stateroom(["serve", "x"]).env("STATEROOM_PROT", "1"));
    let told = "the variable STATEROOM_PROT is no setting: did you mean STATEROOM_PORT?";
    assert!(said.contains(told), "{said}");
}

#[test]
fn an_address_in_use_ends_with_4_and_names_the_port() {
    let folder = tempfile::tempdir().unwrap();
    let module = folder.path().join("room.wat");
    fs::write(&module, SILENT_ROOM).unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();

    let mut command = stateroom(["serve", "--host", "127.0.0.1", "--port", &port]);
    let said = ends_with(4, command.arg(&module));
    assert!(said.contains(&format!("port {port}")) && said.contains("--port"), "{said}");

    // Before a build that would take long, and here fail.
    fs::create_dir(folder.path().join("src")).unwrap();
    fs::write(folder.path().join("src/lib.rs"), "this is not Rust").unwrap();
    let manifest = "[package]\nname = \"x\"\n[lib]\ncrate-type = [\"cdylib\"]\n[workspace]";
    fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    let said = ends_with(4, stateroom(["dev", "--port", &port]).arg(folder.path()));
    assert!(said.contains(&format!("port {port}")), "{said}");
    let said = ends_with(3, stateroom(["dev", "--port", "0"]).arg(folder.path()));
    assert!(said.contains("the build failed"), "{said}");
}

#[test]
fn a_module_that_is_none_ends_with_5() {
    let folder = tempfile::tempdir().unwrap();
    let module = folder.path().join("room.wasm");
    fs::write(&module, "this is not WebAssembly").unwrap();
    ends_with(5, stateroom(["serve"]).arg(&module));
    fs::write(&module, b"\0asm\x01\0\0\0").unwrap();
    let said = ends_with(5, stateroom(["serve"]).arg(&module));
    assert!(said.contains("room.wasm"), "{said}");
}

#[test]
fn a_server_that_is_told_to_stop_ends_with_0() {
    let folder = tempfile::tempdir().unwrap();
    let module = folder.path().join("room.wat");
    fs::write(&module, SILENT_ROOM).unwrap();
    let mut command = stateroom(["serve", "--host", "127.0.0.1", "--port", "0"]);
    let mut server = Running::start(command.arg(&module));
    server.address();
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn flags_go_over_the_environment_and_that_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let module = folder.path().join("room.wat");
    fs::write(&module, SILENT_ROOM).unwrap();
    let config = "[server]\nport = 0\nhost = \"127.0.0.3\"";
    fs::write(folder.path().join("stateroom.toml"), config).unwrap();

    let listens = |flag: &[&str], variable: Option<&str>| {
        let mut command = stateroom(["serve"]);
        command.arg(&module).args(flag);
        if let Some(host) = variable {
            command.env("STATEROOM_HOST", host);
        }
        let address = Running::start(&mut command).address();
        address.split_once(':').unwrap().0.to_owned()
    };
    assert_eq!(listens(&[], None), "127.0.0.3");
    assert_eq!(listens(&[], Some("127.0.0.2")), "127.0.0.2");
    assert_eq!(listens(&["--host", "localhost"], Some("127.0.0.2")), "127.0.0.1");
}

#[test]
fn the_setting_whose_bound_a_client_met_is_named_in_the_log() {
    let module = Module::new(SILENT_ROOM);
    let mut command = stateroom(["serve", "--host", "localhost", "--port", "0"]);
    command.args(["--max-clients", "1", "--max-message-bytes", "10"]).arg(&module.path);
    let mut server = Running::start(&mut command);
    let address = server.address();
    let mut client = Client::connect(&address);
    let mut other = TcpStream::connect(&address).unwrap();
    let head = "GET /ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
        sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    other.write_all(head.as_bytes()).unwrap();
    let line = server.hears("a client was turned away");
    assert!(line.contains("max_clients"), "{line}");
    client.says("a long message");
    let line = server.hears("the client is closed");
    assert!(line.contains("larger than 10 bytes (`max_message_bytes`)"), "{line}");
}

#[test]
fn log_lines_are_json_or_for_people() {
    let folder = tempfile::tempdir().unwrap();
    let module = folder.path().join("room.wat");
    fs::write(&module, SILENT_ROOM).unwrap();
    let first_line = |format: &str| {
        let mut command =
            stateroom(["serve", "--host", "127.0.0.1", "--port", "0", "--log-format", format]);
        Running::start(command.arg(&module)).hears("http://")
    };
    for format in ["json", "auto"] {
        let line: serde_json::Value = serde_json::from_str(&first_line(format)).unwrap();
        assert_eq!(line["level"], "INFO");
        assert!(line["message"].as_str().unwrap().starts_with("serving http://"), "{line}");
    }
    assert!(!first_line("human").starts_with('{'));
}

#[test]
fn completions_know_the_subcommands_of_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = stateroom(["completions", shell]).output().unwrap();
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success());
        for word in ["stateroom", "serve", "template", "rooms", "replay", "import"] {
            assert!(script.contains(word), "{shell}: {script}");
        }
    }
}
