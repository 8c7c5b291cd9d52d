//! The Rust targets that a project is built for, and how to get one that is missing.

use crate::{failure::Failure, terminal};
use anyhow::{Context, anyhow, bail};
use std::{path::Path, process::Command};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// What a service is built for.
    Service,
    /// What a wasm-bindgen client is built for.
    Client,
}

impl Target {
    pub(crate) fn triple(self) -> &'static str {
        match self {
            Target::Service => "wasm32-wasip1",
            Target::Client => "wasm32-unknown-unknown",
        }
    }

    /// Makes sure that the toolchain which builds in `folder` has this target. It is added when
    /// `add` says so, otherwise a missing one is an error that tells how to add it.
    pub(crate) fn require(self, folder: &Path, add: bool) -> anyhow::Result<()> {
        let triple = self.triple();
        if is_installed(triple, folder)? {
            return Ok(());
        }
        if !add {
            return Err(anyhow!(
                "the Rust target {triple} is not installed; add it with\n\n    rustup target add {triple}\n\nor run this command again with --yes"
            )
            .context(Failure::Build));
        }
        terminal::say("Adding", format!("the Rust target {triple}"));
        let status = Command::new("rustup")
            .args(["target", "add", triple])
            .current_dir(folder)
            .status()
            .context("rustup could not be run; add the target with your system's package manager")
            .context(Failure::Build)?;
        if !status.success() {
            return Err(anyhow!("`rustup target add {triple}` failed").context(Failure::Build));
        }
        Ok(())
    }
}

fn is_installed(triple: &str, folder: &Path) -> anyhow::Result<bool> {
    let output = Command::new("rustc")
        .args(["--print", "sysroot"])
        .current_dir(folder)
        .output()
        .context("rustc could not be run; install Rust from https://rustup.rs")
        .context(Failure::Build)?;
    if !output.status.success() {
        let error = anyhow!("{}", String::from_utf8_lossy(&output.stderr).trim().to_owned());
        return Err(error.context("`rustc --print sysroot` failed").context(Failure::Build));
    }
    let sysroot = String::from_utf8(output.stdout)?;
    if sysroot.trim().is_empty() {
        bail!("`rustc --print sysroot` named no folder");
    }
    Ok(Path::new(sysroot.trim()).join("lib/rustlib").join(triple).join("lib").is_dir())
}
