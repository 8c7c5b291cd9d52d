//! A machine that is set up as the page says, in a folder in place of its root.

use super::block;
use crate::{
    kept::ledger,
    process::{Running, stateroom, write_program},
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// What stands in for commands that need a whole machine, in `sh`.
const STAND_INS: [(&str, &str); 4] = [
    ("sudo", r#"exec "$@""#),
    ("useradd", ":"),
    ("install", r#"exec ln -sf "$@""#),
    (
        "systemctl",
        r#"signal() { kill "-$1" "$(cat "$ROOT/pid")"; }
case $1 in
    daemon-reload | enable) ;;
    reload) signal HUP ;;
    freeze) signal STOP ;;
    thaw) signal CONT ;;
    *) exit 1 ;;
esac"#,
    ),
];

pub(super) struct Machine {
    root: TempDir,
}

impl Machine {
    /// One with the ledger, whose page is `one`, installed as the page says.
    pub(super) fn new() -> Machine {
        let machine = Machine { root: tempfile::tempdir().unwrap() };
        for folder in ["bin", "opt", "project", "var/backups", "var/lib/my-app", "var/cache"] {
            fs::create_dir_all(machine.path(folder)).unwrap();
        }
        for (name, script) in STAND_INS {
            machine.add_command(name, script);
        }
        machine.build(1, "one");
        machine.run(&block("sh", "sudo useradd"));
        machine
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(super) fn add_command(&self, name: &str, script: &str) {
        let file = self.path("bin").join(name);
        let script = script.strip_prefix("#!/bin/sh\n").unwrap_or(script);
        write_program(&file, &format!("#!/bin/sh\n{}\n", self.here(script)));
    }

    /// What `stateroom build` makes, of this version of the ledger.
    pub(super) fn build(&self, version: usize, page: &str) {
        let dist = self.path("project/dist");
        fs::create_dir_all(dist.join("static")).unwrap();
        fs::write(dist.join("server.wasm"), ledger(version)).unwrap();
        fs::write(dist.join("static/index.html"), page).unwrap();
    }

    /// A text of the page, with this machine's folders.
    pub(super) fn here(&self, text: &str) -> String {
        let root = self.root.path().display();
        let command = Path::new(env!("CARGO_BIN_EXE_stateroom")).display();
        text.replace("target/dist/stateroom", &command.to_string())
            .replace("/usr/local/bin", &format!("{root}/bin"))
            .replace("/opt/my-app", &format!("{root}/opt/my-app"))
            .replace("/var/lib/my-app", &format!("{root}/var/lib/my-app"))
            .replace("/var/backups", &format!("{root}/var/backups"))
            .replace("%S", &format!("{root}/var/lib"))
            .replace("%C", &format!("{root}/var/cache"))
    }

    /// Runs a text of the page in a shell, in the project's folder, and gives what it says on stdout.
    pub(super) fn run(&self, text: &str) -> String {
        let path = std::env::var("PATH").unwrap();
        let output = Command::new("sh")
            .args(["-eu", "-c", &self.here(text)])
            .env("ROOT", self.root.path())
            .env("PATH", format!("{}:{path}", self.path("bin").display()))
            .current_dir(self.path("project"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}said\n{said}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What the unit runs, with its environment, but on any free port.
    pub(super) fn command(&self) -> Command {
        let unit = self.here(&block("ini", "ExecStart="));
        let values = |key: &str| -> Vec<String> {
            let lines = unit.lines().filter_map(|line| line.strip_prefix(key));
            lines.map(str::to_owned).collect()
        };
        let start = values("ExecStart=").concat();
        let mut words = start.split(' ');
        assert_eq!(words.next(), self.path("bin/stateroom").to_str());
        let mut command = stateroom(words.chain(["--port", "0"]));
        command.env_remove("STATEROOM_EPHEMERAL");
        for assignment in values("Environment=") {
            let (name, value) = assignment.split_once('=').unwrap();
            command.env(name, value);
        }
        command
    }

    /// A server of it, and its address.
    pub(super) fn start(&self) -> (Running, String) {
        let mut server = Running::start(&mut self.command());
        fs::write(self.path("pid"), server.id().to_string()).unwrap();
        let address = server.address();
        (server, address)
    }
}
