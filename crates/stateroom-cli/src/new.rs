//! `stateroom new`: starts a project. A template is one of the repository's own examples, whose
//! files are linked into `templates/`, with a `Cargo.toml` of its own.

use crate::{config::FILE_NAME, failure::Failure, terminal};
use anyhow::{Context, anyhow};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// What a project starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Template {
    /// A number that everybody sees and can change.
    Counter,
    /// Text messages with names.
    Chat,
    /// Drawing together, with everybody's cursor; binary messages.
    Whiteboard,
}

impl Template {
    fn service(self) -> &'static str {
        match self {
            Template::Counter => include_str!("../templates/counter/lib.rs"),
            Template::Chat => include_str!("../templates/chat/lib.rs"),
            Template::Whiteboard => include_str!("../templates/whiteboard/lib.rs"),
        }
    }

    fn page(self) -> &'static str {
        match self {
            Template::Counter => include_str!("../templates/counter/index.html"),
            Template::Chat => include_str!("../templates/chat/index.html"),
            Template::Whiteboard => include_str!("../templates/whiteboard/index.html"),
        }
    }

    /// Lines for `[dependencies]`, besides stateroom-wasm.
    fn dependencies(self) -> &'static str {
        match self {
            Template::Whiteboard => "",
            Template::Counter => "serde = { version = \"1\", features = [\"derive\"] }\n",
            Template::Chat => {
                "serde = { version = \"1\", features = [\"derive\"] }\nserde_json = \"1\"\n"
            }
        }
    }
}

/// The options of `stateroom new`.
#[derive(Debug, clap::Args)]
pub struct NewOptions {
    /// The project's name, and the folder to make; a path before the name is kept
    #[arg(value_name = "NAME")]
    pub path: PathBuf,
    /// What to start from
    #[arg(long, short, value_enum, default_value_t = Template::Counter)]
    pub template: Template,
}

pub(crate) fn new(options: &NewOptions) -> anyhow::Result<()> {
    let folder = &options.path;
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    check_name(name).map_err(|problem| anyhow!(problem).context(Failure::Usage))?;
    if !is_free(folder)? {
        return Err(anyhow!("{} exists already and is not an empty folder", folder.display())
            .context(Failure::Usage));
    }

    for (file, text) in [
        ("Cargo.toml", manifest(name, options.template)),
        (FILE_NAME, CONFIG.to_owned()),
        (".gitignore", "/target\n/dist\n/.stateroom\n".to_owned()),
        ("README.md", README.replace("{name}", name)),
        ("src/lib.rs", options.template.service().to_owned()),
        ("static/index.html", options.template.page().to_owned()),
    ] {
        write(&folder.join(file), &text)?;
    }
    terminal::say(
        "Created",
        format!("{}; now: cd {} && stateroom dev", folder.display(), folder.display()),
    );
    Ok(())
}

/// Cargo's rules for the name of a package, and what this project needs besides.
fn check_name(name: &str) -> Result<(), String> {
    const TAKEN: [&str; 8] =
        ["stateroom", "stateroom-wasm", "serde", "serde_json", "std", "core", "alloc", "test"];
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let goes_on_well = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if !starts_well || !goes_on_well {
        return Err(format!(
            "`{name}` cannot be the name of a project: use ASCII letters, digits, - and _, starting with a letter, such as my-room"
        ));
    }
    if TAKEN.iter().any(|taken| taken.replace('-', "_") == name.replace('-', "_")) {
        return Err(format!(
            "`{name}` is the name of a crate that the project uses; choose another"
        ));
    }
    if KEYWORDS.contains(&name) {
        return Err(format!(
            "`{name}` is a keyword of Rust; choose another name, such as my-{name}"
        ));
    }
    Ok(())
}

/// The keywords of Rust in all its editions, those reserved for later included.
const KEYWORDS: [&str; 52] = [
    "Self", "abstract", "as", "async", "await", "become", "box", "break", "const", "continue",
    "crate", "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if",
    "impl", "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub",
    "ref", "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

fn is_free(folder: &Path) -> anyhow::Result<bool> {
    if !folder.exists() {
        return Ok(true);
    }
    if !folder.is_dir() {
        return Ok(false);
    }
    let mut entries =
        fs::read_dir(folder).with_context(|| format!("could not list {}", folder.display()))?;
    Ok(entries.next().is_none())
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)
            .with_context(|| format!("could not make {}", folder.display()))?;
    }
    fs::write(file, text).with_context(|| format!("could not write {}", file.display()))
}

/// The empty `[workspace]` makes the project a workspace of its own, so that it builds wherever it
/// lies, also below another one.
fn manifest(name: &str, template: Template) -> String {
    format!(
        r#"[package]
name = "{name}"
version = "0.1.0"
edition = "2024"

[lib]
crate-type = ["cdylib", "rlib"]

[dependencies]
stateroom-wasm = {}
{}
[workspace]
"#,
        stateroom_wasm(),
        template.dependencies()
    )
}

/// A command that was built from a checkout makes projects for that checkout's crates.
fn stateroom_wasm() -> String {
    let checkout = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../stateroom-wasm");
    match checkout.canonicalize() {
        Ok(path) => format!("{{ path = {} }}", toml::Value::String(path.display().to_string())),
        Err(_) => format!("\"{}\"", env!("CARGO_PKG_VERSION")),
    }
}

const CONFIG: &str = r#"# The files of this folder are served at http://localhost:8080/.
static_files = "static"

# Every setting of the server can stand here; `stateroom dev --help` lists them.
# [server]
# port = 8080
#
# [limits]
# memory_bytes = "64MiB"
# cpu_time_per_event = "1s"
"#;

const README: &str = "\
# {name}

A realtime room, made with [Stateroom](https://docs.rs/stateroom-wasm).

- `src/lib.rs` is the room: it hears of clients and messages and answers them.
- `static/index.html` is the page that talks to it.

| command | what it does |
| --- | --- |
| `stateroom dev` | builds and serves the room at <http://localhost:8080>, and again after each edit |
| `cargo test` | tests the room without any server |
| `stateroom build` | makes `dist/`, ready for production |
| `stateroom serve dist` | serves it |
";
