//! Where log lines go and what they look like.

use crate::{failure::Failure, stderr};
use anyhow::Context;
use std::{
    backtrace::{Backtrace, BacktraceStatus},
    io::{self, IsTerminal},
    panic::{self, PanicHookInfo},
    thread,
};
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

/// Sends the log of this process to stderr, and what a panic says too.
pub(crate) fn start(level: &str, format: LogFormat, is_dev: bool) -> anyhow::Result<()> {
    stderr::start().context("the system gives no thread for the log")?;
    let filter = EnvFilter::try_new(filter_directives(level, is_dev)).with_context(|| {
        format!("--log {level}: give off, error, warn, info, debug or trace, or a filter such as stateroom_server=debug")
    }).context(Failure::Usage)?;
    let terminal = io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| stderr::Stderr);
    if format == LogFormat::Json || (format == LogFormat::Auto && !terminal) {
        builder.json().flatten_event(true).init();
    } else {
        let colours = terminal && std::env::var_os("NO_COLOR").is_none();
        builder.with_ansi(colours).with_target(false).init();
    }
    // The hook that is there writes to stderr itself, and would wait for it.
    panic::set_hook(Box::new(tell_panic));
    Ok(())
}

fn tell_panic(panic: &PanicHookInfo<'_>) {
    let thread = thread::current();
    let thread = thread.name().unwrap_or("without a name");
    let place = panic.location().map(tracing::field::display);
    let message = panic.payload_as_str().unwrap_or("no message");
    let backtrace = Backtrace::capture(); // where RUST_BACKTRACE asks for one
    let captured = backtrace.status() == BacktraceStatus::Captured;
    let backtrace = captured.then(|| tracing::field::display(&backtrace));
    tracing::error!(thread, place, backtrace, "panicked: {message}");
}

/// A bare level speaks of Stateroom's own crates and of what rooms print (`guest`): the others are heard
/// from `warn` on. How many descriptors there are is not for whoever writes a room.
fn filter_directives(level: &str, is_dev: bool) -> String {
    let is_bare = level.chars().all(|c| c.is_ascii_alphanumeric());
    if !is_bare {
        return level.to_owned();
    }
    let quiet = match is_dev && level.eq_ignore_ascii_case("info") {
        true => ",stateroom_server::descriptors=warn",
        false => "",
    };
    format!("warn,stateroom={level},guest={level}{quiet}")
}
