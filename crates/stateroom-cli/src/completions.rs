//! `stateroom completions`: the script that makes a shell complete this command.

use crate::options::Options;
use clap::CommandFactory;
use clap_complete::Shell;
use std::io::{ErrorKind, Write};

pub(crate) fn completions(shell: Shell) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Options::command(), "stateroom", &mut script);
    match std::io::stdout().write_all(&script) {
        // Whoever reads the script, such as `head`, may stop early.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
