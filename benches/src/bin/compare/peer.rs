//! The servers that are compared: how each is installed and started.

use crate::{
    colyseus,
    scenario::{Mode, Work},
};
use anyhow::{Context as _, ensure};
use stateroom_benches::stateroom_command;
use stateroom_load::{Dialect, Plain};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A server that is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// Ours, as it comes.
    Stateroom,
    /// Ours, with a flush window.
    StateroomFlush,
    /// Ours, with rooms that sleep soon.
    StateroomSleep,
    /// Bun's own server, with its topics.
    Bun,
    /// uWebSockets, in C++, with its topics.
    UWebSockets,
    /// axum, as people write rooms by hand: a channel for each room, a task for each client.
    Axum,
    /// Colyseus on Node, with its WebSocket transport.
    Colyseus,
    /// workerd, with a Durable Object for each room and the hibernation API.
    Workerd,
}

/// How a server is to be started.
pub(crate) struct Start<'a> {
    /// What its rooms do.
    pub(crate) mode: Mode,
    /// Where it is to listen.
    pub(crate) port: u16,
    /// The module of the rooms that are measured.
    pub(crate) module: &'a Path,
    /// An empty folder for its files.
    pub(crate) scratch: &'a Path,
    /// What will be done to it.
    pub(crate) work: Work,
}

impl Peer {
    /// All of them.
    pub(crate) const ALL: [Peer; 8] = [
        Peer::Stateroom,
        Peer::StateroomFlush,
        Peer::StateroomSleep,
        Peer::Bun,
        Peer::UWebSockets,
        Peer::Axum,
        Peer::Colyseus,
        Peer::Workerd,
    ];

