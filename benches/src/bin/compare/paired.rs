//! Our command beside an earlier build of it, both measured in turn in each round of one run.

use crate::{compared::Compared, results::Results, scenario::Scenario};
use std::fmt::Write as _;

/// What the earlier build of the server `peer` is called in results.
pub(crate) fn before(peer: &str) -> String {
    format!("{peer}, before")
}

/// What was measured of both, a row for each figure of each setting of ours.
pub(crate) fn table(compared: &Compared, scenarios: &[&Scenario], results: &Results) -> String {
    let mut table =
        "How many times as good it is now: the median of the ratios in each round, since \
                     both ran right after each other in it.\n\n\
                     | scenario | server | figure | before | now | times as good |\n\
                     | --- | --- | --- | ---: | ---: | ---: |\n"
            .to_owned();
    for scenario in scenarios {
        let name = &scenario.name;
        for peer in compared.peers.iter().filter(|it| scenario.peers.contains(&it.name)) {
            let earlier = before(&peer.name);
            for &figure in &scenario.figures {
                let was = results.median(name, &earlier, figure);
                let is = results.median(name, &peer.name, figure);
                let times = results.ratio(name, figure, &peer.name, &earlier);
                let (Some(was), Some(is), Some(ratio)) = (was, is, times) else { continue };
                let (was, is) = (figure.show(was), figure.show(is));
                let times = figure.times_as_good(ratio, 1.0);
                let (server, figure) = (&peer.name, figure.title());
                let _ =
                    writeln!(table, "| {name} | {server} | {figure} | {was} | {is} | {times:.3} |");
            }
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::{Figure, Figures};

    #[test]
    fn each_figure_is_beside_what_it_was() {
        let compared = Compared::read().unwrap();
        let scenario = compared.scenario("echo-32").unwrap();
        let mut results = Results::default();
        for (was, is) in [(10.0, 5.0), (20.0, 16.0), (8.0, 8.0)] {
            let figures = |value| Ok(Figures::from([(Figure::CpuPerDelivery, value)]));
            results.add(&scenario.name, &before("stateroom"), figures(was));
            results.add(&scenario.name, "stateroom", figures(is));
        }
        let text = table(&compared, &[scenario], &results);
        let row = "| echo-32 | stateroom | CPU/delivery | 10.0 µs | 8.00 µs | 1.250 |";
        assert!(text.contains(row), "{text}");
    }
}
