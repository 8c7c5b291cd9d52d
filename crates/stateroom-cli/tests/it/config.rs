//! What a `stateroom.toml` may say, and how it is told what it may not.

use clap::{CommandFactory, Parser};
use stateroom_cli::{
    config::{Config, OptimizationLevel},
    options::{Options, Subcommand},
    settings::Bounds,
};
use stateroom_server::ServerConfig;
use std::{path::Path, time::Duration};

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(Path::new("stateroom.toml"), text).map_err(|error| error.to_string())
}

fn settle(text: &str) -> (ServerConfig, Bounds) {
    let (mut server, mut bounds) = Default::default();
    parse(text).unwrap().settings().apply(&mut server, &mut bounds);
    (server, bounds)
}

#[test]
fn a_file_of_the_published_command_is_read_as_before() {
    let config = parse(
        r#"
        static_files = "static"
        service_id = "abc"
        [service]
        package = "my-service"
        [client]
        package = "my-client"
        optimization_level = "3"
        "#,
    )
    .unwrap();
    assert_eq!(config.static_files.as_deref(), Some(Path::new("static")));
    assert_eq!(config.service.package.as_deref(), Some("my-service"));
    let client = config.client.unwrap();
    assert_eq!(
        (&*client.package, client.optimization_level),
        ("my-client", OptimizationLevel::Three)
    );
}

#[test]
fn an_empty_file_leaves_every_default() {
    assert_eq!(parse("").unwrap(), Config::default());
    assert_eq!(settle(""), Default::default());
}

#[test]
fn durations_and_sizes_are_read_as_people_write_them() {
    let (server, Bounds { limits, replay_cpu_time }) = settle(
        r#"
        [server]
        heartbeat_interval = "500ms"
        heartbeat_timeout = 90
        shutdown_timeout = 0.25
        max_message_bytes = "2 MiB"
        max_queue_bytes = 1000
        max_connections = 77
        max_unfinished_bytes = "3MiB"
        max_queued_bytes = "5MiB"
        slow_reader_timeout = "20s"
        closing_timeout = 2
        http_stall_timeout = "1m"
        max_request_bytes = "2MiB"
        request_timeout = "5s"
        trusted_proxies = ["127.0.0.1", "10.0.0.0/8"]
        [rooms]
        empty_room_timeout = "1m 30s"
        max_clients_per_room = 12
        forget_after = "30 days"
        [limits]
        memory_bytes = "128MiB"
        cpu_time_per_event = "20ms"
        replay_cpu_time = "1h"
        "#,
    );
    assert_eq!(server.heartbeat_interval, Duration::from_millis(500));
    assert_eq!(server.heartbeat_timeout, Duration::from_secs(90));
    assert_eq!(server.shutdown_timeout, Duration::from_millis(250));
    assert_eq!(server.max_message_bytes, 2 << 20);
    assert_eq!((server.max_queue_bytes, server.max_queued_bytes), (1000, 5 << 20));
    assert_eq!((server.max_connections, server.max_unfinished_bytes), (77, 3 << 20));
    assert_eq!(server.slow_reader_timeout, Duration::from_secs(20));
    assert_eq!(server.closing_timeout, Duration::from_secs(2));
    assert_eq!(server.http_stall_timeout, Duration::from_secs(60));
    assert_eq!(server.max_request_bytes, 2 << 20);
    assert_eq!(server.request_timeout, Duration::from_secs(5));
    assert_eq!(
        server.trusted_proxies,
        ["127.0.0.1".parse().unwrap(), "10.0.0.0/8".parse().unwrap()]
    );
    assert_eq!(server.forget_after, Some(Duration::from_secs(30 * 24 * 60 * 60)));
    assert_eq!(replay_cpu_time, Some(Duration::from_secs(60 * 60)));
    assert_eq!(server.empty_room_timeout, Duration::from_secs(90));
    assert_eq!(server.max_clients_per_room, 12);
    assert_eq!(limits.memory_bytes, 128 << 20);
    assert_eq!(limits.cpu_time_per_event, Duration::from_millis(20));
}

#[test]
fn paths_subprotocols_and_temporary_rooms_are_lists() {
    let by_file = r#"
        [server]
        room_paths = ["/parties/main/{room}", "/{room}"]
        subprotocols = ["json", "chat"]
        [rooms]
        temporary_rooms = ["load-{number}"]
        "#;
    let by_flags = Options::parse_from([
        "stateroom",
        "serve",
        "x",
        "--room-paths=/parties/main/{room},/{room}",
        "--subprotocols=json,chat",
        "--temporary-rooms=load-{number}",
    ]);
    let Subcommand::Serve(by_flags) = by_flags.command else { panic!("serve is serve") };
    for settings in [parse(by_file).unwrap().settings(), by_flags.settings] {
        let (mut server, mut bounds) = Default::default();
        settings.apply(&mut server, &mut bounds);
        let paths = ["/parties/main/{room}", "/{room}"].map(|path| path.parse().unwrap());
        assert_eq!(server.room_paths, paths);
        assert_eq!(server.subprotocols.unwrap(), ["json", "chat"]);
        assert_eq!(server.temporary_rooms, ["load-{number}".parse().unwrap()]);
    }
    let error = parse("[server]\nroom_paths = [\"/parties\"]").unwrap_err();
    assert!(
        error.contains(":2: room_paths: a path to rooms is written like /parties/main/{room}"),
        "{error}"
    );
}

