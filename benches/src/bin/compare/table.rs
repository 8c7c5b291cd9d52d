//! The tables: Markdown, for the README and `docs/bench`.

use crate::{
    compared::Compared,
    figure::Figure,
    goal::Goal,
    peer::Peer,
    results::{Outcome, Results},
    scenario::Scenario,
};
use anyhow::Context as _;
use std::{fmt::Write as _, fs, path::Path};

const BEGIN: &str = "<!-- figures: written by the command above -->\n";
/// What is to be known of the goals with rooms that are kept.
const DURABILITY_CONDITIONS: &str = "The rooms are kept in a folder of a real disk. \"Survives \
    nothing\" is the same server, which saves rooms when they leave memory or it ends. It and its \
    committing thread share one core, as everything that a server does here; the disk alone is \
    measured in each round: a page appended to a file and flushed, again and again.";
const END: &str = "<!-- end of the figures -->\n";

/// How each of `goals` stands that was measured.
fn standings(goals: &[Goal], results: &Results) -> String {
    let mut table =
        "| what | Stateroom | against | ratio | aim | |\n| --- | --- | --- | --- | --- | --- |\n"
            .to_owned();
    for goal in goals {
        let Some(standing) = goal.standing(results) else {
            let _ = writeln!(table, "| {} | not measured | | | | |", goal.what);
            continue;
        };
        let _ = writeln!(
            table,
            "| {} | {} | {} | {} | {} | {} |",
            goal.what,
            standing.ours.trim(),
            standing.against,
            standing.ratio,
            standing.aim,
            if standing.reached { "✓" } else { "✗" },
        );
    }
    table
}

/// How every goal stands that was measured.
pub(crate) fn goals(compared: &Compared, results: &Results) -> String {
    format!(
        "{}\n### What durability costs\n\n{}\n\n{}",
        standings(&compared.goals, results),
        DURABILITY_CONDITIONS,
        standings(&compared.durability, results)
    )
}

/// Everything that was measured, a table for each scenario.
pub(crate) fn scenarios(compared: &Compared, results: &Results) -> String {
    let mut text = String::new();
    for scenario in &compared.scenarios {
        if results.outcomes.contains_key(&scenario.name) {
            let _ =
                writeln!(text, "## {}\n\n{}", capitalized(&scenario.title), one(results, scenario));
        }
    }
    text
}

/// What was measured where, in one line.
pub(crate) fn conditions(results: &Results) -> String {
    let outcomes = results.outcomes.values().flat_map(std::collections::BTreeMap::values);
    let rounds = outcomes.map(|outcome| outcome.rounds.len()).filter(|rounds| *rounds > 0);
    let (least, most) =
        rounds.fold((usize::MAX, 0), |(least, most), rounds| (least.min(rounds), most.max(rounds)));
    let rounds = if least < most { format!("{least} to {most}") } else { most.to_string() };
    format!(
        "Medians of {rounds} rounds, the servers in turn in each, and of the ratios in each; one \
         core for the server, another for the load; texts of 100 bytes; {}. Rooms are kept nowhere \
         (`--ephemeral`), except where it says what they survive.",
        results.machine
    )
}

/// The page `docs/bench/table.md`.
pub(crate) fn page(compared: &Compared, results: &Results) -> String {
    let versions: Vec<String> = Peer::ALL
        .iter()
        .filter(|peer| peer.program() == **peer)
        .filter_map(|peer| Some(format!("{} {}", peer.title(), results.versions.get(peer.name())?)))
        .collect();
    format!(
        "# What was measured\n\nWritten by `cargo run --profile dist -p stateroom-benches --bin \
         compare`; do not edit.\n\n{}\nVersions: {}.\n\n## What is aimed at\n\n{}\n{}",
        conditions(results),
        versions.join(", "),
        goals(compared, results),
        scenarios(compared, results).trim_end(),
    ) + "\n"
}

/// Puts `text` between the markers of the README.
pub(crate) fn insert(readme: &Path, text: &str) -> anyhow::Result<()> {
    let old = fs::read_to_string(readme)?;
    let parts =
        old.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts.context("the README has no markers for the figures")?;
    Ok(fs::write(readme, format!("{before}{BEGIN}\n{text}\n{END}{after}"))?)
}

fn one(results: &Results, scenario: &Scenario) -> String {
    let mut head = "| |".to_owned();
    let mut rule = "| --- |".to_owned();
    for figure in &scenario.figures {
        let _ = write!(head, " {} |", figure.title());
        rule.push_str(" ---: |");
    }
    let mut table = format!("{head} |\n{rule} --- |\n");
    for &peer in &scenario.peers {
        let Some(outcome) = results.outcome(&scenario.name, peer) else { continue };
        let name = peer.title();
        let _ = write!(
            table,
            "| {} |",
            if peer.is_ours() { format!("**{name}**") } else { name.into() }
        );
        for &figure in &scenario.figures {
            let value = results.median(&scenario.name, peer, figure);
            let _ =
                write!(table, " {} |", value.map_or_else(|| "–".to_owned(), |v| figure.show(v)));
        }
        let _ = writeln!(table, " {} |", remarks(results, scenario, peer, outcome));
    }
    table
}

/// What is to be known of a row besides its figures.
fn remarks(results: &Results, scenario: &Scenario, peer: Peer, outcome: &Outcome) -> String {
    let median = |figure| results.median(&scenario.name, peer, figure);
    let mut remarks = Vec::new();
    if let Some(failure) = &outcome.failure {
        let line: String = failure.split_whitespace().collect::<Vec<_>>().join(" ");
        remarks.push(line.replace('|', "/").chars().take(200).collect());
    }
    if let Some(wrong) = median(Figure::Wrong).filter(|wrong| *wrong > 0.0) {
        remarks.push(format!("{wrong:.0} wrong or lost"));
    }
    if median(Figure::GeneratorBusy).is_some_and(|busy| busy > 0.9) {
        remarks.push("the load generator was the limit".to_owned());
    }
    remarks.join("; ")
}

fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(characters).collect()
}
