//! The crates of Stateroom that a service depends on, as a project of its own has them: whole, in its
//! folder `vendor/`, where a manifest has no workspace to take anything from.

use anyhow::{Context, anyhow};
use toml::{Table, Value};

/// The files of the crates as they lie in the repository, with its manifest and licences. None where
/// this command was published, as the crates were then.
const SOURCES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/service_crates.rs"));

/// The folder in a project.
pub(super) const FOLDER: &str = "vendor";

/// The repository's own manifest, which those of the crates refer to.
const WORKSPACE: &str = "Cargo.toml";

/// Whether projects need the crates in their folder.
pub(super) fn is_needed() -> bool {
    !SOURCES.is_empty()
}

/// All files of the folder, by their names in it.
pub(super) fn files() -> anyhow::Result<Vec<(&'static str, String)>> {
    let Some((_, workspace)) = SOURCES.iter().find(|(name, _)| *name == WORKSPACE) else {
        return Ok(Vec::new());
    };
    let workspace: Table = workspace.parse().context("the manifest of Stateroom's workspace")?;
    let mut files = vec![("README.md", README.replace("{version}", env!("CARGO_PKG_VERSION")))];
    for (name, text) in SOURCES.iter().filter(|(name, _)| *name != WORKSPACE) {
        let text = match name.ends_with("/Cargo.toml") {
            true => standing_alone(text, &workspace).with_context(|| (*name).to_owned())?,
            false => (*text).to_owned(),
        };
        files.push((name, text));
    }
    Ok(files)
}

/// A manifest with what it takes from its workspace written out, and without what only tests of the
/// repository need.
fn standing_alone(manifest: &str, workspace: &Table) -> anyhow::Result<String> {
    let mut manifest: Table = manifest.parse()?;
    let of_workspace = |part: &str, key: &str| {
        let found = workspace.get("workspace").and_then(|all| all.get(part)?.get(key)).cloned();
        found.ok_or_else(|| anyhow!("the workspace has no {part}.{key}"))
    };
    manifest.remove("dev-dependencies");
    if let Some(Value::Table(package)) = manifest.get_mut("package") {
        package.remove("exclude");
        for (key, value) in package.iter_mut().filter(|(_, value)| is_inherited(value)) {
            *value = of_workspace("package", key)?;
        }
    }
    if let Some(Value::Table(dependencies)) = manifest.get_mut("dependencies") {
        for (name, dependency) in dependencies.iter_mut() {
            if is_inherited(dependency) {
                *dependency = merged(of_workspace("dependencies", name)?, dependency);
            }
            if let Some(path) = dependency.get_mut("path") {
                *path = Value::String(format!("../{name}"));
            }
        }
    }
    // A newer compiler's warnings about these are not for the project's author.
    let quiet = Table::from_iter([("warnings".to_owned(), Value::String("allow".to_owned()))]);
    let lints = Table::from_iter([("rust".to_owned(), Value::Table(quiet))]);
    manifest.insert("lints".to_owned(), Value::Table(lints));
    Ok(manifest.to_string())
}

fn is_inherited(value: &Value) -> bool {
    value.get("workspace").and_then(Value::as_bool) == Some(true)
}

/// A dependency as the workspace has it, with what a crate adds to it.
fn merged(of_workspace: Value, dependency: &Value) -> Value {
    let mut merged = match of_workspace {
        Value::Table(table) => table,
        version => Table::from_iter([("version".to_owned(), version)]),
    };
    for (key, value) in dependency.as_table().into_iter().flatten() {
        match (merged.get_mut(key), value) {
            (_, _) if key == "workspace" => {}
            (Some(Value::Array(all)), Value::Array(more)) => all.extend(more.iter().cloned()),
            _ => {
                merged.insert(key.clone(), value.clone());
            }
        }
    }
    Value::Table(merged)
}

const README: &str = "\
# The crates of Stateroom {version} that a service uses

They are here so that this project builds anywhere: on another machine, in CI, in a container. Keep them
in version control. There is nothing to edit in them; a newer `stateroom new` writes newer ones.

Once they are published, remove this folder, and in `Cargo.toml` put

    stateroom-wasm = \"{version}\"

in the place of the line that names it.
";
