//! How each server is installed, where it is not yet.

use crate::peer::Peer;
use anyhow::{Context as _, ensure};
use stateroom_benches::stateroom_command;
use std::{fs, path::Path, process::Command};

impl Peer {
    /// Installs it into its folder, where it is not yet.
    pub(crate) fn install(self) -> anyhow::Result<()> {
        let folder = self.folder();
        match self {
            Peer::Disk => Ok(()),
            Peer::Stateroom => has_flag("--ephemeral"),
            Peer::StateroomNothing | Peer::StateroomCrash | Peer::StateroomPowerLoss => {
                has_flag("--survives")
            }
            Peer::StateroomFlush => has_flag("--flush-window"),
            Peer::StateroomSleep => has_flag("--sleep-after"),
            Peer::Bun | Peer::Colyseus | Peer::Workerd | Peer::WorkerdStored => {
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
}

/// Makes sure that our server knows a setting.
fn has_flag(flag: &str) -> anyhow::Result<()> {
    let help = Command::new(stateroom_command()?).args(["serve", "--help"]).output()?;
    let known = String::from_utf8_lossy(&help.stdout).contains(flag);
    ensure!(known, "this build of `stateroom serve` has no {flag}");
    Ok(())
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
