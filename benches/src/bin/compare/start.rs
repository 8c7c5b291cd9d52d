//! How each server is started.

use crate::{
    peer::Peer,
    scenario::{Mode, Work},
};
use anyhow::{Context as _, bail};
use stateroom_benches::stateroom_command;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

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
    /// The command that starts it.
    pub(crate) fn command(self, start: &Start<'_>) -> anyhow::Result<Command> {
        let folder = self.folder();
        let port = start.port.to_string();
        let mut command = match self {
            Peer::Stateroom
            | Peer::StateroomFlush
            | Peer::StateroomSleep
            | Peer::StateroomNothing
            | Peer::StateroomCrash
            | Peer::StateroomPowerLoss => {
                let mut command = Command::new(stateroom_command()?);
                command.arg("serve").arg(start.module);
                command.args(["--host", "127.0.0.1", "--log", "off", "--port", &port]);
                command.args(self.settings()).args(settings_for(start.work));
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
            Peer::Workerd | Peer::WorkerdStored => {
                let packages = folder.join("node_modules/@cloudflare");
                let mut command = Command::new(binary(&packages, "workerd")?);
                let config = if self == Peer::Workerd { "config.capnp" } else { "stored.capnp" };
                command.arg("serve").arg(folder.join(config)).arg("config");
                if self == Peer::WorkerdStored {
                    let rooms = start.scratch.join("rooms");
                    fs::create_dir_all(&rooms)?;
                    command.arg(format!("--directory-path=rooms={}", rooms.display()));
                }
                command.args(["--socket-addr", &format!("http=127.0.0.1:{port}")]);
                command
            }
            Peer::Disk => bail!("a disk is no server"),
        };
        command.current_dir(start.scratch);
        command.env("MODE", start.mode.name()).env("PORT", &port).env("NODE_ENV", "production");
        Ok(command)
    }

    /// What makes our server this one.
    fn settings(self) -> &'static [&'static str] {
        match self {
            Peer::StateroomFlush => &["--ephemeral", "--flush-window", "10ms"],
            Peer::StateroomSleep => &["--ephemeral", "--sleep-after", "1s"],
            Peer::StateroomNothing => &["--data-dir", "rooms", "--survives", "nothing"],
            Peer::StateroomCrash => &["--data-dir", "rooms", "--survives", "crash"],
            Peer::StateroomPowerLoss => &["--data-dir", "rooms", "--survives", "power-loss"],
            _ => &["--ephemeral"],
        }
    }
}

/// What our server is told besides, since this is going to be done to it.
fn settings_for(work: Work) -> &'static [&'static str] {
    match work {
        // A room ends with its last client, as it does everywhere else.
        Work::Connect { .. } => &["--empty-room-timeout", "0s"],
        // All are there, asleep, when some are visited again.
        Work::Visit { .. } => &["--empty-room-timeout", "1h"],
        // Nothing is saved before the server is killed.
        Work::Kill { .. } => &["--empty-room-timeout", "1h", "--hibernate-after", "1h"],
        // All are on disk alone as soon as may be.
        Work::Hibernate { .. } => &["--empty-room-timeout", "0s"],
        Work::Day { .. } => &["--empty-room-timeout", "1s"],
        Work::Messages { .. } | Work::Idle { .. } => &[],
    }
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
