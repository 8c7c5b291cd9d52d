//! What is done to the servers.

use crate::{figure::Figure, peer::Peer};

/// What a room does with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It goes back to its sender.
    Echo,
    /// It goes to everyone in the room.
    Broadcast,
}

impl Mode {
    /// How servers are told.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Mode::Echo => "echo",
            Mode::Broadcast => "broadcast",
        }
    }
}

/// When messages are sent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// So many a second, in all.
    Rate(u32),
    /// So many unanswered at a time, by one sender in each room.
    Window(u32),
}

/// What a scenario does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Work {
    /// Clients in rooms, one of which sends.
    Messages {
        /// How many rooms.
        rooms: u32,
        /// How many clients in each.
        clients: u32,
        /// When they send.
        pace: Pace,
    },
    /// So many connections, one after the other opened, each into a room of its own that answers,
    /// and closed.
    Connect(u32),
    /// So many connections that do nothing, each in a room of its own, for so many seconds: a
    /// minute has two rounds of our heartbeats.
    Idle(u32, u32),
    /// So many rooms visited one after the other, each left with something to remember.
    Visit(u32),
    /// So many rooms with a client each, which says so many messages; then the server is killed.
    Kill(u32, u32),
    /// So many rooms visited, each left with something to remember, until all are on disk alone.
    Hibernate(u32),
    /// Many messages in many rooms, and what they come to on the disk.
    Day {
        /// How many rooms.
        rooms: u32,
        /// How many clients in each.
        clients: u32,
        /// How many messages in all.
        messages: u32,
    },
}

/// One thing that servers are measured at.
pub(crate) struct Scenario {
    /// What it is called on the command line.
    pub(crate) name: &'static str,
    /// What it is called in tables.
    pub(crate) title: &'static str,
    /// What a room does with a message.
    pub(crate) mode: Mode,
    /// What is done.
    pub(crate) work: Work,
    /// Who takes part.
    pub(crate) peers: &'static [Peer],
    /// What is shown of it, the most important first.
    pub(crate) figures: &'static [Figure],
}

use Figure::{
    BytesPerConnection, BytesPerRoom, BytesPerRoomAfterRestart, ConnectionsPerSecond,
    CpuPerConnection, CpuPerDelivery, DeliveriesPerSecond, FirstServed, FolderAfter, FolderPeak,
    P50, P99, ResidentBytes, WakeP50, WakeP99, WriteAmplification, WriteAmplificationQuiet,
};
use Peer::{
    Axum, Bun, Colyseus, Disk, Stateroom, StateroomCrash, StateroomFlush, StateroomNothing,
    StateroomPowerLoss, StateroomSleep, UWebSockets, Workerd, WorkerdStored,
};

const EVERYONE: &[Peer] = &[Stateroom, Bun, UWebSockets, Axum, Colyseus, Workerd];
const FASTEST: &[Peer] = &[Stateroom, StateroomFlush, Bun, UWebSockets];
const IDLE: &[Peer] = &[Stateroom, StateroomSleep, Bun, UWebSockets, Axum, Colyseus, Workerd];
const CROWD: &[Peer] = &[Stateroom, StateroomSleep, Bun, UWebSockets];
const KEPT: &[Peer] = &[StateroomNothing, StateroomCrash, StateroomPowerLoss];
const THROUGHPUT: &[Figure] = &[DeliveriesPerSecond, CpuPerDelivery, P50, P99];
const PACED: &[Figure] = &[CpuPerDelivery, P50, P99, DeliveriesPerSecond];
const MEMORY: &[Figure] = &[BytesPerConnection, CpuPerConnection];

