//! `stateroom.toml`: what a project says about itself and its server.

use crate::settings::{
    AuthSettings, DurabilitySettings, LimitSettings, RoomSettings, ServerSettings, Settings,
};
use serde::{Deserialize, de::DeserializeOwned};
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

/// The name of the file, in the project's folder.
pub const FILE_NAME: &str = "stateroom.toml";

/// A `stateroom.toml`. Every key may be left out.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// A folder, relative to this file, whose files are served at `/`.
    pub static_files: Option<PathBuf>,
    /// A name for the service where it is deployed. Accepted for older projects and not used.
    pub service_id: Option<String>,
    /// How to build the module.
    pub service: ServiceConfig,
    /// How to build a client for browsers in Rust, for a project that has one.
    pub client: Option<ClientConfig>,
    /// Settings of the server.
    pub server: ServerSettings,
    /// Settings of its rooms.
    pub rooms: RoomSettings,
    /// What rooms survive.
    pub durability: DurabilitySettings,
    /// The bounds of one room.
    pub limits: LimitSettings,
    /// Who may come in; without it, anybody.
    pub auth: Option<AuthSettings>,
}

/// What `[service]` holds.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceConfig {
    /// The package to build, as `cargo build --package` takes it. Default: the one in the folder
    /// of this file.
    pub package: Option<String>,
    /// The cargo profile that `stateroom dev` builds with. Default: `release`, because the module
    /// then runs as it will for everybody. `stateroom build` always takes `release`.
    pub dev_profile: String,
    /// The file, relative to this one, to which `stateroom types` writes the TypeScript types of the service's
    /// messages, and which `stateroom dev` keeps fresh.
    pub types: Option<PathBuf>,
    /// What the service may ask for by name.
    pub config: BTreeMap<String, toml::Value>,
    /// The same of what is better kept out of this file: the environment variable that has it.
    pub secrets: BTreeMap<String, String>,
}

impl Default for ServiceConfig {
    fn default() -> Self {
        ServiceConfig {
            package: None,
            dev_profile: "release".to_owned(),
            types: None,
            config: BTreeMap::new(),
            secrets: BTreeMap::new(),
        }
    }
}

/// What `[client]` holds.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientConfig {
    /// The package to build for browsers, with wasm-bindgen.
    pub package: String,
    /// How `stateroom build` has `wasm-opt` optimise it. Default: `s`.
    #[serde(default)]
    pub optimization_level: OptimizationLevel,
}

/// A level of `wasm-opt`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[allow(missing_docs)] // they are wasm-opt's
pub enum OptimizationLevel {
    #[serde(rename = "0")]
    None,
    #[serde(rename = "1")]
    One,
    #[serde(rename = "2")]
    Two,
    #[serde(rename = "3")]
    Three,
    #[serde(rename = "4")]
    Four,
    #[default]
    #[serde(rename = "s")]
    Size,
    #[serde(rename = "z")]
    SmallestSize,
}

impl OptimizationLevel {
    /// The flag that asks `wasm-opt` for this level.
    pub(crate) fn flag(self) -> &'static str {
        match self {
            OptimizationLevel::None => "-O0",
            OptimizationLevel::One => "-O1",
            OptimizationLevel::Two => "-O2",
            OptimizationLevel::Three => "-O3",
            OptimizationLevel::Four => "-O4",
            OptimizationLevel::Size => "-Os",
            OptimizationLevel::SmallestSize => "-Oz",
        }
    }
}

/// What is wrong with a `stateroom.toml`.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It could not be read.
    #[error("{}: cannot be read: {source}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It has a key that means nothing.
    #[error(
        "{}:{line}: unknown key `{key}`{} keys here are {}",
        file.display(),
        match (section, nearest) {
            (Some(section), _) => format!(": it belongs in the section [{section}]; the"),
            (None, Some(nearest)) => format!(": did you mean `{nearest}`? The"),
            (None, None) => "; the".to_owned(),
        },
        valid.join(", ")
    )]
    UnknownKey {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The key as it was written.
        key: String,
        /// The section that has such a key.
        section: Option<&'static str>,
        /// The valid key that is most like it, if one is.
        nearest: Option<String>,
        /// Every key that is valid in its place.
        valid: Vec<String>,
    },
    /// It is not TOML, or a value is not one that its key can have.
    #[error("{}:{line}: {problem}", file.display())]
    Invalid {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        problem: String,
    },
}