#[test]
fn a_time_of_zero_is_never_where_it_says_so() {
    let (server, bounds) = settle("[rooms]\nforget_after = 0\n[limits]\nreplay_cpu_time = \"0s\"");
    assert_eq!((server.forget_after, bounds.replay_cpu_time), (None, None));
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_valid_one() {
    for (text, beginning) in [
        (
            "static_file = \"x\"",
            "stateroom.toml:1: unknown key `static_file`: did you mean `static_files`? The keys here are ",
        ),
        ("\n\n[sever]\nport = 1", "stateroom.toml:3: unknown key `sever`: did you mean `server`?"),
        (
            "[server]\nhost = \"::1\"\nprot = 1",
            "stateroom.toml:3: unknown key `prot`: did you mean `port`?",
        ),
        (
            "[limits]\nmemory-bytes = 1",
            "stateroom.toml:2: unknown key `memory-bytes`: did you mean `memory_bytes`?",
        ),
        (
            "[client]\npackage = \"c\"\nlevel = 1",
            "stateroom.toml:3: unknown key `level`; the keys here are package, optimization_level",
        ),
        (
            "port = 1",
            "stateroom.toml:1: unknown key `port`: it belongs in the section [server]; the keys here are",
        ),
        (
            "[server]\nsleep_after = \"1s\"",
            "stateroom.toml:2: unknown key `sleep_after`: it belongs in the section [rooms]",
        ),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.starts_with(beginning), "{error}");
    }
}

#[test]
fn a_wrong_value_is_named_with_its_line() {
    for (text, line, hint) in [
        ("[server]\nport = 70000", 2, "70000"),
        ("[server]\n\nhost = \"not a host\"", 3, "give localhost"),
        ("[server]\nheartbeat_interval = \"soon\"", 2, "write it like 30s"),
        ("[server]\ntrusted_proxies = [\"me\"]", 2, "neither an IP address nor a network"),
        ("[server]\nheartbeat_interval = -1", 2, "not a length of time"),
        (
            "[limits]\nmemory_bytes = \"much\"",
            2,
            ":2: memory_bytes: it is no size: write it like 512KiB",
        ),
        ("[limits]\nmemory_bytes = -1", 2, "a size such as"),
        ("[limits]\nmemory_bytes = 1.5", 2, "a size such as"),
        ("[client]\noptimization_level = \"s\"", 1, "missing field `package`"),
        ("static_files = ", 1, ""),
        ("static_files = 1\nstatic_files", 2, ""),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.starts_with(&format!("stateroom.toml:{line}: ")), "{text}: {error}");
        assert!(error.contains(hint), "{text}: {error}");
    }
}

/// They are told of the defaults of the server and the host, and mean those when somebody writes them.
#[test]
fn the_defaults_in_the_help_are_those_that_hold() {
    let command = Options::command();
    let serve = command.find_subcommand("serve").unwrap();
    let mut told = 0;
    for argument in serve.get_arguments() {
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let Some((_, default)) = help.split_once("[default: ") else { continue };
        let Some(flag) = argument.get_long().filter(|flag| {
            let others = ["config", "data-dir", "host", "log", "log-format", "log-rooms-every"];
            !others.contains(flag) && !["survives", "temporary-rooms"].contains(flag)
        }) else {
            continue;
        };
        let default = default.trim_end_matches(']');
        let options =
            Options::parse_from(["stateroom", "serve", "x", &format!("--{flag}={default}")]);
        let Subcommand::Serve(options) = options.command else { panic!("serve is serve") };
        let (mut server, mut bounds) = Default::default();
        options.settings.apply(&mut server, &mut bounds);
        assert_eq!((server, bounds), Default::default(), "--{flag}");
        told += 1;
    }
    assert_eq!(told, 43, "every setting but a few tells its default");
}

#[test]
fn every_setting_is_a_flag_and_an_environment_variable_of_the_same_name() {
    let command = Options::command();
    let serve = command.find_subcommand("serve").unwrap();
    for argument in serve.get_arguments().filter(|argument| argument.get_long().is_some()) {
        let Some(variable) = argument.get_env() else { continue };
        let flag = argument.get_long().unwrap();
        let expected = format!("STATEROOM_{}", flag.replace('-', "_").to_uppercase());
        assert_eq!(variable.to_string_lossy(), expected);
    }
}
