//! `stateroom build`: everything that a server needs, in one folder.

use crate::{
    cargo_build::cargo_build,
    client::build_client,
    config::{FILE_NAME, OptimizationLevel},
    failure::Failure,
    options::BuildOptions,
    output::{MODULE, OUTPUT, Output, STATIC},
    project::Project,
    serving,
    settings::Bounds,
    shrink, terminal,
    toolchain::Target,
};
use anyhow::Context;
use bytesize::ByteSize;
use stateroom_server::ServerConfig;
use std::{fs, path::Path};
use walkdir::WalkDir;

pub(crate) fn build(options: &BuildOptions) -> anyhow::Result<()> {
    let project = Project::open(&options.project)?;
    let static_files = project.static_files()?;
    Target::Service.require(&project.folder, options.project.yes)?;
    if project.config.client.is_some() {
        Target::Client.require(&project.folder, options.project.yes)?;
    }
    let package = project.config.service.package.as_deref();
    let module =
        cargo_build(&project, package, Target::Service, "release").context(Failure::Build)?;
    let client = build_client(&project, "release").context(Failure::Build)?;

    let output = Output::begin(&project.folder)?;
    write_module(&module, &output.new.join(MODULE), &project)?;
    let static_output = output.new.join(STATIC);
    fs::create_dir_all(&static_output)
        .with_context(|| format!("could not make {}", static_output.display()))?;
    if let Some(static_files) = static_files {
        copy_files(&static_files, &static_output)?;
    }
    if let Some(client) = client {
        let level = project.config.client.as_ref().map(|client| client.optimization_level);
        write_client(&client, &static_output.join("client"), level.unwrap_or_default())?;
    }
    // The served folder keeps the project's settings.
    if project.config_file.is_file() {
        copy(&project.config_file, &output.new.join(FILE_NAME))?;
    }
    let output = output.finish()?;
    terminal::say(
        "Finished",
        format!("{}; serve it with `stateroom serve {OUTPUT}`", output.display()),
    );
    Ok(())
}

/// Writes the module as it will be served, and makes sure that it can be.
fn write_module(from: &Path, to: &Path, project: &Project) -> anyhow::Result<()> {
    let module = fs::read(from).with_context(|| format!("could not read {}", from.display()))?;
    let stripped = shrink::without_debug_sections(&module).context(Failure::Build)?;
    fs::write(to, &stripped).with_context(|| format!("could not write {}", to.display()))?;
    if stripped.len() < module.len() {
        let (before, after) = (ByteSize(module.len() as u64), ByteSize(stripped.len() as u64));
        terminal::say("Stripped", format!("debug information of {MODULE}: {before} -> {after}"));
    }
    shrink::optimize(to, "-O")?;
    let mut bounds = Bounds::default();
    project.config.settings().apply(&mut ServerConfig::default(), &mut bounds);
    serving::engine_for_tools(bounds)?.load(to).context(Failure::Module)?;
    Ok(())
}

fn write_client(from: &Path, to: &Path, level: OptimizationLevel) -> anyhow::Result<()> {
    copy_files(from, to)?;
    for entry in WalkDir::new(to) {
        let path = entry?.into_path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            shrink::optimize(&path, level.flag())?;
        }
    }
    Ok(())
}

/// Copies the files in `from`, with those in its folders, into `to`.
fn copy_files(from: &Path, to: &Path) -> anyhow::Result<()> {
    for entry in WalkDir::new(from).follow_links(true) {
        let entry = entry.with_context(|| format!("could not list {}", from.display()))?;
        let target = to.join(entry.path().strip_prefix(from)?);
        if entry.file_type().is_dir() {
            fs::create_dir_all(&target)
                .with_context(|| format!("could not make {}", target.display()))?;
        } else {
            copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::copy(from, to)
        .with_context(|| format!("could not copy {} to {}", from.display(), to.display()))?;
    Ok(())
}
