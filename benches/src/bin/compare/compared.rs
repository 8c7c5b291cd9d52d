//! What is compared: scenarios, aims and plots, as `benches/compare.toml` has them.

use crate::{goal::Goal, plot::Plot, scenario::Scenario};
use anyhow::Context as _;
use serde::Deserialize;

/// See the [module](self).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Compared {
    /// In the order they are run.
    pub(crate) scenarios: Vec<Scenario>,
    /// What is aimed at with rooms that are not kept.
    pub(crate) goals: Vec<Goal>,
    /// What is aimed at with rooms that are kept.
    pub(crate) durability: Vec<Goal>,
    /// What is drawn.
    pub(crate) plots: Vec<Plot>,
}

impl Compared {
    /// Reads it.
    pub(crate) fn read() -> anyhow::Result<Self> {
        let text = include_str!("../../../compare.toml");
        toml::from_str(text).context("benches/compare.toml makes no sense")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::goal::Aim;

    #[test]
    fn every_goal_is_of_a_server_that_its_scenario_measures() {
        let compared = Compared::read().unwrap();
        for goal in compared.goals.iter().chain(&compared.durability) {
            let scenario = compared.scenarios.iter().find(|it| it.name == goal.scenario);
            let scenario = scenario.unwrap_or_else(|| panic!("no scenario for: {}", goal.what));
            assert!(scenario.peers.contains(&goal.ours), "nobody to reach: {}", goal.what);
            let against = match goal.aim {
                Aim::Throughput(_, peer)
                | Aim::AtLeast(_, _, peer)
                | Aim::TimesLess(_, _, peer)
                | Aim::AtMost(_, _, peer) => Some(peer),
                _ => None,
            };
            if let Aim::Flat(_, _, scenario) = &goal.aim {
                assert!(compared.scenarios.iter().any(|it| it.name == *scenario), "{scenario}");
            }
            let measured = against.is_none_or(|peer| scenario.peers.contains(&peer));
            assert!(measured, "nothing to compare with: {}", goal.what);
        }
    }
}
