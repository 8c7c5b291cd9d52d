//! What is compared: servers, scenarios, rows of the README, aims and the picture, as
//! `benches/compare.toml` has them.

use crate::{peer::Peer, plot::Plot, row::Row, scenario::Scenario};
use anyhow::{Context as _, ensure};
use serde::Deserialize;

/// See the [module](self).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Compared {
    /// In the order of the tables and plots.
    pub(crate) peers: Vec<Peer>,
    /// In the order they are run.
    pub(crate) scenarios: Vec<Scenario>,
    /// What the README shows.
    pub(crate) shown: Vec<Row>,
    /// What is to be known of it.
    pub(crate) remark: String,
    /// What is aimed at with rooms that are not kept.
    pub(crate) goals: Vec<Row>,
    /// What is aimed at with rooms that are kept.
    pub(crate) durability: Vec<Row>,
    /// What is drawn.
    pub(crate) plot: Plot,
}

impl Compared {
    /// Reads it.
    pub(crate) fn read() -> anyhow::Result<Self> {
        let text = include_str!("../../../compare.toml");
        let compared: Compared = toml::from_str(text).context("benches/compare.toml")?;
        compared.check().context("benches/compare.toml")?;
        Ok(compared)
    }

    /// The server with this name.
    pub(crate) fn peer(&self, name: &str) -> Option<&Peer> {
        self.peers.iter().find(|peer| peer.name == name)
    }

    /// The scenario with this name.
    pub(crate) fn scenario(&self, name: &str) -> Option<&Scenario> {
        self.scenarios.iter().find(|scenario| scenario.name == name)
    }

    /// Refuses names that mean nothing, and rows that can never be filled in.
    fn check(&self) -> anyhow::Result<()> {
        for scenario in &self.scenarios {
            for name in &scenario.peers {
                ensure!(self.peer(name).is_some(), "{}: no peer {name}", scenario.name);
            }
        }
        let aims = self.goals.iter().chain(&self.durability);
        for row in aims.clone() {
            let aims = usize::from(row.times.is_some()) + usize::from(row.within.is_some());
            ensure!(aims == 1, "{}: one aim is needed, `times` or `within`", row.what);
            ensure!(
                row.times.is_none() || !row.against.is_empty(),
                "{}: as many times as good as whom?",
                row.what
            );
        }
        for row in self.shown.iter().chain(aims) {
            let scenario = self.scenario(&row.scenario);
            let scenario = scenario.with_context(|| format!("{}: no such scenario", row.what))?;
            for name in row.against.iter().chain([&row.ours]) {
                ensure!(scenario.peers.contains(name), "{}: {name} takes no part", row.what);
            }
        }
        ensure!(self.scenario(&self.plot.scenario).is_some(), "the plot has no scenario");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_of_servers_that_its_scenario_measures() {
        let compared = Compared::read().unwrap();
        assert!(compared.shown.len() <= 8, "the README shows no more than eight rows");
    }
}
