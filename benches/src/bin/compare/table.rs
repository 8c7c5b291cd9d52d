//! The tables: Markdown, for the README and `docs/bench`.

use crate::{
    compared::Compared,
    figure::Figure,
    peer::Peer,
    results::{Outcome, Results},
    row::{Row, Standing},
    scenario::Scenario,
};
use anyhow::Context as _;
use std::{fmt::Write as _, fs, path::Path};

const BEGIN: &str = "<!-- figures: written by the command below -->\n";
/// How figures are compared.
const RATIOS: &str = "A ratio is that of the two medians beside it: above 1 × Stateroom is better, below \
    it is worse.";
/// What is to be known of the aims with rooms that are kept.
const DURABILITY_CONDITIONS: &str = "The rooms are kept in a folder of a real disk. \"Survives \
    nothing\" is the same server, which saves rooms when they leave memory or it ends. It and its \
    committing thread share one core, as everything that a server does here; the disk alone is \
    measured in each round: a page appended to a file and flushed, again and again.";
const END: &str = "<!-- end of the figures -->\n";

/// What the README shows.
pub(crate) fn shown(compared: &Compared, results: &Results) -> String {
    let mut table =
        "| what | Stateroom | others, and how many times as good Stateroom is |\n| --- | --- | --- |\n"
            .to_owned();
    for row in &compared.shown {
        let (what, figure) = (&row.what, row.figure.title());
        let cells = row.standing(&compared.peers, results).map_or_else(
            || "not measured | ".to_owned(),
            |standing| format!("{} | {}", standing.ours, standing.against),
        );
        let _ = writeln!(table, "| {what}: {figure} | {cells} |");
    }
    format!("{table}\n{RATIOS} {}\n", compared.remark)
}

/// How each of `aims` stands that was measured.
fn standings(compared: &Compared, aims: &[Row], results: &Results) -> String {
    let mut table =
        "| what | Stateroom | against | aim | |\n| --- | --- | --- | --- | --- |\n".to_owned();
    for row in aims {
        let (what, figure) = (&row.what, row.figure.title());
        let Some(standing) = row.standing(&compared.peers, results) else {
            let _ = writeln!(table, "| {what}: {figure} | not measured | | | |");
            continue;
        };
        let Standing { ours, against, aim, reached } = standing;
        let reached = if reached { "✓" } else { "✗" };
        let _ = writeln!(table, "| {what}: {figure} | {ours} | {against} | {aim} | {reached} |");
    }
    table
}

/// How everything stands that is aimed at.
pub(crate) fn aims(compared: &Compared, results: &Results) -> String {
    format!(
        "{RATIOS}\n\n{}\n### What durability costs\n\n{DURABILITY_CONDITIONS}\n\n{}",
        standings(compared, &compared.goals, results),
        standings(compared, &compared.durability, results)
    )
}

/// Everything that was measured, a table for each scenario.
pub(crate) fn scenarios(compared: &Compared, results: &Results) -> String {
    let mut text = String::new();
    for scenario in &compared.scenarios {
        if results.outcomes.contains_key(&scenario.name) {
            let _ = writeln!(
                text,
                "## {}\n\n{}",
                capitalized(&scenario.title),
                one(compared, results, scenario)
            );
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
        "Medians of {rounds} rounds, the servers in turn in each; one \
         core for the server, another for the load; texts of 100 bytes; {}. Rooms are kept nowhere \
         (`--ephemeral`), except where it says what they survive.",
        results.machine
    )
}

/// The page `docs/bench/table.md`.
pub(crate) fn page(compared: &Compared, results: &Results) -> String {
    // Settings of one server have its folder in common.
    let mut servers: Vec<&Peer> = compared.peers.iter().collect();
    servers.dedup_by_key(|peer| &peer.folder);
    let version =
        |peer: &&Peer| Some(format!("{} {}", peer.title, results.versions.get(&peer.name)?));
    let versions: Vec<String> = servers.iter().filter_map(version).collect();
    format!(
        "# What was measured\n\nWritten by `cargo run --profile dist -p stateroom-benches --bin \
         compare`; do not edit.\n\n{}\nVersions: {}.\n\n## What is aimed at\n\n{}\n{}",
        conditions(results),
        versions.join(", "),
        aims(compared, results),
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

fn one(compared: &Compared, results: &Results, scenario: &Scenario) -> String {
    let mut head = "| |".to_owned();
    let mut rule = "| --- |".to_owned();
    for figure in &scenario.figures {
        let _ = write!(head, " {} |", figure.title());
        rule.push_str(" ---: |");
    }
    let mut table = format!("{head} |\n{rule} --- |\n");
    for peer in compared.peers.iter().filter(|it| scenario.peers.contains(&it.name)) {
        let Some(outcome) = results.outcome(&scenario.name, &peer.name) else { continue };
        let strong = if peer.is_ours() { "**" } else { "" };
        let _ = write!(table, "| {strong}{}{strong} |", peer.title);
        for &figure in &scenario.figures {
            let value = outcome.median(figure).map_or("–".to_owned(), |value| figure.show(value));
            let _ = write!(table, " {value} |");
        }
        let _ = writeln!(table, " {} |", remarks(outcome));
    }
    table
}

/// What is to be known of a row besides its figures.
fn remarks(outcome: &Outcome) -> String {
    let mut remarks = Vec::new();
    if let Some(failure) = &outcome.failure {
        let line: String = failure.split_whitespace().collect::<Vec<_>>().join(" ");
        remarks.push(line.replace('|', "/").chars().take(200).collect());
    }
    if let Some(wrong) = outcome.median(Figure::Wrong).filter(|wrong| *wrong > 0.0) {
        remarks.push(format!("{wrong:.0} wrong or lost"));
    }
    if outcome.median(Figure::GeneratorBusy).is_some_and(|busy| busy > 0.9) {
        remarks.push("the load generator was the limit".to_owned());
    }
    remarks.join("; ")
}

fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(characters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number in a figure as it is shown, in the smallest of its units.
    fn number(shown: &str) -> Option<f64> {
        let (number, unit) = shown.split_once(' ').unwrap_or((shown, ""));
        let size = match unit {
            "M" | "MB" | "s" => 1e6,
            "k" | "KB" | "ms" => 1e3,
            _ => 1.0,
        };
        Some(number.parse::<f64>().ok()? * size)
    }

    #[test]
    fn every_ratio_follows_from_the_figures_beside_it() {
        let compared = Compared::read().unwrap();
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("results.json");
        let results = Results::read(&file).unwrap();
        let mut ratios = 0;
        for row in compared.shown.iter().chain(&compared.goals).chain(&compared.durability) {
            let Some(standing) = row.standing(&compared.peers, &results) else { continue };
            let ours = number(&standing.ours).unwrap();
            for one in standing.against.split(" ×").filter(|one| !one.is_empty()) {
                let (theirs, ratio) = one.rsplit_once(": ").unwrap();
                // The title of a server may have numbers of its own.
                let words: Vec<&str> = theirs.split(' ').collect();
                let theirs = (1..=2).rev().find_map(|last| {
                    number(&words.get(words.len() - last..).unwrap_or_default().join(" "))
                });
                let wanted = row.figure.times_as_good(ours, theirs.unwrap());
                let ratio: f64 = ratio.parse().unwrap();
                assert!((ratio / wanted - 1.0).abs() < 0.015, "{}: {one}", row.what);
                ratios += 1;
            }
        }
        assert!(ratios > 10, "{ratios} ratios");
    }
}
