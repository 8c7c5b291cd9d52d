//! Runs cargo, and finds the `.wasm` file that it made.

use crate::{project::Project, toolchain::Target};
use anyhow::{Context, anyhow, bail};
use cargo_metadata::{Artifact, Message, Package};
use std::{
    io::BufReader,
    path::PathBuf,
    process::{Command, Stdio},
};

/// Builds the library of `package`, with cargo's progress and errors on stderr as cargo shows
/// them, and tells where the module is.
pub(crate) fn cargo_build(
    project: &Project,
    package: Option<&str>,
    target: Target,
    profile: &str,
) -> anyhow::Result<PathBuf> {
    let metadata = project.metadata()?;
    let package = project.package(&metadata, package)?;
    require_cdylib(package)?;

    let mut cargo = Command::new("cargo")
        .args(["build", "--lib", "--message-format", "json-render-diagnostics"])
        .args(["--package", &package.id.repr, "--target", target.triple(), "--profile", profile])
        .current_dir(&project.folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cargo could not be run; install Rust from https://rustup.rs")?;
    let messages = BufReader::new(cargo.stdout.take().context("cargo's output is not readable")?);
    let mut module = None;
    for message in Message::parse_stream(messages) {
        if let Message::CompilerArtifact(artifact) = message.context("reading cargo's output")?
            && artifact.package_id == package.id
        {
            module = module_of(artifact).or(module);
        }
    }
    if !cargo.wait().context("waiting for cargo")?.success() {
        bail!("cargo could not build the package `{}`", package.name);
    }
    module.ok_or_else(|| {
        anyhow!("cargo built the package `{}` but told of no .wasm file", package.name)
    })
}

fn module_of(artifact: Artifact) -> Option<PathBuf> {
    let mut files = artifact.filenames.into_iter();
    files.find(|file| file.extension() == Some("wasm")).map(PathBuf::from)
}

fn require_cdylib(package: &Package) -> anyhow::Result<()> {
    if package.targets.iter().any(|target| target.is_cdylib()) {
        return Ok(());
    }
    bail!(
        "the package `{}` makes no WebAssembly module; add this to {}:\n\n    [lib]\n    crate-type = [\"cdylib\", \"rlib\"]\n",
        package.name,
        package.manifest_path
    )
}