/// All of them, in the order they are run.
pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "broadcast-1",
        title: "broadcast, 1 room × 1000 clients, 1 message at a time",
        mode: Mode::Broadcast,
        work: Work::Messages { rooms: 1, clients: 1000, pace: Pace::Window(1) },
        peers: EVERYONE,
        figures: THROUGHPUT,
    },
    Scenario {
        name: "broadcast-32",
        title: "broadcast, 1 room × 1000 clients, 32 messages at a time",
        mode: Mode::Broadcast,
        work: Work::Messages { rooms: 1, clients: 1000, pace: Pace::Window(32) },
        peers: EVERYONE,
        figures: THROUGHPUT,
    },
    Scenario {
        name: "broadcast-paced",
        title: "broadcast, 1 room × 1000 clients, 1 M deliveries/s",
        mode: Mode::Broadcast,
        work: Work::Messages { rooms: 1, clients: 1000, pace: Pace::Rate(1000) },
        peers: FASTEST,
        figures: PACED,
    },
    Scenario {
        name: "broadcast-100x10",
        title: "broadcast, 100 rooms × 10 clients, 16 messages at a time in each",
        mode: Mode::Broadcast,
        work: Work::Messages { rooms: 100, clients: 10, pace: Pace::Window(16) },
        peers: EVERYONE,
        figures: THROUGHPUT,
    },
    Scenario {
        name: "echo-paced",
        title: "echo, 100 rooms × 1 client, 5,000 messages/s",
        mode: Mode::Echo,
        work: Work::Messages { rooms: 100, clients: 1, pace: Pace::Rate(5000) },
        peers: EVERYONE,
        figures: PACED,
    },
    Scenario {
        name: "echo-32",
        title: "echo, 100 rooms × 1 client, 32 messages at a time in each",
        mode: Mode::Echo,
        work: Work::Messages { rooms: 100, clients: 1, pace: Pace::Window(32) },
        peers: EVERYONE,
        figures: THROUGHPUT,
    },
    Scenario {
        name: "connect",
        title: "new connections, each to a new room that answers",
        mode: Mode::Echo,
        work: Work::Connect(20_000),
        peers: EVERYONE,
        figures: &[ConnectionsPerSecond],
    },
    Scenario {
        name: "idle-1000",
        title: "1,000 idle connections, a room each, for a minute",
        mode: Mode::Echo,
        work: Work::Idle(1000, 60),
        peers: CROWD,
        figures: MEMORY,
    },
    Scenario {
        name: "idle-5000",
        title: "5,000 idle connections, a room each",
        mode: Mode::Echo,
        work: Work::Idle(5000, 10),
        peers: IDLE,
        figures: MEMORY,
    },
    Scenario {
        name: "idle-19000",
        title: "19,000 idle connections, a room each, for a minute",
        mode: Mode::Echo,
        work: Work::Idle(19_000, 60),
        peers: CROWD,
        figures: MEMORY,
    },
    Scenario {
        name: "crowd",
        title: "echo, 19,000 rooms × 1 client, 1,000 messages/s",
        mode: Mode::Echo,
        work: Work::Messages { rooms: 19_000, clients: 1, pace: Pace::Rate(1000) },
        peers: CROWD,
        figures: PACED,
    },
    Scenario {
        name: "visit",
        title: "200,000 rooms visited one after the other, some again",
        mode: Mode::Echo,
        work: Work::Visit(200_000),
        peers: &[StateroomSleep],
        figures: &[ResidentBytes, WakeP50, WakeP99],
    },
    Scenario {
        name: "durable-echo-paced",
        title: "kept rooms: echo, 100 rooms × 1 client, 5,000 messages/s",
        mode: Mode::Echo,
        work: Work::Messages { rooms: 100, clients: 1, pace: Pace::Rate(5000) },
        peers: &[StateroomNothing, StateroomCrash, StateroomPowerLoss, Disk],
        figures: PACED,
    },
    Scenario {
        name: "durable-echo",
        title: "kept rooms: echo, 1,000 rooms × 1 client, 32 messages at a time in each",
        mode: Mode::Echo,
        work: Work::Messages { rooms: 1000, clients: 1, pace: Pace::Window(32) },
        peers: &[StateroomNothing, StateroomCrash, StateroomPowerLoss, WorkerdStored],
        figures: THROUGHPUT,
    },
    Scenario {
        name: "durable-echo-1",
        title: "kept rooms: echo, 1,000 rooms × 1 client, 1 message at a time in each",
        mode: Mode::Echo,
        work: Work::Messages { rooms: 1000, clients: 1, pace: Pace::Window(1) },
        peers: KEPT,
        figures: THROUGHPUT,
    },
    Scenario {
        name: "durable-broadcast-1",
        title: "kept rooms: broadcast, 1 room × 1000 clients, 1 message at a time",
        mode: Mode::Broadcast,
        work: Work::Messages { rooms: 1, clients: 1000, pace: Pace::Window(1) },
        peers: KEPT,
        figures: THROUGHPUT,
    },
    Scenario {
        name: "durable-broadcast-32",
        title: "kept rooms: broadcast, 1 room × 1000 clients, 32 messages at a time",
        mode: Mode::Broadcast,
        work: Work::Messages { rooms: 1, clients: 1000, pace: Pace::Window(32) },
        peers: KEPT,
        figures: THROUGHPUT,
    },
    Scenario {
        name: "durable-broadcast-100x10",
        title: "kept rooms: broadcast, 100 rooms × 10 clients, 16 messages at a time in each",
        mode: Mode::Broadcast,
        work: Work::Messages { rooms: 100, clients: 10, pace: Pace::Window(16) },
        peers: KEPT,
        figures: THROUGHPUT,
    },
    Scenario {
        name: "durable-visit",
        title: "kept rooms: 200,000 visited one after the other, some again from memory",
        mode: Mode::Echo,
        work: Work::Visit(200_000),
        peers: &[StateroomCrash],
        figures: &[ResidentBytes, WakeP50, WakeP99],
    },
    Scenario {
        name: "durable-kill",
        title: "kept rooms: kill -9 after 1,000,000 events in 10,000 rooms, then a start",
        mode: Mode::Echo,
        work: Work::Kill(10_000, 100),
        peers: &[StateroomCrash, StateroomPowerLoss],
        figures: &[FirstServed],
    },
    Scenario {
        name: "durable-hibernate",
        title: "kept rooms: 200,000 on disk alone, some visited again from a disk that nothing was read of",
        mode: Mode::Echo,
        work: Work::Hibernate(200_000),
        peers: &[StateroomPowerLoss],
        figures: &[BytesPerRoom, BytesPerRoomAfterRestart, WakeP50, WakeP99],
    },
    Scenario {
        name: "durable-day",
        title: "kept rooms: a day of 1,000 rooms × 5 clients, 1,000,000 messages",
        mode: Mode::Broadcast,
        work: Work::Day { rooms: 1000, clients: 5, messages: 1_000_000 },
        peers: KEPT,
        figures: &[WriteAmplification, WriteAmplificationQuiet, FolderPeak, FolderAfter, P99],
    },
];
