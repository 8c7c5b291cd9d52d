//! `stateroom new`: starts a project from a template. It stands on its own: whatever it needs that is
//! not published lies in it.

mod name;
mod template;
mod vendor;

use crate::{config::FILE_NAME, failure::Failure, terminal};
use anyhow::{Context, anyhow};
use std::{
    fs,
    path::{Path, PathBuf},
};
use template::Template;

/// The options of `stateroom new`.
#[derive(Debug, clap::Args)]
pub struct NewOptions {
    /// The folder to make, such as my-app, or an empty one; `.` is the current folder
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
    /// What to call the project [default: as its folder is called]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// What to start from
    #[arg(long, short, value_enum, default_value_t = Template::Counter)]
    pub template: Template,
}

pub(crate) fn new(options: &NewOptions) -> anyhow::Result<()> {
    let folder = &options.path;
    let name = match &options.name {
        Some(name) => name.clone(),
        None => name::of_folder(folder).context("the current folder cannot be told")?,
    };
    name::check(&name).context(Failure::Usage)?;
    if !is_free(folder)? {
        return Err(anyhow!("{} exists already and is not an empty folder", folder.display())
            .context(Failure::Usage));
    }

    for (file, text) in files(&name, options.template)? {
        write(&folder.join(file), &text)?;
    }
    let go_there = match is_here(folder) {
        true => String::new(),
        false => format!("cd {} && ", folder.display()),
    };
    terminal::say("Created", format!("{name}; now: {go_there}stateroom dev"));
    Ok(())
}

/// All files of a new project.
fn files(name: &str, template: Template) -> anyhow::Result<Vec<(PathBuf, String)>> {
    let mut files: Vec<(PathBuf, String)> = vec![
        ("Cargo.toml".into(), manifest(name, template)),
        (FILE_NAME.into(), config(template)),
        (".gitignore".into(), "/target\n/dist\n/.stateroom\n/backup\n*.room\n".to_owned()),
        ("README.md".into(), readme(name, template)),
    ];
    files.extend(template.files().into_iter().map(|(file, text)| (file.into(), text.to_owned())));
    let vendored = vendor::files().context("the crates for vendor/")?;
    files.extend(
        vendored.into_iter().map(|(file, text)| (Path::new(vendor::FOLDER).join(file), text)),
    );
    Ok(files)
}

fn is_here(folder: &Path) -> bool {
    folder
        .canonicalize()
        .is_ok_and(|folder| std::env::current_dir().is_ok_and(|here| here == folder))
}

/// What a folder may have that is as good as empty.
const VERSION_CONTROL: [&str; 4] = [".git", ".hg", ".jj", ".svn"];

fn is_free(folder: &Path) -> anyhow::Result<bool> {
    if !folder.exists() {
        return Ok(true);
    }
    if !folder.is_dir() {
        return Ok(false);
    }
    let unlisted = || format!("could not list {}", folder.display());
    for entry in fs::read_dir(folder).with_context(unlisted)? {
        let name = entry.with_context(unlisted)?.file_name();
        if !VERSION_CONTROL.iter().any(|folder| name == *folder) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)
            .with_context(|| format!("could not make {}", folder.display()))?;
    }
    fs::write(file, text).with_context(|| format!("could not write {}", file.display()))
}

/// The `[workspace]` makes the project a workspace of its own, so that it builds wherever it lies, also
/// below another one.
fn manifest(name: &str, template: Template) -> String {
    let (version, folder) = (env!("CARGO_PKG_VERSION"), vendor::FOLDER);
    let (place, stateroom_wasm, workspace) = match vendor::is_needed() {
        true => (
            format!("path = \"{folder}/stateroom-wasm\""),
            format!(
                "\
# In {folder}/, so that this builds anywhere. Once it is published, remove {folder}/ and write
# stateroom-wasm = \"{version}\"
stateroom-wasm = {{ path = \"{folder}/stateroom-wasm\" }}"
            ),
            format!("[workspace]\nexclude = [\"{folder}\"]"),
        ),
        false => (
            format!("version = \"{version}\""),
            format!("stateroom-wasm = \"{version}\""),
            "[workspace]".to_owned(),
        ),
    };
    let tests = match template.is_typed() {
        true => format!(
            "
# For `stateroom types`: the module has nothing of it.
[dev-dependencies]
stateroom-wasm = {{ {place}, features = [\"typescript\"] }}
ts-rs = \"12\"
"
        ),
        false => String::new(),
    };
    format!(
        r#"[package]
name = "{name}"
version = "0.1.0"
edition = "2024"

[lib]
crate-type = ["cdylib", "rlib"]

[dependencies]
serde = {{ version = "1", features = ["derive"] }}
{stateroom_wasm}
{tests}
{workspace}
"#
    )
}

/// The `stateroom.toml` of a project.
fn config(template: Template) -> String {
    let types = if template.is_typed() { TYPES } else { "" };
    CONFIG.replace("{types}", types)
}

fn readme(name: &str, template: Template) -> String {
    let vendored = match vendor::is_needed() {
        true => {
            "- `vendor/` has the crates that `src/lib.rs` uses, so that the project builds anywhere.\n"
        }
        false => "",
    };
    let readme = README.replace("{name}", name).replace("{vendored}", vendored);
    let verifies = match template.is_load_verified() {
        true => ", and whether anything is lost",
        false => "",
    };
    readme.replace("{load}", template.load()).replace("{verifies}", verifies)
}

const CONFIG: &str = r#"# The files of this folder are served at http://localhost:8080/.
static_files = "static"
{types}
# Every setting of the server can stand here; `stateroom dev --help` lists them.
# [server]
# port = 8080
#
# [limits]
# memory_bytes = "64MiB"
# cpu_time_per_event = "1s"
"#;

const TYPES: &str = r#"
[service]
# The TypeScript types of the room's messages, which `stateroom dev` keeps fresh.
types = "static/types.d.ts"
"#;

const README: &str = "\
# {name}

A realtime room, made with Stateroom.

- `src/lib.rs` is the room: it hears of clients and messages and answers them.
- `static/index.html` is the page that talks to it, through `static/room.js`.
- `load.txt` has the messages that `stateroom load` tries it with.
{vendored}
| command | what it does |
| --- | --- |
| `stateroom dev` | builds and serves the room at <http://localhost:8080>, and again after each edit |
| `cargo test` | tests the room without any server |
| `cargo doc -p stateroom-wasm --no-deps --open` | shows what a room can do |
| `stateroom build` | makes `dist/`, ready for production |
| `stateroom serve dist` | serves it |
| `stateroom load ws://localhost:8080 --script load.txt {load} --rooms 10 --clients 10 --rate 1000` | tells how much a room that is served bears{verifies} |
";
