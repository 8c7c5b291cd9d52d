//! The `stateroom` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    stateroom_cli::run()
}
