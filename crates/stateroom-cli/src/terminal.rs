//! What the command itself says to the person who ran it, in cargo's manner: on stderr, a verb in
//! front, colours only on a terminal.

use crate::{failure::Failure, stderr};
use anstream::{AutoStream, ColorChoice, adapter::strip_str};
use anstyle::{AnsiColor, Style};
use std::{
    fmt::Display,
    io::{self, Write},
};

const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// Says what is being or has been done.
pub(crate) fn say(verb: &str, what: impl Display) {
    write(&format!("{GOOD}{verb:>12}{GOOD:#} {what}\n"));
}

/// Says what went wrong, without ending the command.
pub(crate) fn complain(verb: &str, what: impl Display) {
    write(&format!("{BAD}{verb:>12}{BAD:#} {what}\n"));
}

/// Tells an error and each of its causes on a line of its own.
pub(crate) fn error(error: &anyhow::Error) {
    // What is wrong says by itself that it is the usage.
    let is_usage = error.to_string() == Failure::Usage.to_string();
    let mut causes = error.chain().skip(usize::from(is_usage && error.chain().len() > 1));
    let first = causes.next().map(ToString::to_string).unwrap_or_default();
    let mut text = format!("{BAD}error{BAD:#}: {first}\n");
    for cause in causes {
        text.extend(["  ", &cause.to_string().replace('\n', "\n  "), "\n"]);
    }
    write(&text);
}

/// Writes to stderr, without colours where they are not wanted.
pub(crate) fn write(text: &str) {
    match AutoStream::choice(&io::stderr()) {
        ColorChoice::Never => stderr::write(&strip_str(text).to_string()),
        _ => stderr::write(text),
    }
}

/// Writes what was asked for to stdout. Tells whether anybody reads it still: whoever does, such as
/// `head`, may stop early.
pub(crate) fn print(text: &str) -> io::Result<bool> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        written => written.map(|()| true),
    }
}
