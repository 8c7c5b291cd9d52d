//! Where log lines go and what they look like.

use crate::failure::Failure;
use anyhow::Context;
use std::io::{IsTerminal, stderr};
use tracing_subscriber::EnvFilter;

/// What a log line looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people on a terminal, JSON everywhere else.
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// Sends the log of this process to stderr.
pub(crate) fn start(level: &str, format: LogFormat) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter_directives(level)).with_context(|| {
        format!("--log {level}: give off, error, warn, info, debug or trace, or a filter such as stateroom_server=debug")
    }).context(Failure::Usage)?;
    let terminal = stderr().is_terminal();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    if format == LogFormat::Json || (format == LogFormat::Auto && !terminal) {
        builder.json().flatten_event(true).init();
    } else {
        let colours = terminal && std::env::var_os("NO_COLOR").is_none();
        builder.with_ansi(colours).with_target(false).init();
    }
    Ok(())
}

/// A bare level speaks of Stateroom's own crates: the others are heard from `warn` on.
fn filter_directives(level: &str) -> String {
    let bare = level.chars().all(|c| c.is_ascii_alphanumeric());
    if bare { format!("warn,stateroom={level}") } else { level.to_owned() }
}
