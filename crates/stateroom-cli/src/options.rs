//! What can be asked for on the command line.

use crate::{failure::EXIT_CODES, logging::LogFormat, new::Template, settings::Settings};
use clap::{Args, Parser};
use clap_complete::Shell;
use std::path::PathBuf;

/// Stateroom: one Rust struct becomes a realtime room, sandboxed in WebAssembly
///
/// Settings are taken from the flags, else from environment variables (a flag --max-clients is
/// STATEROOM_MAX_CLIENTS), else from stateroom.toml, else they have their defaults.
#[derive(Debug, Parser)]
#[command(name = "stateroom", version, after_help = EXIT_CODES)]
pub struct Options {
    /// What to log: off, error, warn, info, debug, trace, or a filter such as stateroom_server=debug
    #[arg(
        long,
        global = true,
        env = "STATEROOM_LOG",
        value_name = "LEVEL",
        default_value = "info",
        hide_env = true
    )]
    pub log: String,
    /// What log lines look like
    #[arg(
        long,
        global = true,
        env = "STATEROOM_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "auto",
        hide_env = true
    )]
    pub log_format: LogFormat,
    /// What to do.
    #[command(subcommand)]
    pub command: Subcommand,
}

/// What the command can do.
#[derive(Debug, clap::Subcommand)]
pub enum Subcommand {
    /// Start a project from a template
    New(NewOptions),
    /// Build the service here, serve it, and rebuild it whenever its source changes
    Dev(Box<DevOptions>),
    /// Build the service here for production, into dist/
    Build(BuildOptions),
    /// Serve a module, or a folder that `stateroom build` made
    Serve(Box<ServeOptions>),
    /// Print the script that makes a shell complete this command
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// The options of `stateroom new`.
#[derive(Debug, Args)]
pub struct NewOptions {
    /// The project's name, and the folder to make; a path before the name is kept
    #[arg(value_name = "NAME")]
    pub path: PathBuf,
    /// What to start from
    #[arg(long, short, value_enum, default_value_t = Template::Counter)]
    pub template: Template,
}

/// Which project to build, and how.
#[derive(Debug, Args)]
pub struct ProjectOptions {
    /// The folder of the service's crate
    #[arg(value_name = "PATH", default_value = ".")]
    pub path: PathBuf,
    /// Add a Rust target that is missing without asking
    #[arg(long, short)]
    pub yes: bool,
    /// The configuration to read [default: stateroom.toml in PATH]
    #[arg(long, env = "STATEROOM_CONFIG", value_name = "FILE", hide_env = true)]
    pub config: Option<PathBuf>,
}

/// The options of `stateroom dev`.
#[derive(Debug, Args)]
pub struct DevOptions {
    /// Which project.
    #[command(flatten)]
    pub project: ProjectOptions,
    /// Settings of the server.
    #[command(flatten)]
    pub settings: Settings,
}

/// The options of `stateroom build`.
#[derive(Debug, Args)]
pub struct BuildOptions {
    /// Which project.
    #[command(flatten)]
    pub project: ProjectOptions,
}

/// The options of `stateroom serve`.
#[derive(Debug, Args)]
pub struct ServeOptions {
    /// A module (.wasm or .wat), or a folder with server.wasm and static/
    pub path: PathBuf,
    /// The configuration to read [default: stateroom.toml in the folder of the module]
    #[arg(long, env = "STATEROOM_CONFIG", value_name = "FILE", hide_env = true)]
    pub config: Option<PathBuf>,
    /// Settings of the server.
    #[command(flatten)]
    pub settings: Settings,
}
