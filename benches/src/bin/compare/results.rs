//! What all rounds came to, as it is kept in `results.json`.

use crate::{
    figure::{Figure, Figures, median},
    peer::Peer,
};
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fs, path::Path};

/// What a run of this program came to.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Results {
    /// The processor and system that it ran on.
    pub(crate) machine: String,
    /// How many rounds there were.
    pub(crate) rounds: u32,
    /// The version of each server.
    pub(crate) versions: BTreeMap<String, String>,
    /// By scenario, then by server.
    pub(crate) outcomes: BTreeMap<String, BTreeMap<String, Outcome>>,
}

/// What one server came to in one scenario.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// What was measured, a round each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) rounds: Vec<Figures>,
    /// Why there is nothing, or less than there might be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<String>,
}

impl Outcome {
    /// The median of the rounds.
    pub(crate) fn median(&self, figure: Figure) -> Option<f64> {
        median(self.rounds.iter().filter_map(|figures| figures.get(&figure).copied()).collect())
    }
}

impl Results {
    /// Nothing yet, on this machine.
    pub(crate) fn new(rounds: u32, peers: &[&Peer]) -> Self {
        let versions =
            peers.iter().filter_map(|peer| Some((peer.name.clone(), peer.version()?))).collect();
        Results { machine: machine(), rounds, versions, outcomes: BTreeMap::new() }
    }

    /// Reads what an earlier run kept.
    pub(crate) fn read(file: &Path) -> anyhow::Result<Self> {
        let text = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} makes no sense", file.display()))
    }

    /// Keeps this.
    pub(crate) fn write(&self, file: &Path) -> anyhow::Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        fs::write(file, text).with_context(|| format!("writing {}", file.display()))
    }

    /// Adds what an earlier run kept of the scenarios that are not in this one.
    pub(crate) fn over(mut self, earlier: Option<Self>) -> Self {
        let Some(earlier) = earlier else { return self };
        for (scenario, outcomes) in earlier.outcomes {
            self.outcomes.entry(scenario).or_insert(outcomes);
        }
        for (peer, version) in earlier.versions {
            self.versions.entry(peer).or_insert(version);
        }
        self
    }

    /// Adds what one round came to.
    pub(crate) fn add(&mut self, scenario: &str, peer: &str, measured: anyhow::Result<Figures>) {
        let outcomes = self.outcomes.entry(scenario.to_owned()).or_default();
        let outcome = outcomes.entry(peer.to_owned()).or_default();
        match measured {
            Ok(figures) => outcome.rounds.push(figures),
            Err(error) => outcome.failure = Some(format!("{error:#}")),
        }
    }

    /// What `peer` came to in the scenario called `scenario`.
    pub(crate) fn outcome(&self, scenario: &str, peer: &str) -> Option<&Outcome> {
        self.outcomes.get(scenario)?.get(peer)
    }

    /// The median of what `peer` came to.
    pub(crate) fn median(&self, scenario: &str, peer: &str, figure: Figure) -> Option<f64> {
        self.outcome(scenario, peer)?.median(figure)
    }

    /// The median, over the rounds in which both were measured, of how many times as much `peer`
    /// came to as `other` did in the same round.
    pub(crate) fn ratio(
        &self,
        scenario: &str,
        figure: Figure,
        peer: &str,
        other: &str,
    ) -> Option<f64> {
        let rounds = &self.outcome(scenario, peer)?.rounds;
        let others = &self.outcome(scenario, other)?.rounds;
        let pairs = rounds.iter().zip(others);
        let ratio = |(one, other): (&Figures, &Figures)| {
            let below = *other.get(&figure)?;
            (below > 0.0).then_some(one.get(&figure)? / below)
        };
        median(pairs.filter_map(ratio).collect())
    }
}

/// The processor and the kernel.
fn machine() -> String {
    let read = |file| fs::read_to_string(file).unwrap_or_default();
    let processor = read("/proc/cpuinfo");
    let model = processor.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| line.split(':').nth(1)).unwrap_or("an unknown processor");
    let kernel = read("/proc/sys/kernel/osrelease");
    let kernel: Vec<&str> = kernel.split('.').take(2).collect();
    format!("{}, Linux {}", model.trim(), kernel.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_paired_by_round() {
        let mut results = Results::default();
        let scenario = "echo";
        for (ours, theirs) in [(10.0, 5.0), (30.0, 10.0), (40.0, 40.0)] {
            let figures = |value| Ok(Figures::from([(Figure::DeliveriesPerSecond, value)]));
            results.add(scenario, "stateroom", figures(ours));
            results.add(scenario, "bun", figures(theirs));
        }
        results.add(scenario, "axum", Err(anyhow::anyhow!("not installed")));
        let ratio =
            |other| results.ratio(scenario, Figure::DeliveriesPerSecond, "stateroom", other);
        assert_eq!(ratio("bun"), Some(2.0));
        assert_eq!(ratio("axum"), None);
        let median = results.median(scenario, "stateroom", Figure::DeliveriesPerSecond);
        assert_eq!(median, Some(30.0));
    }
}
