//! What Stateroom means to reach, and whether it does.

use crate::{figure::Figure, peer::Peer, results::Results};
use serde::Deserialize;

/// Something to reach.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Goal {
    /// What it is about.
    pub(crate) what: String,
    /// Where it is measured.
    pub(crate) scenario: String,
    /// By which of our settings.
    pub(crate) ours: Peer,
    /// What is to be reached.
    pub(crate) aim: Aim,
}

/// What is to be reached.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Aim {
    /// So many times what another reaches: deliveries, or CPU time where the load generator was
    /// the limit.
    Throughput(f64, Peer),
    /// At least so many times what another reaches.
    AtLeast(Figure, f64, Peer),
    /// So many times less CPU time than another.
    TimesLess(Figure, f64, Peer),
    /// At most so many times what another needs.
    AtMost(Figure, f64, Peer),
    /// At most so much.
    Within(Figure, f64),
    /// At least so much.
    Reach(Figure, f64),
    /// At most so many times as much as another figure of the same scenario.
    ShareOf(Figure, f64, Figure),
    /// At most so many times what it is in another scenario.
    Flat(Figure, f64, String),
    /// Nothing went wrong.
    Clean,
}

/// A generator that is busier than this is what limits a server.
const SATURATED: f64 = 0.9;

/// How a goal stands.
pub(crate) struct Standing {
    /// What is ours.
    pub(crate) ours: String,
    /// What it is measured against.
    pub(crate) against: String,
    /// How they compare.
    pub(crate) ratio: String,
    /// What was aimed at.
    pub(crate) aim: String,
    /// Whether it is reached.
    pub(crate) reached: bool,
}

impl Goal {
    /// How it stands, where that was measured.
    pub(crate) fn standing(&self, results: &Results) -> Option<Standing> {
        let ours = |figure| results.median(&self.scenario, self.ours, figure);
        match self.aim {
            Aim::Throughput(factor, peer) => {
                let busy = ours(Figure::GeneratorBusy)?;
                if busy > SATURATED {
                    self.less(results, Figure::CpuPerDelivery, factor, peer)
                } else {
                    self.more(results, Figure::DeliveriesPerSecond, factor, peer)
                }
            }
            Aim::AtLeast(figure, factor, peer) => self.more(results, figure, factor, peer),
            Aim::TimesLess(figure, factor, peer) => self.less(results, figure, factor, peer),
            Aim::AtMost(figure, factor, peer) => {
                let ratio = results.ratio(&self.scenario, figure, self.ours, peer)?;
                let aim = format!("≤ {factor} ×");
                self.against(results, figure, peer, format!("{ratio:.2} ×"), aim, ratio <= factor)
            }
            Aim::Within(figure, bound) => Some(Standing {
                ours: figure.show(ours(figure)?),
                against: String::new(),
                ratio: String::new(),
                aim: format!("≤ {}", figure.show(bound)),
                reached: ours(figure)? <= bound,
            }),
            Aim::Reach(figure, bound) => Some(Standing {
                ours: format!("{} {}", figure.show(ours(figure)?), unit(figure)),
                against: String::new(),
                ratio: String::new(),
                aim: format!("≥ {}", figure.show(bound)),
                reached: ours(figure)? >= bound,
            }),
            Aim::ShareOf(figure, factor, whole) => {
                let ratio = ours(figure)? / ours(whole)?;
                Some(Standing {
                    ours: figure.show(ours(figure)?),
                    against: format!("{}: {}", whole.title(), whole.show(ours(whole)?)),
                    ratio: format!("{ratio:.2} ×"),
                    aim: format!("≤ {factor} ×"),
                    reached: ratio <= factor,
                })
            }
            Aim::Flat(figure, factor, ref scenario) => {
                let small = results.median(scenario, self.ours, figure)?;
                let ratio = ours(figure)? / small;
                Some(Standing {
                    ours: figure.show(ours(figure)?),
                    against: figure.show(small),
                    ratio: format!("{ratio:.2} ×"),
                    aim: format!("≤ {factor} ×"),
                    reached: ratio <= factor,
                })
            }
            Aim::Clean => {
                let failed = results.outcome(&self.scenario, self.ours)?.failure.is_some();
                let wrong = ours(Figure::Wrong)?;
                Some(Standing {
                    ours: format!("{wrong:.0} lost"),
                    against: String::new(),
                    ratio: String::new(),
                    aim: "none".to_owned(),
                    reached: wrong == 0.0 && !failed,
                })
            }
        }
    }

    fn more(&self, results: &Results, figure: Figure, factor: f64, peer: Peer) -> Option<Standing> {
        let ratio = results.ratio(&self.scenario, figure, self.ours, peer)?;
        let aim = format!("≥ {factor} ×");
        self.against(results, figure, peer, format!("{ratio:.2} ×"), aim, ratio >= factor)
    }

    fn less(&self, results: &Results, figure: Figure, factor: f64, peer: Peer) -> Option<Standing> {
        let ratio = results.ratio(&self.scenario, figure, peer, self.ours)?;
        let aim = format!("{factor} × less");
        self.against(results, figure, peer, format!("{ratio:.2} × less"), aim, ratio >= factor)
    }

    fn against(
        &self,
        results: &Results,
        figure: Figure,
        peer: Peer,
        ratio: String,
        aim: String,
        reached: bool,
    ) -> Option<Standing> {
        let show = |peer| Some(figure.show(results.median(&self.scenario, peer, figure)?));
        Some(Standing {
            ours: format!("{} {}", show(self.ours)?, unit(figure)),
            against: format!("{}: {}", peer.title(), show(peer)?),
            ratio,
            aim,
            reached,
        })
    }
}

fn unit(figure: Figure) -> &'static str {
    match figure {
        Figure::DeliveriesPerSecond => "deliveries/s",
        Figure::CpuPerDelivery => "µs a delivery",
        Figure::ConnectionsPerSecond => "a second",
        _ => "",
    }
}
