//! Compares Stateroom with other servers on this machine, one core for the server and another for
//! the load, and writes what came of it: `benches/results.json`, tables, a plot.
//!
//! `cargo build --profile dist -p stateroom-cli && cargo run --profile dist -p stateroom-benches --bin compare`
//!
//! What it costs to keep rooms is measured alone with `-- --scenario durable --write`.

mod colyseus;
mod compared;
mod day;
mod disk;
mod figure;
mod kill;
mod load;
mod observe;
mod paired;
mod peer;
mod plot;
mod results;
mod row;
mod scenario;
mod sessions;
mod status;
mod table;
mod visit;

use crate::{
    compared::Compared,
    figure::Figures,
    load::Lengths,
    peer::{Peer, Start},
    results::Results,
    scenario::Scenario,
};
use anyhow::{Context as _, ensure};
use clap::Parser;
use stateroom_benches::{
    Running, SERVER_CORE, build_guest, free_port, pin_this_process, stateroom_command,
};
use std::{
    collections::HashMap,
    env, fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// Compare Stateroom with other servers on this machine
///
/// Each server has one core, the load another. Servers that keep rooms do so in a folder beside this
/// program, which therefore has to be on a real disk; it is removed after each measurement. Without
/// options all is measured and written to benches/results.json, docs/bench and the README.
///
/// `--scenario durable --write` measures what it costs to keep rooms, and writes that.
#[derive(Debug, Parser)]
struct Options {
    /// How often each server is measured; the servers take turns
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// How long messages are measured, in seconds
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// The servers to measure, by name or its beginning, such as bun,stateroom [default: all]
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    only: Vec<String>,
    /// The scenarios to measure, by name or its beginning, such as broadcast,echo-32 [default: all]
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    scenario: Vec<String>,
    /// For trials: this share of the connections and rooms
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Write tables and the plot also where not everything was measured; else they are only printed
    #[arg(long)]
    write: bool,
    /// An earlier build of our command: only our servers are measured, with both in turn in each round,
    /// and compared; nothing is written
    #[arg(long, value_name = "COMMAND", conflicts_with = "write")]
    before: Option<PathBuf>,
    /// Measure nothing; write tables and the plot anew from benches/results.json
    #[arg(long, exclusive = true)]
    tables: bool,
    /// Measure nothing; tell what there is
    #[arg(long, exclusive = true)]
    list: bool,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("results.json");
    let compared = Compared::read()?;
    if options.list {
        list(&compared);
        return Ok(());
    }
    if options.tables {
        return write(&compared, &Results::read(&file)?);
    }
    let names: Vec<&str> = compared.scenarios.iter().map(|scenario| &*scenario.name).collect();
    let wanted = chosen(&options.scenario, &names)?;
    let scenarios: Vec<&Scenario> =
        compared.scenarios.iter().filter(|scenario| wanted.contains(&&*scenario.name)).collect();
    let names: Vec<&str> = compared.peers.iter().map(|peer| &*peer.name).collect();
    let wanted = chosen(&options.only, &names)?;
    let takes_part = |peer: &&Peer| {
        wanted.contains(&&*peer.name)
            && (options.before.is_none() || peer.is_ours())
            && scenarios.iter().any(|scenario| scenario.peers.contains(&peer.name))
    };
    let peers: Vec<&Peer> = compared.peers.iter().filter(takes_part).collect();
    let results = compare(&options, &scenarios, &peers)?;
    if options.before.is_some() {
        println!("{}", paired::table(&compared, &scenarios, &results));
        return Ok(());
    }
    println!(
        "{}\n\n{}\n{}",
        table::conditions(&results),
        table::aims(&compared, &results),
        table::scenarios(&compared, &results)
    );
    let everything = options.only.is_empty() && options.scenario.is_empty() && options.scale == 1.0;
    if everything || options.write {
        let results = if everything { results } else { results.over(Results::read(&file).ok()) };
        results.write(&file)?;
        write(&compared, &results)?;
    }
    Ok(())
}

/// Those of `all` that are wanted: each name means itself, else all that begin so, and no name
/// means all.
fn chosen<'a>(names: &[String], all: &[&'a str]) -> anyhow::Result<Vec<&'a str>> {
    let means = |name: &String, one: &str| {
        if all.contains(&name.as_str()) { one == name } else { one.starts_with(name.as_str()) }
    };
    for name in names {
        ensure!(all.iter().any(|one| means(name, one)), "nothing is called {name}; see --list");
    }
    let wanted = |one: &&&str| names.is_empty() || names.iter().any(|name| means(name, one));
    Ok(all.iter().filter(wanted).copied().collect())
}

