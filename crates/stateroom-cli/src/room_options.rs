//! What can be asked for of rooms that are kept.

use crate::settings::LimitSettings;
use clap::Args;
use std::path::PathBuf;

/// Which rooms: those of one folder.
#[derive(Debug, Args)]
pub struct StoreOptions {
    /// The folder that rooms are kept in [default: as for serve, .stateroom beside
    /// stateroom.toml]
    #[arg(long, global = true, env = "STATEROOM_DATA_DIR", value_name = "FOLDER", hide_env = true)]
    pub data_dir: Option<PathBuf>,
    /// Those of `stateroom dev`, which are kept in a folder `dev` in that one
    #[arg(long, global = true, conflicts_with = "data_dir")]
    pub dev: bool,
    /// The configuration to read [default: stateroom.toml in the current folder]
    #[arg(long, global = true, env = "STATEROOM_CONFIG", value_name = "FILE", hide_env = true)]
    pub config: Option<PathBuf>,
}

/// The options of `stateroom rooms`.
#[derive(Debug, Args)]
#[command(after_help = ROOMS_HELP)]
pub struct RoomsOptions {
    /// Which rooms.
    #[command(flatten)]
    pub store: StoreOptions,
    /// Print one JSON object for each room, a line each
    #[arg(long)]
    pub json: bool,
    /// What to do with them; to list them, if nothing is said.
    #[command(subcommand)]
    pub command: Option<RoomsCommand>,
}

/// What can be done with rooms.
#[derive(Debug, clap::Subcommand)]
pub enum RoomsCommand {
    /// Tell what is known of a room: members, timer, events that were set aside
    Show(Box<ShowOptions>),
    /// Forget rooms, so that the next client of each starts a fresh one; no server may be running
    Delete {
        /// Which
        #[arg(value_name = "ID", required = true)]
        rooms: Vec<String>,
    },
    /// Start the service of a room anew, with the code and the members it has; no server may be
    /// running
    Restart(Box<RestartOptions>),
    /// Write a room to a file, or all rooms, with their code and all else they need, also while a server
    /// runs
    Export {
        /// Which
        #[arg(value_name = "ID", required_unless_present = "all")]
        room: Option<String>,
        /// The file; one that is there is replaced [default: ID.room, with %2F for / and the like]
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// All rooms, into a new folder, a file for each
        #[arg(long, value_name = "FOLDER", conflicts_with_all = ["room", "file"])]
        all: Option<PathBuf>,
    },
    /// Take a room from a file that `export` made; no server may be running
    Import(Box<ImportOptions>),
}

/// The options of `stateroom rooms show`.
#[derive(Debug, Args)]
pub struct ShowOptions {
    /// Which
    #[arg(value_name = "ID")]
    pub room: String,
    /// Also tell the state of its service, where that has opted in with
    /// #[stateroom_wasm(carry_over)]
    #[arg(long)]
    pub state: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// The bounds within which it is brought back, for --state.
    #[command(flatten)]
    pub limits: LimitSettings,
}

/// The options of `stateroom rooms restart`.
#[derive(Debug, Args)]
pub struct RestartOptions {
    /// Which
    #[arg(value_name = "ID")]
    pub room: String,
    /// The bounds within which it is brought back and started.
    #[command(flatten)]
    pub limits: LimitSettings,
}

/// The options of `stateroom rooms import`.
#[derive(Debug, Args)]
pub struct ImportOptions {
    /// A file that `stateroom rooms export` made
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The id that the room gets [default: the one it had]
    #[arg(long = "as", value_name = "ID")]
    pub name: Option<String>,
    /// Forget the room that has that id already
    #[arg(long)]
    pub replace: bool,
    /// The bounds within which it is brought back.
    #[command(flatten)]
    pub limits: LimitSettings,
}

/// The options of `stateroom replay`.
#[derive(Debug, Args)]
#[command(after_help = REPLAY_HELP)]
pub struct ReplayOptions {
    /// A file that `stateroom rooms export` made, or the id of a room that is kept
    #[arg(value_name = "FILE|ID")]
    pub room: String,
    /// Which rooms, for an id.
    #[command(flatten)]
    pub store: StoreOptions,
    /// Stop after this event of the room's life
    #[arg(long, value_name = "N")]
    pub until: Option<u64>,
    /// At the end tell the state of its service, where that has opted in with
    /// #[stateroom_wasm(carry_over)]
    #[arg(long)]
    pub state: bool,
    /// Print one JSON object for each event, a line each
    #[arg(long)]
    pub json: bool,
    /// The bounds within which it is brought back.
    #[command(flatten)]
    pub limits: LimitSettings,
}

const ROOMS_HELP: &str = "\
To list, show and export rooms does no harm to a server that runs. To change
them, stop it first.

The list tells how large the snapshot of a room is, compressed, and the
journal of what it has heard since. How much memory it takes when awake is not
told: for that, every snapshot would have to be read. A room is listed as
damaged where that shows without reading all of it, which `show` does.

Examples:
  stateroom rooms
  stateroom rooms show lobby --state
  stateroom rooms export lobby && stateroom replay lobby.room
  stateroom rooms export --all backup
  stateroom rooms import lobby.room --as lobby-again --data-dir elsewhere";

const REPLAY_HELP: &str = "\
The room begins with its last snapshot, and hears what it has heard since. A
file of that name is preferred to a room of that id. Nothing is changed.

The state after each event is told by its digest: equal states have equal
ones.

Examples:
  stateroom replay lobby.room
  stateroom replay lobby --dev --until 1200 --state";