impl Config {
    /// Reads `file`.
    ///
    /// # Errors
    /// Names the file, the line and the key.
    pub fn read(file: &Path) -> Result<Config, ConfigError> {
        let text = std::fs::read_to_string(file)
            .map_err(|source| ConfigError::Unreadable { file: file.to_owned(), source })?;
        Config::parse(file, &text)
    }

    /// Reads the `stateroom.toml` in `folder`; without one, everything has its default.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn read_in(folder: &Path) -> Result<Config, ConfigError> {
        let file = folder.join(FILE_NAME);
        if file.exists() { Config::read(&file) } else { Ok(Config::default()) }
    }

    /// Reads `file` if one is named, else the `stateroom.toml` in `folder`; and the folder that it lies in.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn find(file: Option<&Path>, folder: &Path) -> Result<(Config, PathBuf), ConfigError> {
        let Some(file) = file else { return Ok((Config::read_in(folder)?, folder.to_owned())) };
        let unreadable = |source| ConfigError::Unreadable { file: file.to_owned(), source };
        let absolute = std::path::absolute(file).map_err(unreadable)?;
        Ok((Config::read(file)?, absolute.parent().unwrap_or(folder).to_owned()))
    }

    /// Reads `text`, calling it `file` where something is wrong with it.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn parse(file: &Path, text: &str) -> Result<Config, ConfigError> {
        toml::from_str(text).map_err(|error| explain(file, text, &error))
    }

    /// The part of this that the command line may override.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings {
            server: self.server.clone(),
            rooms: self.rooms.clone(),
            durability: self.durability.clone(),
            limits: self.limits.clone(),
            auth: self.auth.clone().unwrap_or_default(),
        }
    }
}

fn explain(file: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let file = file.to_owned();
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    match unknown_key(error.message()) {
        Some((key, valid)) => {
            let (nearest, section) = (nearest(key, &valid), section_of(key));
            ConfigError::UnknownKey { file, line, key: key.to_owned(), section, nearest, valid }
        }
        None => {
            // Of a value on the same line.
            let key = before.rsplit('\n').next().and_then(|before| Some(before.split_once('=')?.0));
            let message = error.message().trim();
            let problem = match key {
                Some(key) => format!("{}: {message}", key.trim()),
                None => message.to_owned(),
            };
            ConfigError::Invalid { file, line, problem }
        }
    }
}

/// The section that has the key `key`.
fn section_of(key: &str) -> Option<&'static str> {
    let sections = [
        ("service", has_key::<ServiceConfig>(key)),
        ("client", has_key::<ClientConfig>(key)),
        ("server", has_key::<ServerSettings>(key)),
        ("rooms", has_key::<RoomSettings>(key)),
        ("durability", has_key::<DurabilitySettings>(key)),
        ("limits", has_key::<LimitSettings>(key)),
        ("auth", has_key::<AuthSettings>(key)),
    ];
    sections.into_iter().find(|(_, has_key)| *has_key).map(|(section, _)| section)
}

/// Whether a section has the key `key`: serde tells all that it has when it is given another.
fn has_key<T: DeserializeOwned>(key: &str) -> bool {
    let refused = toml::from_str::<T>("\"no such key\" = 0").err();
    let keys = refused.as_ref().and_then(|error| unknown_key(error.message()));
    keys.is_some_and(|(_, valid)| valid.iter().any(|name| name == key))
}

/// Takes apart serde's "unknown field `prot`, expected one of `host`, `port`".
fn unknown_key(message: &str) -> Option<(&str, Vec<String>)> {
    let (key, valid) = message.strip_prefix("unknown field `")?.split_once("`, expected ")?;
    Some((key, valid.split('`').skip(1).step_by(2).map(str::to_owned).collect()))
}

/// The name most like `key`, when it is like it at all.
pub(crate) fn nearest(key: &str, valid: &[String]) -> Option<String> {
    const ALIKE: f64 = 0.7; // of 1.0; the bound that clap draws for its own suggestions
    let likeness = |name: &String| strsim::jaro(&key.to_lowercase().replace('-', "_"), name);
    valid
        .iter()
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
        .filter(|name| likeness(name) > ALIKE)
        .cloned()
}
