//! The `stateroom` command as a library, so that its parts can be tested.
//!
//! [`options`] and [`room_options`] say what can be asked for on the command line and [`config`] what
//! a `stateroom.toml` may hold; both are made of [`settings`]. Each subcommand has a file of its own.

#![allow(rustdoc::bare_urls, reason = "what is said of an option is its help on a terminal too")]

mod auth;
mod bring_back;
mod build_command;
mod cargo_build;
mod client;
mod completions;
pub mod config;
mod dev;
mod environment;
pub mod failure;
pub mod host;
mod human;
mod keeping;
mod load;
mod logging;
mod new;
pub mod options;
mod output;
mod project;
mod replay;
pub mod room_options;
mod rooms;
mod serve;
mod service_config;
mod serving;
mod setting_table;
pub mod settings;
mod short;
mod shrink;
mod stderr;
pub mod survives;
mod terminal;
mod toolchain;
mod types;
mod usage;
mod watch;

pub use human::{HumanDuration, HumanSize};
pub use stderr::{dropped_log_lines, dropped_log_lines_counter};

use clap::Parser;
use options::{Options, Subcommand};
use std::{process::ExitCode, time::Duration};

/// How long the end of the process waits for the last lines to be written.
const LAST_LINES: Duration = Duration::from_millis(500);

/// Runs the command that the arguments of this process ask for, and tells how it ended.
#[must_use]
pub fn run() -> ExitCode {
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error) => match environment::wrong_value(&error).or_else(|| usage::no_number(&error)) {
            Some(problem) => clap::Error::raw(error.kind(), problem + "\n").exit(),
            None => error.exit(),
        },
    };
    let code = match execute(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::error(&error);
            failure::exit_code(&error).into()
        }
    };
    stderr::flush(LAST_LINES);
    code
}

fn execute(options: Options) -> anyhow::Result<()> {
    let is_dev = matches!(options.command, Subcommand::Dev(_));
    logging::start(&options.log, options.log_format, is_dev)?;
    environment::warn_of_unknown();
    match options.command {
        Subcommand::New(options) => new::new(&options),
        Subcommand::Dev(options) => dev::dev(&options),
        Subcommand::Build(options) => build_command::build(&options),
        Subcommand::Types(options) => types::types(&options),
        Subcommand::Serve(options) => serve::serve(&options),
        Subcommand::Load(options) => load::load(&options),
        Subcommand::Rooms(options) => rooms::rooms(&options),
        Subcommand::Replay(options) => replay::replay(&options),
        Subcommand::Completions { shell } => completions::completions(shell),
    }
}
