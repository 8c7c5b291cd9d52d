//! `stateroom completions`: the script that makes a shell complete this command.

use crate::{options::Options, terminal};
use clap::CommandFactory;
use clap_complete::Shell;

pub(crate) fn completions(shell: Shell) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Options::command(), "stateroom", &mut script);
    terminal::print(&String::from_utf8(script)?)?;
    Ok(())
}
