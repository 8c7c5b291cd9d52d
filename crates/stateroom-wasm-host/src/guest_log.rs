//! What a guest prints: cut into lines, bounded in length and rate, and logged with the room's id.
//!
//! A line may say its level as the lines of daemons do (`sd-daemon(3)`): `<3>` and less is an error, `<4>` a
//! warning, `<5>` and `<6>` information, `<7>` for debugging. Other lines are information on standard output
//! and warnings on standard error.

use crate::config::Limits;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tracing::Level;

/// Bytes of what an event printed that are kept to explain its failure.
const LAST_WORDS_BYTES: usize = 1024;

/// The two streams a guest can print to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Out,
    Error,
}

/// The printed lines of one room on their way to the log.
pub(crate) struct GuestLog {
    room_id: Arc<str>,
    line_bytes: usize,
    lines_per_second: u32,
    out: Line,
    error: Line,
    last_words: Vec<u8>,
    /// Whether lines are not logged that end now.
    pub(crate) is_silent: bool,
    /// When the current second began, if anything was printed yet.
    second_began: Option<Instant>,
    logged: u32,
    suppressed: u64,
}

impl GuestLog {
    pub(crate) fn new(room_id: Arc<str>, limits: &Limits) -> Self {
        GuestLog {
            room_id,
            line_bytes: limits.log_line_bytes,
            lines_per_second: limits.log_lines_per_second,
            out: Line::default(),
            error: Line::default(),
            last_words: Vec::new(),
            is_silent: false,
            second_began: None,
            logged: 0,
            suppressed: 0,
        }
    }

    /// Takes what the guest printed at the time `now`.
    pub(crate) fn print(&mut self, stream: Stream, printed: &[u8], now: Instant) {
        if stream == Stream::Error {
            self.remember(printed);
        }
        for piece in printed.split_inclusive(|&byte| byte == b'\n') {
            let line_bytes = self.line_bytes;
            match piece.strip_suffix(b"\n") {
                Some(end) => {
                    self.line(stream).extend(end, line_bytes);
                    self.end_line(stream, now);
                }
                None => self.line(stream).extend(piece, line_bytes),
            }
        }
    }

    /// The lines that have begun: of standard output, and of standard error.
    pub(crate) fn begun(&self) -> [&Line; 2] {
        [&self.out, &self.error]
    }

    /// Goes on with lines that have begun.
    pub(crate) fn go_on(&mut self, [out, error]: [Line; 2]) {
        self.out = out;
        self.error = error;
    }

    /// Forgets what earlier events printed.
    pub(crate) fn start_event(&mut self) {
        self.last_words.clear();
    }

    /// Keeps the lines that have begun, and no more memory than they need.
    pub(crate) fn rest(&mut self) {
        self.last_words = Vec::new();
        self.out.kept.shrink_to_fit();
        self.error.kept.shrink_to_fit();
    }

    /// The end of what this event printed to its error stream, which is where a panic is told.
    pub(crate) fn last_words(&self) -> String {
        let printed = String::from_utf8_lossy(&self.last_words);
        let lines = printed.lines().map(str::trim);
        let told =
            lines.filter(|line| !line.is_empty() && !line.starts_with("note: run with `RUST_"));
        told.collect::<Vec<_>>().join(" ")
    }

    /// Logs the lines that have not ended, and how many were suppressed.
    pub(crate) fn flush(&mut self, now: Instant) {
        for stream in [Stream::Out, Stream::Error] {
            if !self.line(stream).is_empty() {
                self.end_line(stream, now);
            }
        }
        self.report_suppressed();
    }

    fn line(&mut self, stream: Stream) -> &mut Line {
        match stream {
            Stream::Out => &mut self.out,
            Stream::Error => &mut self.error,
        }
    }

    fn remember(&mut self, printed: &[u8]) {
        let new = printed.get(printed.len().saturating_sub(LAST_WORDS_BYTES)..).unwrap_or(printed);
        let excess = (self.last_words.len() + new.len()).saturating_sub(LAST_WORDS_BYTES);
        self.last_words.drain(..excess.min(self.last_words.len()));
        self.last_words.extend_from_slice(new);
    }

    fn end_line(&mut self, stream: Stream, now: Instant) {
        let (level, line) = std::mem::take(self.line(stream)).split_level(stream);
        if self.is_silent
            || level == Level::DEBUG && !tracing::enabled!(target: "guest", Level::DEBUG)
        {
            return;
        }
        let second = Duration::from_secs(1);
        if self.second_began.is_none_or(|began| now.saturating_duration_since(began) >= second) {
            self.report_suppressed();
            self.second_began = Some(now);
            self.logged = 0;
        }
        if self.logged >= self.lines_per_second {
            self.suppressed += 1;
            return;
        }
        self.logged += 1;
        let (room, text) = (&self.room_id, line.into_text());
        match level {
            Level::ERROR => tracing::error!(target: "guest", %room, "{text}"),
            Level::WARN => tracing::warn!(target: "guest", %room, "{text}"),
            Level::DEBUG => tracing::debug!(target: "guest", %room, "{text}"),
            _ => tracing::info!(target: "guest", %room, "{text}"),
        }
    }

    fn report_suppressed(&mut self) {
        let suppressed = std::mem::take(&mut self.suppressed);
        if suppressed > 0 {
            tracing::warn!(
                room = %self.room_id,
                suppressed,
                "the room printed {suppressed} more lines than the {} a second that are logged",
                self.lines_per_second
            );
        }
    }
}

impl Drop for GuestLog {
    fn drop(&mut self) {
        self.flush(Instant::now());
    }
}

/// `text` without characters that could forge other lines of the log or steer a terminal.
pub(crate) fn without_control(text: &str) -> String {
    text.chars()
        .map(
            |char| {
                if char.is_control() && char != '\t' { char::REPLACEMENT_CHARACTER } else { char }
            },
        )
        .collect()
}

/// A line that has begun.
#[derive(Debug, Clone, Default)]
pub(crate) struct Line {
    pub(crate) kept: Vec<u8>,
    pub(crate) cut_bytes: usize,
}

impl Line {
    fn extend(&mut self, bytes: &[u8], at_most: usize) {
        let room = at_most.saturating_sub(self.kept.len()).min(bytes.len());
        let (kept, cut) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
        self.kept.extend_from_slice(kept);
        self.cut_bytes = self.cut_bytes.saturating_add(cut.len());
    }

    fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.cut_bytes == 0
    }

    /// The level that the line says, or that of its stream; and the line without it.
    fn split_level(mut self, stream: Stream) -> (Level, Line) {
        let said = match self.kept.as_slice() {
            [b'<', b'0'..=b'3', b'>', ..] => Some(Level::ERROR),
            [b'<', b'4', b'>', ..] => Some(Level::WARN),
            [b'<', b'5' | b'6', b'>', ..] => Some(Level::INFO),
            [b'<', b'7', b'>', ..] => Some(Level::DEBUG),
            _ => None,
        };
        if said.is_some() {
            self.kept.drain(..3);
        }
        let of_stream = match stream {
            Stream::Out => Level::INFO,
            Stream::Error => Level::WARN,
        };
        (said.unwrap_or(of_stream), self)
    }

    /// The line as it is logged.
    fn into_text(self) -> String {
        let mut text = without_control(&String::from_utf8_lossy(&self.kept));
        if self.cut_bytes > 0 {
            text.push_str(&format!(" … ({} bytes more)", self.cut_bytes));
        }
        text
    }
}
