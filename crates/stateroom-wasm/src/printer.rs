//! What a service says by the `log` facade, printed in lines that tell the host their levels.

use log::{Level, LevelFilter, Log, Metadata, Record};

/// Prints to standard output, with a level before each line as the lines of daemons have it
/// (`sd-daemon(3)`).
struct Printer;

static PRINTER: Printer = Printer;

/// Has `log` print, unless the service has had its own logger do something else.
pub(crate) fn install() {
    if log::set_logger(&PRINTER).is_ok() {
        log::set_max_level(LevelFilter::Debug);
    }
}

impl Log for Printer {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let level = match record.level() {
            Level::Error => 3,
            Level::Warn => 4,
            Level::Info => 6,
            Level::Debug | Level::Trace => 7,
        };
        for line in record.args().to_string().lines() {
            println!("<{level}>{line}");
        }
    }

    fn flush(&self) {}
}
