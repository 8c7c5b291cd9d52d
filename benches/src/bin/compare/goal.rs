//! What Stateroom means to reach, and whether it does.

use crate::{figure::Figure, peer::Peer, results::Results};

/// Something to reach.
pub(crate) struct Goal {
    /// What it is about.
    pub(crate) what: &'static str,
    /// Where it is measured.
    scenario: &'static str,
    /// By which of our settings.
    ours: Peer,
    aim: Aim,
}

enum Aim {
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
    /// At most so many times what it is in another scenario.
    Flat(Figure, f64, &'static str),
    /// Nothing went wrong.
    Clean,
}

use Peer::{Bun, Stateroom, StateroomFlush, StateroomSleep, Workerd};

/// A generator that is busier than this is what limits a server.
const SATURATED: f64 = 0.9;

const fn goal(what: &'static str, scenario: &'static str, ours: Peer, aim: Aim) -> Goal {
    Goal { what, scenario, ours, aim }
}

/// All of them.
pub(crate) const GOALS: &[Goal] = &[
    goal(
        "broadcast, 1 × 1000, 1 message at a time",
        "broadcast-1",
        Stateroom,
        Aim::Throughput(1.15, Bun),
    ),
    goal("broadcast, 1 × 1000, 32 at a time", "broadcast-32", Stateroom, Aim::Throughput(1.2, Bun)),
    goal(
        "broadcast, 1 × 1000, 1 M/s, flush window 10 ms: CPU",
        "broadcast-paced",
        StateroomFlush,
        Aim::TimesLess(Figure::CpuPerDelivery, 1.7, Bun),
    ),
    goal(
        "broadcast, 100 × 10, 16 at a time",
        "broadcast-100x10",
        Stateroom,
        Aim::Throughput(1.0, Bun),
    ),
    goal("echo, 5,000/s: p99", "echo-paced", Stateroom, Aim::AtMost(Figure::P99, 1.3, Bun)),
    goal(
        "echo, 5,000/s: CPU",
        "echo-paced",
        Stateroom,
        Aim::AtMost(Figure::CpuPerDelivery, 1.2, Bun),
    ),
    goal(
        "broadcast, 1 × 1000: CPU",
        "broadcast-32",
        Stateroom,
        Aim::TimesLess(Figure::CpuPerDelivery, 40.0, Workerd),
    ),
    goal(
        "echo, 32 at a time: CPU",
        "echo-32",
        Stateroom,
        Aim::TimesLess(Figure::CpuPerDelivery, 20.0, Workerd),
    ),
    goal(
        "an idle connection and its sleeping room",
        "idle-19000",
        StateroomSleep,
        Aim::Within(Figure::BytesPerConnection, 5000.0),
    ),
    goal(
        "19,000 connections, a room each: held, none lost",
        "idle-19000",
        StateroomSleep,
        Aim::Clean,
    ),
    goal(
        "their memory, against that of each of 1,000",
        "idle-19000",
        StateroomSleep,
        Aim::Flat(Figure::BytesPerConnection, 1.1, "idle-1000"),
    ),
    goal(
        "their CPU, against that of each of 1,000",
        "idle-19000",
        StateroomSleep,
        Aim::Flat(Figure::CpuPerConnection, 1.1, "idle-1000"),
    ),
    goal(
        "19,000 rooms, 1,000 messages/s: p99",
        "crowd",
        StateroomSleep,
        Aim::Within(Figure::P99, 20_000.0),
    ),
    goal(
        "new rooms by new connections",
        "connect",
        Stateroom,
        Aim::AtLeast(Figure::ConnectionsPerSecond, 0.8, Bun),
    ),
    goal(
        "200,000 rooms visited: memory",
        "visit",
        StateroomSleep,
        Aim::Within(Figure::ResidentBytes, 600e6),
    ),
    goal(
        "a room woken by a visitor: p99, connection and all",
        "visit",
        StateroomSleep,
        Aim::Within(Figure::WakeP99, 1000.0),
    ),
    goal("200,000 rooms visited: state, none lost", "visit", StateroomSleep, Aim::Clean),
];

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
        let ours = |figure| results.median(self.scenario, self.ours, figure);
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
                let ratio = results.ratio(self.scenario, figure, self.ours, peer)?;
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
            Aim::Flat(figure, factor, scenario) => {
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
                let failed = results.outcome(self.scenario, self.ours)?.failure.is_some();
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
        let ratio = results.ratio(self.scenario, figure, self.ours, peer)?;
        let aim = format!("≥ {factor} ×");
        self.against(results, figure, peer, format!("{ratio:.2} ×"), aim, ratio >= factor)
    }

    fn less(&self, results: &Results, figure: Figure, factor: f64, peer: Peer) -> Option<Standing> {
        let ratio = results.ratio(self.scenario, figure, peer, self.ours)?;
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
        let show = |peer| Some(figure.show(results.median(self.scenario, peer, figure)?));
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