    /// What it is called on the command line, and the start of its folder's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Peer::Stateroom => "stateroom",
            Peer::StateroomFlush => "stateroom-flush",
            Peer::StateroomSleep => "stateroom-sleep",
            Peer::Bun => "bun",
            Peer::UWebSockets => "uwebsockets",
            Peer::Axum => "axum",
            Peer::Colyseus => "colyseus",
            Peer::Workerd => "workerd",
        }
    }

    /// What it is called in tables and plots.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Peer::Stateroom => "Stateroom",
            Peer::StateroomFlush => "Stateroom, flush window 10 ms",
            Peer::StateroomSleep => "Stateroom, rooms sleep after 1 s",
            Peer::Bun => "Bun",
            Peer::UWebSockets => "uWebSockets (C++)",
            Peer::Axum => "axum by hand",
            Peer::Colyseus => "Colyseus",
            Peer::Workerd => "workerd (Durable Objects)",
        }
    }

    /// Whether it is ours, in whatever setting.
    pub(crate) fn is_ours(self) -> bool {
        matches!(self, Peer::Stateroom | Peer::StateroomFlush | Peer::StateroomSleep)
    }

    /// How it is spoken to.
    pub(crate) fn dialect(self) -> &'static dyn Dialect {
        if self == Peer::Colyseus { &colyseus::Colyseus } else { &Plain }
    }

    /// Whether its messages are binary ones, whatever is in them.
    pub(crate) fn is_binary(self) -> bool {
        self == Peer::Colyseus
    }

    /// Installs it into its folder, where it is not yet.
    pub(crate) fn install(self) -> anyhow::Result<()> {
        let folder = self.folder();
        match self {
            Peer::Stateroom => {
                stateroom_command()?;
                Ok(())
            }
            Peer::StateroomFlush => has_flag("--flush-window"),
            Peer::StateroomSleep => has_flag("--sleep-after"),
            Peer::Bun | Peer::Colyseus | Peer::Workerd => {
                let lock = folder.join("package-lock.json");
                if is_newer(&folder.join("node_modules/.package-lock.json"), &lock) {
                    return Ok(());
                }
                let arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"];
                run(Command::new("npm").args(arguments), &folder)
            }
            Peer::UWebSockets => {
                if is_newer(&folder.join("build/server"), &folder.join("server.cpp")) {
                    return Ok(());
                }
                run(&mut Command::new("./build.sh"), &folder)
            }
            Peer::Axum => {
                let target = folder.join("target");
                let arguments = ["build", "--release", "--locked", "--quiet", "--target-dir"];
                run(Command::new("cargo").args(arguments).arg(target), &folder)
            }
        }
    }

    /// The command that starts it.
    pub(crate) fn command(self, start: &Start<'_>) -> anyhow::Result<Command> {
        let folder = self.folder();
        let port = start.port.to_string();
        let mut command = match self {
            Peer::Stateroom | Peer::StateroomFlush | Peer::StateroomSleep => {
                let mut command = Command::new(stateroom_command()?);
                command.arg("serve").arg(start.module);
                command.args(["--host", "127.0.0.1", "--log", "off", "--port", &port]);
                match start.work {
                    // A room ends with its last client, as it does everywhere else.
                    Work::Connect(_) => command.args(["--empty-room-timeout", "0s"]),
                    // All are there when some are visited again.
                    Work::Visit(_) => command.args(["--empty-room-timeout", "1h"]),
                    _ => &mut command,
                };
                match self {
                    Peer::StateroomFlush => command.args(["--flush-window", "10ms"]),
                    Peer::StateroomSleep => command.args(["--sleep-after", "1s"]),
                    _ => &mut command,
                };
                command
            }
            Peer::Bun => {
                let mut command = Command::new(binary(&folder.join("node_modules/@oven"), "bun")?);
                command.arg(folder.join("server.js"));
                command
            }
            Peer::UWebSockets => Command::new(folder.join("build/server")),
            Peer::Axum => Command::new(folder.join("target/release/stateroom-bench-axum")),
            Peer::Colyseus => {
                let mut command = Command::new("node");
                command.arg(folder.join("server.js"));
                command
            }
            Peer::Workerd => {
                let packages = folder.join("node_modules/@cloudflare");
                let mut command = Command::new(binary(&packages, "workerd")?);
                command.arg("serve").arg(folder.join("config.capnp")).arg("config");
                command.args(["--socket-addr", &format!("http=127.0.0.1:{port}")]);
                command
            }
        };
        command.current_dir(start.scratch);
        command.env("MODE", start.mode.name()).env("PORT", &port).env("NODE_ENV", "production");
        Ok(command)
    }

    /// The version that is installed, where it is one that a lockfile names.
    pub(crate) fn version(self) -> Option<String> {
        let (lock, package) = match self {
            Peer::Bun => ("package-lock.json", "\"node_modules/bun\""),
            Peer::Colyseus => ("package-lock.json", "\"node_modules/@colyseus/core\""),
            Peer::Workerd => ("package-lock.json", "\"node_modules/workerd\""),
            Peer::UWebSockets => ("Cargo.lock", "name = \"libuwebsockets-sys\""),
            Peer::Axum => ("Cargo.lock", "name = \"axum\""),
            Peer::Stateroom | Peer::StateroomFlush | Peer::StateroomSleep => {
                return Some(env!("CARGO_PKG_VERSION").to_owned());
            }
        };
        let lock = fs::read_to_string(self.folder().join(lock)).ok()?;
        let (_, after) = lock.split_once(package)?;
        let (_, after) = after.split_once("version")?;
        let digits = after.trim_start_matches(['"', ':', ' ', '=']);
        let version = digits.split('"').next()?;
        Some(match self {
            Peer::UWebSockets => format!("of libuwebsockets-sys {version}"),
            _ => version.to_owned(),
        })
    }

    fn folder(self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(self.name())
    }
}

/// Makes sure that our server knows a setting.
fn has_flag(flag: &str) -> anyhow::Result<()> {
    let help = Command::new(stateroom_command()?).args(["serve", "--help"]).output()?;
    let known = String::from_utf8_lossy(&help.stdout).contains(flag);
    ensure!(known, "this build of `stateroom serve` has no {flag}");
    Ok(())
}

/// The program that one of the npm `packages`, those for this kind of machine, holds. (The commands
/// that npm makes of them start Node first.)
fn binary(packages: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let folders = fs::read_dir(packages).context("it is not installed")?.flatten();
    let mut found: Vec<PathBuf> = folders
        .map(|folder| folder.path().join("bin").join(name))
        .filter(|program| program.is_file())
        .collect();
    found.sort();
    found.into_iter().next().with_context(|| format!("npm brought no {name} for this machine"))
}

fn is_newer(made: &Path, from: &Path) -> bool {
    let modified = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified());
    matches!((modified(made), modified(from)), (Ok(made), Ok(from)) if made >= from)
}

fn run(command: &mut Command, folder: &Path) -> anyhow::Result<()> {
    let what = command.get_program().display().to_string();
    let output = command.current_dir(folder).output().with_context(|| format!("running {what}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let end: Vec<&str> = said.trim().lines().rev().take(5).collect();
    let end: Vec<&str> = end.into_iter().rev().collect();
    ensure!(output.status.success(), "{what} failed: {}", end.join("; "));
    Ok(())
}