/// Installs what is not, then measures it all, the servers in turn in each round.
fn compare(options: &Options, scenarios: &[&Scenario], peers: &[&Peer]) -> anyhow::Result<Results> {
    let module = build_guest()?;
    let mut missing = HashMap::new();
    for peer in peers {
        eprintln!("installing {}", peer.name);
        if let Err(error) = peer.install() {
            eprintln!("  it is left out: {error:#}");
            missing.insert(&peer.name, format!("{error:#}"));
        }
    }
    pin_this_process()?;
    let lengths = Lengths {
        warmup: Duration::from_secs(2).min(Duration::from_secs(options.seconds)),
        measured: Duration::from_secs(options.seconds),
        scale: options.scale,
    };
    let mut commands = vec![(stateroom_command()?, false)];
    if let Some(command) = &options.before {
        let command = fs::canonicalize(command);
        commands.push((command.with_context(|| format!("--before {:?}", options.before))?, true));
    }
    let mut results = Results::new(options.rounds, peers);
    for scenario in scenarios {
        for round in 1..=options.rounds {
            // Which of two goes first changes.
            commands.reverse();
            for peer in peers.iter().filter(|peer| scenario.peers.contains(&peer.name)) {
                for (command, is_before) in &commands {
                    let name =
                        if *is_before { paired::before(&peer.name) } else { peer.name.clone() };
                    let measured = match missing.get(&peer.name) {
                        Some(reason) => Err(anyhow::anyhow!("{reason}")),
                        None => measure(scenario, peer, command, &module, lengths),
                    };
                    tell(scenario, round, &name, &measured);
                    results.add(&scenario.name, &name, measured);
                }
            }
        }
    }
    Ok(results)
}

/// Starts a server, does to it what the scenario says, and ends it.
fn measure(
    scenario: &Scenario,
    peer: &Peer,
    stateroom: &Path,
    module: &Path,
    lengths: Lengths,
) -> anyhow::Result<Figures> {
    // Beside this program, since where files are meant to be temporary is often no disk.
    let program = env::current_exe()?;
    let scratch = tempfile::tempdir_in(program.parent().context("this program is in no folder")?)?;
    let (files, log) = (scratch.path().join("files"), scratch.path().join("log"));
    fs::create_dir(&files)?;
    if peer.is_disk() {
        return disk::flush(&files, lengths.measured);
    }
    let port = free_port()?;
    let command = peer.start(scenario, &Start { stateroom, module, port, scratch: &files })?;
    let mut server = Running::start(&command, Some(SERVER_CORE), port, &log)?;
    let measured = load::measure(scenario, peer, &mut server, lengths);
    drop(server);
    let said = fs::read_to_string(&log).unwrap_or_default();
    let last: Vec<&str> = said.lines().rev().take(3).collect();
    measured.with_context(|| format!("{} {}", peer.name, last.join("; ")).trim_end().to_owned())
}

fn tell(scenario: &Scenario, round: u32, name: &str, measured: &anyhow::Result<Figures>) {
    let text = match measured {
        Ok(figures) => {
            let shown = figures
                .iter()
                .map(|(figure, value)| format!("{} {}", figure.show(*value), figure.title()));
            shown.collect::<Vec<_>>().join(", ")
        }
        Err(error) => format!("{error:#}"),
    };
    eprintln!("{} {round} {name:<16} {text}", scenario.name);
}

/// Writes the page and the plot, and the README's part of them.
fn write(compared: &Compared, results: &Results) -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = root.join("docs/bench");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("table.md"), table::page(compared, results))?;
    let mut readme =
        format!("{}\n\n{}", table::conditions(results), table::shown(compared, results));
    if let Some(svg) = compared.plot.draw(&compared.peers, results) {
        let (file, title) = (&compared.plot.file, &compared.plot.title);
        fs::write(folder.join(format!("{file}.svg")), svg)?;
        readme.push_str(&format!("\n![{title}](docs/bench/{file}.svg)\n"));
    }
    table::insert(&root.join("README.md"), &readme)
}

fn list(compared: &Compared) {
    println!("Servers:");
    for peer in &compared.peers {
        println!("  {:<18} {}", peer.name, peer.title);
    }
    println!("Scenarios:");
    for scenario in &compared.scenarios {
        println!("  {:<18} {}", scenario.name, scenario.title);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_itself_or_all_that_begin_so() {
        let all = ["echo", "echo-32", "idle"];
        let chosen = |name: &str| chosen(&[name.to_owned()], &all).unwrap_or_default();
        assert_eq!(chosen("echo"), ["echo"]);
        assert_eq!(chosen("e"), ["echo", "echo-32"]);
        assert!(chosen("x").is_empty());
        assert_eq!(super::chosen(&[], &all).unwrap_or_default(), all);
    }
}
