//! What can be asked for on the command line.

use crate::{
    HumanDuration,
    failure::EXIT_CODES,
    logging::LogFormat,
    new::NewOptions,
    room_options::{ReplayOptions, RoomsOptions},
    settings::Settings,
};
use clap::{Args, Parser, ValueEnum};
use clap_complete::Shell;
use std::path::PathBuf;

/// Stateroom: one Rust struct becomes a realtime room, sandboxed in WebAssembly
///
/// Settings are taken from the flags, else from environment variables (a flag --max-clients is
/// STATEROOM_MAX_CLIENTS), else from stateroom.toml, else they have their defaults.
///
/// A TIME is written like 30s, 500ms or 2m, and a plain number is seconds. A SIZE is written like 512KiB or
/// 2MB, and a plain number is bytes.
#[derive(Debug, Parser)]
#[command(name = "stateroom", version, after_help = EXIT_CODES)]
pub struct Options {
    /// What to log: off, error, warn, info, debug, trace, or a filter such as stateroom_server=debug,guest=info,
    /// where guest is what rooms print
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
    /// Write the TypeScript types of a typed service's messages
    Types(TypesOptions),
    /// Serve a module, or a folder that `stateroom build` made
    Serve(Box<ServeOptions>),
    /// Try a running service with many clients: how much it delivers, how late, and what it loses
    Load(Box<LoadOptions>),
    /// List the rooms that are kept; show, delete, export and import them
    Rooms(Box<RoomsOptions>),
    /// Let a room hear its events again, and tell what it does
    Replay(Box<ReplayOptions>),
    /// Print the script that makes a shell complete this command
    Completions {
        /// The shell.
        shell: Shell,
    },
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

/// The options of `stateroom types`.
#[derive(Debug, Args)]
pub struct TypesOptions {
    /// Which project.
    #[command(flatten)]
    pub project: ProjectOptions,
    /// The file to write [default: what `types` in the section service of stateroom.toml says, else they are printed]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// The options of `stateroom serve`.
#[derive(Debug, Args)]
#[command(after_help = SERVE_HELP)]
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

/// The options of `stateroom load`.
#[derive(Debug, Args)]
#[command(after_help = LOAD_HELP)]
pub struct LoadOptions {
    /// Where the rooms are, as in ws://localhost:8080/ws/{room}; {room} becomes the room's name
    pub url: String,
    /// How many rooms; they are called load-0, load-1, ...
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Clients")]
    pub rooms: u32,
    /// How many clients in each room
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Clients")]
    pub clients: u32,
    /// How many of them send [default: all]
    #[arg(long, value_name = "N", help_heading = "Clients")]
    pub senders: Option<u32>,
    /// How many connections to open in a second [default: as many as can be, 128 at once]
    #[arg(long, value_name = "N/s", help_heading = "Clients")]
    pub ramp: Option<String>,
    /// Connect from 127.0.0.1 to 127.0.0.N in turn, as one address has but 28,000 ports
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Clients")]
    pub source_addresses: u8,
    /// How many threads to work with
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Clients")]
    pub threads: u32,
    /// What answers each message: echo (to its sender), broadcast (to all in the room), none
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = ExpectOption::Echo, hide_possible_values = true, help_heading = "Messages")]
    pub expect: ExpectOption,
    /// How many messages to send in a second, all clients together, however late the answers are
    #[arg(long, value_name = "N", conflicts_with = "window", help_heading = "Messages")]
    pub rate: Option<f64>,
    /// How many messages each sender may have unanswered [default: 1]
    #[arg(long, value_name = "N", help_heading = "Messages")]
    pub window: Option<u32>,
    /// How long each message is, in bytes
    #[arg(long, value_name = "N", default_value_t = 100, help_heading = "Messages")]
    pub bytes: usize,
    /// Send binary messages rather than text
    #[arg(long, help_heading = "Messages")]
    pub binary: bool,
    /// Send the lines of this file in turn; {client}, {room}, {number} and {stamp} are filled in
    #[arg(long, value_name = "FILE", help_heading = "Messages")]
    pub script: Option<PathBuf>,
    /// How long to measure
    #[arg(long, value_name = "TIME", default_value = "10s", help_heading = "Time")]
    pub duration: HumanDuration,
    /// How long to send before that
    #[arg(long, value_name = "TIME", default_value = "2s", help_heading = "Time")]
    pub warmup: HumanDuration,
    /// Send nothing, and keep the connections open for the duration
    #[arg(long, conflicts_with = "connect_only", help_heading = "Instead of sending")]
    pub hold: bool,
    /// Send nothing, and close each connection once it is open
    #[arg(long, help_heading = "Instead of sending")]
    pub connect_only: bool,
    /// How many connections to open with --connect-only
    #[arg(long, value_name = "N", default_value_t = 1000, help_heading = "Instead of sending")]
    pub connections: u32,
    /// When one counts as open: after its handshake, its first message, or the echo of one
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = OpenedOption::Handshake, help_heading = "Instead of sending")]
    pub opened: OpenedOption,
    /// Print one JSON object, with all figures
    #[arg(long)]
    pub json: bool,
}

/// What answers each message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExpectOption {
    /// The message comes back to its sender.
    Echo,
    /// The message comes to everyone in the room, its sender too.
    Broadcast,
    /// Nothing.
    None,
}

/// When a connection counts as open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OpenedOption {
    /// When the handshake is done.
    Handshake,
    /// When the first message has come.
    Message,
    /// When the first message sent has come back.
    Echo,
}

const SERVE_HELP: &str = "\
SIGHUP has the module's file loaded again, and no socket is closed. Rooms go
on with the new code, and with their state where both the old and the new code
are made for that, with #[stateroom_wasm(carry_over)]; the others go on with
the code they began with. A room that is not kept (--ephemeral) starts anew. A
file that can't be loaded changes nothing.";

const LOAD_HELP: &str = r#"Each message carries a stamp, and every one that comes is checked: a message
that is lost, out of order, doubled or in the wrong room, or a connection that
fails, makes the command end with 6.

A service that does not answer every text with the same text needs a script: a
file whose lines are sent in turn. {stamp} in a line is what its answer is
known by; lines without it are sent, and not verified; \x0a is a byte, for
--binary. Projects of `stateroom new` have such a load.txt. For a chat whose
clients say who they are and then speak:
  {"type":"join","name":"Load {client}"}
  {"type":"say","text":"{stamp}"}

The rooms stay with the server like others, unless it is `stateroom dev`, or
told --temporary-rooms.

With --rate, latency counts from when a message was due, so that a service
that stalls cannot hide it. With --window, it counts from when the message was
sent.

Examples:
  stateroom load ws://localhost:8080 --rooms 100 --clients 10 \
    --expect broadcast --rate 1000
  stateroom load ws://localhost:8080 --clients 1000 --senders 1 \
    --expect broadcast --window 32
  stateroom load ws://localhost:8080 --script load.txt --expect broadcast \
    --rooms 10 --clients 10
  stateroom load ws://localhost:8080 --connect-only --connections 10000
  stateroom load ws://localhost:8080 --rooms 10000 --hold --duration 1m"#;
