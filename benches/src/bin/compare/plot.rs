//! The plots: bars, as small SVG that can be read on light and on dark pages.

use crate::{figure::Figure, peer::Peer, results::Results};
use serde::Deserialize;
use std::fmt::Write as _;

/// A plot of one figure in one scenario.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plot {
    /// The name of its file, without `.svg`.
    pub(crate) file: String,
    /// What is above it.
    pub(crate) title: String,
    /// Where it is measured.
    pub(crate) scenario: String,
    figure: Figure,
}

const WIDTH: f64 = 720.0;
const LABELS: f64 = 210.0;
const VALUES: f64 = 80.0;
const ROW: f64 = 26.0;
const TOP: f64 = 36.0;
/// Grey that is legible on white and on black, and two bars likewise.
const STYLE: &str = "text{font:13px system-ui,sans-serif;fill:#57606a}\
    .title{font-weight:600}.bar{fill:#8c959f}.ours{fill:#0969da}\
    @media(prefers-color-scheme:dark){text{fill:#9da7b3}.bar{fill:#6e7681}.ours{fill:#4493f8}}";

impl Plot {
    /// Draws it, where something was measured.
    pub(crate) fn draw(&self, peers: &[Peer], results: &Results) -> Option<String> {
        let value = |peer: &Peer| results.median(&self.scenario, &peer.name, self.figure);
        let bars: Vec<(&Peer, f64)> =
            peers.iter().filter_map(|peer| Some((peer, value(peer)?))).collect();
        let most = bars.iter().map(|(_, value)| *value).reduce(f64::max)?;
        let height = TOP + ROW * bars.len() as f64 + 8.0;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
             width=\"{WIDTH}\" height=\"{height}\" role=\"img\">\n<title>{0}</title>\n\
             <style>{STYLE}</style>\n<text class=\"title\" x=\"0\" y=\"18\">{0}</text>\n",
            self.title
        );
        for (row, (peer, value)) in bars.iter().enumerate() {
            let y = TOP + ROW * row as f64;
            let length = (WIDTH - LABELS - VALUES) * value / most.max(f64::MIN_POSITIVE);
            let class = if peer.is_ours() { "bar ours" } else { "bar" };
            let _ = writeln!(
                svg,
                "<text x=\"{}\" y=\"{:.0}\" text-anchor=\"end\">{}</text>\
                 <rect class=\"{class}\" x=\"{LABELS}\" y=\"{:.0}\" width=\"{:.1}\" height=\"18\" \
                 rx=\"2\"/><text x=\"{:.1}\" y=\"{:.0}\">{}</text>",
                LABELS - 8.0,
                y + 14.0,
                peer.title,
                y,
                length.max(1.0),
                LABELS + length + 6.0,
                y + 14.0,
                self.figure.show(*value),
            );
        }
        svg.push_str("</svg>\n");
        Some(svg)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::Figures;

    #[test]
    fn a_plot_has_a_bar_for_each_server_that_was_measured() {
        let plot: Plot = toml::from_str(
            "file = 'echo'\ntitle = 'echo'\nscenario = 'echo'\nfigure = 'cpu_per_delivery'",
        )
        .unwrap();
        let peers = ["stateroom", "axum", "bun"].map(|name| {
            toml::from_str::<Peer>(&format!("name = '{name}'\ntitle = '{name}'")).unwrap()
        });
        let mut results = Results::default();
        assert!(plot.draw(&peers, &results).is_none());
        for (peer, value) in [("stateroom", 4e6), ("bun", 2e6)] {
            results.add("echo", peer, Ok(Figures::from([(plot.figure, value)])));
        }
        let svg = plot.draw(&peers, &results).unwrap();
        assert_eq!(svg.matches("<rect").count(), 2);
        assert!(svg.contains("width=\"430.0\"") && svg.contains("width=\"215.0\""), "{svg}");
    }
}
