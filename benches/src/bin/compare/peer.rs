//! The servers that are compared, and what they are called.

use crate::colyseus;
use serde::Deserialize;
use stateroom_load::{Dialect, Plain};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A server that is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Peer {
    /// Ours, with rooms that are not kept, like those of all others.
    Stateroom,
    /// Ours, with a flush window.
    StateroomFlush,
    /// Ours, with rooms that sleep soon.
    StateroomSleep,
    /// Ours, with rooms that survive a planned stop.
    StateroomNothing,
    /// Ours, with rooms that survive the end of the process.
    StateroomCrash,
    /// Ours, with rooms that survive power loss, as it comes.
    StateroomPowerLoss,
    /// Bun's own server, with its topics.
    Bun,
    /// uWebSockets, in C++, with its topics.
    #[serde(rename = "uwebsockets")]
    UWebSockets,
    /// axum, as people write rooms by hand: a channel for each room, a task for each client.
    Axum,
    /// Colyseus on Node, with its WebSocket transport.
    Colyseus,
    /// workerd, with a Durable Object for each room and the hibernation API.
    Workerd,
    /// The same, with each message stored before it is answered.
    WorkerdStored,
    /// The disk alone, which is no server: what it takes to have a page flushed.
    Disk,
}

impl Peer {
    /// All of them.
    pub(crate) const ALL: [Peer; 13] = [
        Peer::Stateroom,
        Peer::StateroomFlush,
        Peer::StateroomSleep,
        Peer::StateroomNothing,
        Peer::StateroomCrash,
        Peer::StateroomPowerLoss,
        Peer::Bun,
        Peer::UWebSockets,
        Peer::Axum,
        Peer::Colyseus,
        Peer::Workerd,
        Peer::WorkerdStored,
        Peer::Disk,
    ];

    /// What it is called on the command line, and the start of its folder's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Peer::Stateroom => "stateroom",
            Peer::StateroomFlush => "stateroom-flush",
            Peer::StateroomSleep => "stateroom-sleep",
            Peer::StateroomNothing => "stateroom-nothing",
            Peer::StateroomCrash => "stateroom-crash",
            Peer::StateroomPowerLoss => "stateroom-power-loss",
            Peer::Bun => "bun",
            Peer::UWebSockets => "uwebsockets",
            Peer::Axum => "axum",
            Peer::Colyseus => "colyseus",
            Peer::Workerd => "workerd",
            Peer::WorkerdStored => "workerd-stored",
            Peer::Disk => "disk",
        }
    }

    /// What it is called in tables and plots.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Peer::Stateroom => "Stateroom",
            Peer::StateroomFlush => "Stateroom, flush window 10 ms",
            Peer::StateroomSleep => "Stateroom, rooms sleep after 1 s",
            Peer::StateroomNothing => "Stateroom, survives nothing",
            Peer::StateroomCrash => "Stateroom, survives crash",
            Peer::StateroomPowerLoss => "Stateroom, survives power loss",
            Peer::Bun => "Bun",
            Peer::UWebSockets => "uWebSockets (C++)",
            Peer::Axum => "axum by hand",
            Peer::Colyseus => "Colyseus",
            Peer::Workerd => "workerd (Durable Objects)",
            Peer::WorkerdStored => "workerd, each message stored",
            Peer::Disk => "the disk alone: 4 KiB, fdatasync",
        }
    }

    /// Whether it is ours, in whatever setting.
    pub(crate) fn is_ours(self) -> bool {
        self.program() == Peer::Stateroom
    }

    /// The server that this is a setting of, or itself.
    pub(crate) fn program(self) -> Peer {
        match self {
            Peer::StateroomFlush
            | Peer::StateroomSleep
            | Peer::StateroomNothing
            | Peer::StateroomCrash
            | Peer::StateroomPowerLoss => Peer::Stateroom,
            Peer::WorkerdStored => Peer::Workerd,
            itself => itself,
        }
    }

    /// How it is spoken to.
    pub(crate) fn dialect(self) -> &'static dyn Dialect {
        if self == Peer::Colyseus { &colyseus::Colyseus } else { &Plain }
    }

    /// Whether its messages are binary ones, whatever is in them.
    pub(crate) fn is_binary(self) -> bool {
        self == Peer::Colyseus
    }

    /// The version that is installed, where it is one that a lockfile names.
    pub(crate) fn version(self) -> Option<String> {
        let (lock, package) = match self.program() {
            Peer::Bun => ("package-lock.json", "\"node_modules/bun\""),
            Peer::Colyseus => ("package-lock.json", "\"node_modules/@colyseus/core\""),
            Peer::Workerd => ("package-lock.json", "\"node_modules/workerd\""),
            Peer::UWebSockets => ("Cargo.lock", "name = \"libuwebsockets-sys\""),
            Peer::Axum => ("Cargo.lock", "name = \"axum\""),
            Peer::Stateroom => return Some(env!("CARGO_PKG_VERSION").to_owned()),
            _ => return None,
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

    /// The folder that it is in.
    pub(crate) fn folder(self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(self.program().name())
    }
}
