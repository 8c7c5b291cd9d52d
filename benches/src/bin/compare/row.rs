//! A figure of ours beside those of others, with how many times as good it is: a row of the README, or
//! something to reach.

use crate::{
    figure::{Figure, digits},
    peer::Peer,
    results::Results,
};
use serde::Deserialize;

/// See the [module](self).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    /// What it is about.
    pub(crate) what: String,
    /// Where it is measured.
    pub(crate) scenario: String,
    /// By which of our settings.
    pub(crate) ours: String,
    /// What is measured.
    pub(crate) figure: Figure,
    /// Whose figures are beside it.
    #[serde(default)]
    pub(crate) against: Vec<String>,
    /// To be at least so many times as good as each of them.
    pub(crate) times: Option<f64>,
    /// To be at most so much.
    pub(crate) within: Option<f64>,
}

/// How a row stands.
pub(crate) struct Standing {
    /// What is ours.
    pub(crate) ours: String,
    /// What the others reach, with how many times as good ours is.
    pub(crate) against: String,
    /// What is aimed at; empty where nothing is.
    pub(crate) aim: String,
    /// Whether it is reached.
    pub(crate) reached: bool,
}

impl Row {
    /// How it stands, where it was measured.
    pub(crate) fn standing(&self, peers: &[Peer], results: &Results) -> Option<Standing> {
        let figure = self.figure;
        let outcome = results.outcome(&self.scenario, &self.ours)?;
        let ours = outcome.median(figure)?;
        let mut reached = outcome.failure.is_none();
        let mut others = Vec::new();
        for name in &self.against {
            let Some(theirs) = results.median(&self.scenario, name, figure) else { continue };
            let times = figure.times_as_good(ours, theirs);
            reached &= self.times.is_none_or(|aim| times >= aim);
            let peer = peers.iter().find(|peer| peer.name == *name);
            let title = peer.map_or("", |peer| &peer.title);
            others.push(format!("{title} {}: {} ×", figure.show(theirs), digits(times)));
        }
        if self.times.is_some() && others.is_empty() {
            return None;
        }
        reached &= self.within.is_none_or(|bound| ours <= bound);
        let aim = match (self.times, self.within) {
            (Some(times), _) => format!("≥ {times} ×"),
            (None, Some(bound)) => format!("≤ {}", figure.show(bound)),
            (None, None) => String::new(),
        };
        Some(Standing { ours: figure.show(ours), against: others.join(", "), aim, reached })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::Figures;

    /// An echo in which ours and Bun come to so much.
    fn standing(ours: f64, bun: f64, aim: &str) -> Standing {
        let text = format!(
            "what = 'echo'\nscenario = 'echo'\nours = 'stateroom'\nfigure = 'p99'\n\
             against = ['bun']\n{aim}"
        );
        let row: Row = toml::from_str(&text).unwrap();
        let mut results = Results::default();
        results.add("echo", "stateroom", Ok(Figures::from([(Figure::P99, ours)])));
        results.add("echo", "bun", Ok(Figures::from([(Figure::P99, bun)])));
        let bun = toml::from_str("name = 'bun'\ntitle = 'Bun'").unwrap();
        row.standing(&[bun], &results).unwrap()
    }

    #[test]
    fn a_ratio_says_how_many_times_as_good_ours_is() {
        let good = standing(100.0, 150.0, "times = 1.4");
        assert_eq!((&*good.ours, &*good.against), ("100 µs", "Bun 150 µs: 1.50 ×"));
        assert!(good.reached && good.aim == "≥ 1.4 ×");
        assert!(!standing(100.0, 130.0, "times = 1.4").reached);
        assert!(standing(100.0, 0.0, "within = 100.0").reached);
        assert!(!standing(101.0, 0.0, "within = 100.0").reached);
    }
}
