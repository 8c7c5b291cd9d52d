//! `stateroom types`: the messages of a service as TypeScript types, as its own tests tell them.

use crate::{failure::Failure, options::TypesOptions, project::Project, terminal};
use anyhow::{Context, anyhow, bail};
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};
use walkdir::WalkDir;

/// Tells the test where to write: see `stateroom_wasm::typescript!`.
const VARIABLE: &str = "STATEROOM_TYPES";

/// The files of a new project are written within this time.
const AT_ONCE: Duration = Duration::from_secs(2);

/// What the test is called, in whatever module it stands.
const TEST: &str = "stateroom_types";

/// What a service needs for that.
const HELP: &str = "\
a service tells its types with these lines:

    # in Cargo.toml, where `stateroom-wasm` is as in [dependencies], with a feature more
    [dev-dependencies]
    stateroom-wasm = { ..., features = [\"typescript\"] }
    ts-rs = \"12\"

    // in src/lib.rs, above each type of its messages
    #[cfg_attr(test, derive(ts_rs::TS))]

    // and among its tests, with the name of the service
    stateroom_wasm::typescript!(MyService);
";

pub(crate) fn types(options: &TypesOptions) -> anyhow::Result<()> {
    let project = Project::open(&options.project)?;
    let Some(file) = options.output.clone().or_else(|| project.types_file()) else {
        terminal::print(&read(&project).context(Failure::Build)?)?;
        return Ok(());
    };
    let is_new = write(&project, &file).context(Failure::Build)?;
    terminal::say(if is_new { "Written" } else { "Unchanged" }, file.display());
    Ok(())
}

/// Whether `file` is not there, or older than the code of the service.
pub(crate) fn are_stale(project: &Project, file: &Path) -> bool {
    let modified = |file: &Path| fs::metadata(file)?.modified();
    let Ok(written) = modified(file) else { return true };
    let is_newer = |file: &Path| {
        let is_code = file.extension().is_some_and(|extension| extension == "rs");
        is_code && modified(file).is_ok_and(|edited| edited > written + AT_ONCE)
    };
    let folders = project.source_folders().unwrap_or_default();
    let code = folders.iter().flat_map(|folder| WalkDir::new(folder.join("src")));
    code.flatten().any(|entry| is_newer(entry.path()))
}

/// Writes the types to `file`, if it does not hold them yet, and tells whether that was so.
pub(crate) fn write(project: &Project, file: &Path) -> anyhow::Result<bool> {
    let types = read(project)?;
    if fs::read_to_string(file).is_ok_and(|there| there == types) {
        return Ok(false);
    }
    fs::write(file, types).with_context(|| format!("could not write {}", file.display()))?;
    Ok(true)
}

/// Has the service's test tell its types.
fn read(project: &Project) -> anyhow::Result<String> {
    let metadata = project.metadata()?;
    let package = project.package(&metadata, project.config.service.package.as_deref())?;
    // Cargo makes its folder only when it builds.
    let told = metadata.target_directory.join(format!("{}.{TEST}.ts", package.name));
    if told.exists() {
        fs::remove_file(&told).with_context(|| format!("could not remove {told}"))?;
    }
    let output = Command::new("cargo")
        .args(["test", "--quiet", "--lib", "--package", &package.id.repr, TEST])
        .env(VARIABLE, &told)
        .current_dir(&project.folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .output()
        .context("cargo could not be run; install Rust from https://rustup.rs")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stdout);
        bail!("the tests of `{}` do not tell its types\n{}\n{HELP}", package.name, said.trim());
    }
    match fs::read_to_string(&told) {
        Ok(types) => {
            Ok(format!("// Written by `stateroom types`: edit the service instead.\n\n{types}"))
        }
        Err(_) => Err(anyhow!("`{}` has no test that tells its types\n{HELP}", package.name)),
    }
}
