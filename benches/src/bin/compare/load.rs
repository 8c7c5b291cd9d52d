//! Puts load on a server that runs, and tells what came of it.

use crate::{
    day::day,
    figure::{Figure, Figures, wrong},
    kill::kill,
    observe::observe,
    peer::Peer,
    scenario::{Mode, Pace, Scenario, Work},
    visit,
};
use anyhow::ensure;
use stateroom_benches::{Running, Usage, spin};
use stateroom_load::{Activity, Expect, OpenedWhen, Plan, Report, run};
use std::time::Duration;

/// From how many addresses the connections of one scenario come, so that ports do not run out.
const ADDRESSES: u8 = 8;
/// How long answers are waited for that take a server long.
const SLOW_SERVER: Duration = Duration::from_secs(120);
/// How many clients the rooms that nobody measures have, which make a server fetch its code.
const STRANGERS: u32 = 20;

/// How long the parts of a measurement take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lengths {
    /// Of sending, before it is measured.
    pub(crate) warmup: Duration,
    /// Of what is measured.
    pub(crate) measured: Duration,
    /// How many connections and rooms there are, as a share of what scenarios say: 1 except in
    /// trials.
    pub(crate) scale: f64,
}

/// Does to `server` what `scenario` says.
pub(crate) fn measure(
    scenario: &Scenario,
    peer: &Peer,
    server: &mut Running,
    lengths: Lengths,
) -> anyhow::Result<Figures> {
    let scaled = |count: u32| ((f64::from(count) * lengths.scale) as u32).max(1);
    let mut plan = plan(peer, server, scenario.mode)?;
    plan.warmup = lengths.warmup;
    plan.duration = lengths.measured;
    match scenario.work {
        Work::Messages { rooms, clients, pace, spinning } => {
            plan.rooms = if clients == 1 { scaled(rooms) } else { rooms };
            plan.clients = clients;
            plan.senders = Some(1);
            plan.pace = match pace {
                Pace::Rate(rate) => stateroom_load::Pace::Rate(rate.into()),
                Pace::Window(window) => stateroom_load::Pace::Window(window),
            };
            let _spinning = spin(server.address, spinning)?;
            let observed = Observed::of(&plan, peer, server)?;
            let report = &observed.report;
            ensure!(report.counts.delivered > 0, "no message came: {:?}", report.errors);
            Ok(observed.of_messages())
        }
        Work::Connect { connections } => {
            let connections = scaled(connections);
            meet_strangers(peer, server)?;
            plan.rooms = connections;
            plan.source_addresses = ADDRESSES;
            plan.activity = Activity::ConnectOnly { connections, opened: OpenedWhen::Echo };
            let report = run(&plan, peer.dialect(), |_| ())?;
            let per_second = report.connections_per_second;
            Ok(Figures::from([
                (Figure::ConnectionsPerSecond, per_second),
                (Figure::Wrong, wrong(&report)),
            ]))
        }
        Work::Idle { connections, seconds, one_room } => {
            meet_strangers(peer, server)?;
            let before = server.usage()?;
            (plan.rooms, plan.clients) = (scaled(connections), 1);
            if one_room {
                (plan.rooms, plan.clients) = (1, scaled(connections));
            }
            plan.activity = Activity::Hold;
            plan.duration = Duration::from_secs(seconds.into());
            let observed = Observed::of(&plan, peer, server)?;
            Ok(observed.of_idle(before))
        }
        Work::Visit { rooms } => visit::visit(server, scaled(rooms)),
        Work::Kill { rooms, messages } => {
            meet_strangers(peer, server)?;
            kill(server, scaled(rooms), messages)
        }
        Work::Hibernate { rooms } => {
            let started = server.usage()?.resident;
            meet_strangers(peer, server)?;
            let empty = server.usage()?.resident;
            visit::hibernate(server, scaled(rooms), (started, empty))
        }
        Work::Day { rooms, clients, messages } => {
            day(server, scaled(rooms), clients, scaled(messages))
        }
    }
}

/// What a run came to, and what the server used meanwhile.
struct Observed {
    report: Report,
    begin: Usage,
    end: Usage,
}

fn plan(peer: &Peer, server: &Running, mode: Mode) -> anyhow::Result<Plan> {
    // Our own module does what the room's name says; the others were told when they started.
    let url = format!("ws://{}/ws/{}-{{room}}", server.address, mode.name());
    let mut plan = Plan::new(url.parse()?);
    plan.expect = match mode {
        Mode::Echo => Expect::Echo,
        Mode::Broadcast => Expect::Broadcast,
    };
    plan.binary = peer.is_binary();
    if peer.is_slow {
        // What waits at one time takes it a quarter of a minute, and is not lost.
        plan.patience = SLOW_SERVER;
    }
    Ok(plan)
}

/// Lets some clients come, talk and go, so that what a server does once does not count as memory
/// of a connection.
fn meet_strangers(peer: &Peer, server: &Running) -> anyhow::Result<()> {
    let mut plan = plan(peer, server, Mode::Echo)?;
    plan.target = format!("ws://{}/ws/echo-stranger-{{room}}", server.address).parse()?;
    plan.rooms = STRANGERS;
    plan.warmup = Duration::ZERO;
    plan.duration = Duration::from_secs(1);
    plan.pace = stateroom_load::Pace::Rate(1000.0);
    run(&plan, peer.dialect(), |_| ())?;
    Ok(())
}

impl Observed {
    fn of(plan: &Plan, peer: &Peer, server: &Running) -> anyhow::Result<Observed> {
        let (report, begin, end) = observe(plan, peer.dialect(), || server.usage(), || ())?;
        Ok(Observed { report, begin, end })
    }

    fn of_messages(&self) -> Figures {
        let (report, cpu) = (&self.report, self.end.cpu_since(self.begin));
        let seconds = (self.end.at - self.begin.at).as_secs_f64();
        let deliveries = report.deliveries_per_second * seconds;
        Figures::from([
            (Figure::DeliveriesPerSecond, report.deliveries_per_second),
            (Figure::CpuPerDelivery, cpu * 1e6 / deliveries.max(1.0)),
            (Figure::P50, report.latency.p50),
            (Figure::P99, report.latency.p99),
            (Figure::GeneratorBusy, report.generator.busy),
            (Figure::Wrong, wrong(report)),
        ])
    }

    fn of_idle(&self, before: Usage) -> Figures {
        let count = self.report.counts.connected.max(1) as f64;
        let seconds = (self.end.at - self.begin.at).as_secs_f64();
        let cpu = self.end.cpu_since(self.begin) * 1e6;
        Figures::from([
            (Figure::BytesPerConnection, (self.end.resident - before.resident) / count),
            (Figure::CpuPerConnection, cpu / count / seconds),
            (Figure::ResidentBytes, self.end.resident),
            (Figure::Wrong, wrong(&self.report)),
        ])
    }
}
