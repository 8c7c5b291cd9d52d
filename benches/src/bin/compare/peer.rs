//! The servers that are compared, as `benches/compare.toml` has them: where each is from, how it is
//! installed and started, what it is called.

use crate::{colyseus::Colyseus, scenario::Scenario, sessions::Sessions};
use anyhow::{Context as _, ensure};
use serde::Deserialize;
use stateroom_load::{Dialect, Plain};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A server that is compared. Without `serve` and `command` it is no server but the disk alone: what it
/// takes to have a page flushed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Peer {
    /// What it is called on the command line and in `results.json`.
    pub(crate) name: String,
    /// What it is called in tables and plots.
    pub(crate) title: String,
    /// Its folder in `benches/peers`.
    #[serde(default)]
    pub(crate) folder: String,
    /// Ours: with these arguments of `stateroom serve`.
    serve: Option<Vec<String>>,
    /// The command that starts another one.
    #[serde(default)]
    command: Vec<String>,
    /// The command that installs it into its folder.
    #[serde(default)]
    install: Vec<String>,
    /// What the installation makes, and of what: nothing is to be done where it is newer.
    made: Option<(String, String)>,
    /// Its version: the text that is before it in a lockfile, and what it is the version of.
    version: Option<Version>,
    /// How it is spoken to.
    #[serde(default)]
    speaks: Speaks,
    /// Answers take it long, and are waited for.
    #[serde(default)]
    pub(crate) is_slow: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Version {
    lockfile: String,
    after: String,
    #[serde(default)]
    of: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Speaks {
    #[default]
    Plain,
    Colyseus,
    /// Our session protocol.
    Sessions,
}

/// What is put into a command that starts a server.
pub(crate) struct Start<'a> {
    /// Our command.
    pub(crate) stateroom: &'a Path,
    /// The module of the rooms that are measured.
    pub(crate) module: &'a Path,
    /// Where it is to listen.
    pub(crate) port: u16,
    /// An empty folder for its files.
    pub(crate) scratch: &'a Path,
}

impl Peer {
    /// Whether it is ours, in whatever setting.
    pub(crate) fn is_ours(&self) -> bool {
        self.serve.is_some()
    }

    /// Whether it is the disk alone.
    pub(crate) fn is_disk(&self) -> bool {
        self.serve.is_none() && self.command.is_empty()
    }

    /// How it is spoken to.
    pub(crate) fn dialect(&self) -> &'static dyn Dialect {
        match self.speaks {
            Speaks::Plain => &Plain,
            Speaks::Colyseus => &Colyseus,
            Speaks::Sessions => &Sessions,
        }
    }

    /// Whether its messages are binary ones, whatever is in them.
    pub(crate) fn is_binary(&self) -> bool {
        self.speaks == Speaks::Colyseus
    }

    /// The version that is installed, where it is one that a lockfile names.
    pub(crate) fn version(&self) -> Option<String> {
        if self.is_ours() {
            return Some(env!("CARGO_PKG_VERSION").to_owned());
        }
        let Version { lockfile, after, of } = self.version.as_ref()?;
        let lock = fs::read_to_string(self.folder().join(lockfile)).ok()?;
        let (_, found) = lock.split_once(after)?.1.split_once("version")?;
        let found = found.trim_start_matches(['"', ':', ' ', '=']).split('"').next()?;
        Some(format!("{of} {found}").trim().to_owned())
    }

    /// Installs it into its folder, where it is not yet.
    pub(crate) fn install(&self) -> anyhow::Result<()> {
        let folder = self.folder();
        let modified = |name| fs::metadata(folder.join(name)).and_then(|it| it.modified()).ok();
        let is_made = self.made.as_ref().is_some_and(|(made, from)| {
            modified(made).is_some_and(|made| modified(from).is_some_and(|from| made >= from))
        });
        let Some((program, arguments)) = self.install.split_first().filter(|_| !is_made) else {
            return Ok(());
        };
        let mut command = Command::new(program);
        let output = command.args(arguments).current_dir(&folder).output();
        let output = output.with_context(|| format!("running {program}"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{program} failed: {}", said.trim());
        Ok(())
    }

    /// The command that starts it for `scenario`.
    pub(crate) fn start(&self, scenario: &Scenario, start: &Start<'_>) -> anyhow::Result<Command> {
        let mut words = self.command.clone();
        if let Some(settings) = &self.serve {
            let own = ["{stateroom}", "serve", "{module}", "--host", "127.0.0.1"];
            words.extend(own.map(str::to_owned));
            words.extend(["--port", "{port}", "--log", "off"].map(str::to_owned));
            words.extend(settings.iter().chain(&scenario.serve).cloned());
        }
        let folder = self.folder();
        let mut words = words.into_iter().map(|word| {
            word.replace("{stateroom}", &start.stateroom.to_string_lossy())
                .replace("{module}", &start.module.to_string_lossy())
                .replace("{port}", &start.port.to_string())
                .replace("{scratch}", &start.scratch.to_string_lossy())
                .replace("{folder}", &folder.to_string_lossy())
        });
        let program = words.next().context("it is no server")?;
        let mut command = Command::new(only_match(&program)?);
        command.args(words).current_dir(start.scratch);
        command.env("MODE", scenario.mode.name()).env("PORT", start.port.to_string());
        command.env("NODE_ENV", "production");
        Ok(command)
    }

    fn folder(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(&self.folder)
    }
}

/// The program that `path` means, in which one folder may be `*`: npm brings packages that are named
/// after the kind of machine, and the commands that it makes of them start Node first.
fn only_match(path: &str) -> anyhow::Result<PathBuf> {
    let Some((packages, rest)) = path.split_once("/*/") else { return Ok(path.into()) };
    let folders = fs::read_dir(packages).context("it is not installed")?.flatten();
    let mut found = folders.map(|folder| folder.path().join(rest)).filter(|it| it.is_file());
    found.next().with_context(|| format!("there is no {path} for this machine"))
}
