//! The figures to reach: against other servers, and for what it costs to keep rooms.

use crate::{
    figure::Figure,
    goal::{Aim, Goal},
    peer::Peer,
};
use Peer::{
    Bun, Disk, Stateroom, StateroomCrash, StateroomFlush, StateroomNothing, StateroomPowerLoss,
    StateroomSleep, Workerd, WorkerdStored,
};

const fn goal(what: &'static str, scenario: &'static str, ours: Peer, aim: Aim) -> Goal {
    Goal { what, scenario, ours, aim }
}

/// What is aimed at with rooms that are not kept.
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

/// What is aimed at with rooms that are kept.
pub(crate) const DURABILITY: &[Goal] = &[
    goal(
        "echo, 1,000 rooms, 32 at a time: survives crash",
        "durable-echo",
        StateroomCrash,
        Aim::Throughput(0.85, StateroomNothing),
    ),
    goal(
        "echo, 1,000 rooms, 1 at a time: survives crash",
        "durable-echo-1",
        StateroomCrash,
        Aim::Throughput(0.85, StateroomNothing),
    ),
    goal(
        "broadcast, 1 × 1000, 1 at a time: survives crash",
        "durable-broadcast-1",
        StateroomCrash,
        Aim::Throughput(0.85, StateroomNothing),
    ),
    goal(
        "broadcast, 1 × 1000, 1 at a time: survives power loss",
        "durable-broadcast-1",
        StateroomPowerLoss,
        Aim::Throughput(0.7, StateroomNothing),
    ),
    goal(
        "broadcast, 1 × 1000, 32 at a time: survives crash",
        "durable-broadcast-32",
        StateroomCrash,
        Aim::Throughput(0.85, StateroomNothing),
    ),
    goal(
        "broadcast, 1 × 1000, 32 at a time: survives power loss",
        "durable-broadcast-32",
        StateroomPowerLoss,
        Aim::Throughput(0.7, StateroomNothing),
    ),
    goal(
        "broadcast, 100 × 10, 16 at a time: survives crash",
        "durable-broadcast-100x10",
        StateroomCrash,
        Aim::Throughput(0.85, StateroomNothing),
    ),
    goal(
        "broadcast, 100 × 10, 16 at a time: survives power loss",
        "durable-broadcast-100x10",
        StateroomPowerLoss,
        Aim::Throughput(0.7, StateroomNothing),
    ),
    goal(
        "echo, 1,000 rooms: events that survive power loss",
        "durable-echo",
        StateroomPowerLoss,
        Aim::Reach(Figure::DeliveriesPerSecond, 100_000.0),
    ),
    goal(
        "the same against Durable Objects that store each message",
        "durable-echo",
        StateroomPowerLoss,
        Aim::AtLeast(Figure::DeliveriesPerSecond, 40.0, WorkerdStored),
    ),
    goal(
        "echo, 5,000/s, survives power loss: p50",
        "durable-echo-paced",
        StateroomPowerLoss,
        Aim::Within(Figure::P50, 1000.0),
    ),
    goal(
        "echo, 5,000/s, survives power loss: p99",
        "durable-echo-paced",
        StateroomPowerLoss,
        Aim::AtMost(Figure::P99, 2.0, Disk),
    ),
    goal(
        "killed with 1,000,000 events in 10,000 rooms: first client served",
        "durable-kill",
        StateroomPowerLoss,
        Aim::Within(Figure::FirstServed, 2e6),
    ),
    goal(
        "the same: what clients had seen, none lost",
        "durable-kill",
        StateroomPowerLoss,
        Aim::Clean,
    ),
    goal(
        "200,000 rooms on disk: memory of each",
        "durable-hibernate",
        StateroomPowerLoss,
        Aim::Within(Figure::BytesPerRoom, 300.0),
    ),
    goal(
        "the same after a restart",
        "durable-hibernate",
        StateroomPowerLoss,
        Aim::Within(Figure::BytesPerRoomAfterRestart, 300.0),
    ),
    goal(
        "a room woken from disk: p99, connection and all",
        "durable-hibernate",
        StateroomPowerLoss,
        Aim::Within(Figure::WakeP99, 5000.0),
    ),
    goal(
        "200,000 rooms on disk: state, none lost",
        "durable-hibernate",
        StateroomPowerLoss,
        Aim::Clean,
    ),
    goal(
        "a kept room woken from memory: p99, connection and all",
        "durable-visit",
        StateroomCrash,
        Aim::Within(Figure::WakeP99, 1000.0),
    ),
    goal(
        "a day of 1,000,000 messages: space given back",
        "durable-day",
        StateroomPowerLoss,
        Aim::ShareOf(Figure::FolderAfter, 0.5, Figure::FolderPeak),
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::SCENARIOS;

    #[test]
    fn every_goal_is_of_a_server_that_its_scenario_measures() {
        for goal in GOALS.iter().chain(DURABILITY) {
            let scenario = SCENARIOS.iter().find(|scenario| scenario.name == goal.scenario);
            let scenario = scenario.unwrap_or_else(|| panic!("no scenario for: {}", goal.what));
            assert!(scenario.peers.contains(&goal.ours), "nobody to reach: {}", goal.what);
            let against = match goal.aim {
                Aim::Throughput(_, peer)
                | Aim::AtLeast(_, _, peer)
                | Aim::TimesLess(_, _, peer)
                | Aim::AtMost(_, _, peer) => Some(peer),
                _ => None,
            };
            let measured = against.is_none_or(|peer| scenario.peers.contains(&peer));
            assert!(measured, "nothing to compare with: {}", goal.what);
        }
    }
}
