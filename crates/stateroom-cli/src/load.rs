//! `stateroom load`: tries a running service with many clients, and tells how it did.

use crate::{
    failure::Failure,
    options::{ExpectOption, LoadOptions, OpenedOption},
    terminal,
};
use anyhow::{Context, anyhow};
use stateroom_load::{
    Activity, Expect, LoadError, OpenedWhen, Pace, Phase, Plain, Plan, Progress, Report, Script,
    Target,
};
use std::io::{IsTerminal, stderr};

pub(crate) fn load(options: &LoadOptions) -> anyhow::Result<()> {
    let plan = plan(options).context(Failure::Usage)?;
    let mut watcher = Watcher { terminal: stderr().is_terminal(), ..Watcher::default() };
    let report = stateroom_load::run(&plan, &Plain, |progress| watcher.watch(&plan, progress));
    watcher.clear();
    let report = match report {
        Err(error @ (LoadError::Plan(_) | LoadError::Host { .. })) => {
            return Err(anyhow::Error::new(error).context(Failure::Usage));
        }
        report => report?,
    };
    let text =
        if options.json { serde_json::to_string(&report)? + "\n" } else { report.to_string() };
    terminal::print(&text)?;
    if report.is_clean() {
        return Ok(());
    }
    if let Some(hint) = hint(&plan, &report) {
        return Err(anyhow!("{hint}").context(Failure::Load));
    }
    let faults = [
        (report.counts.lost, "lost"),
        (report.counts.out_of_order, "out of order"),
        (report.counts.duplicated, "duplicated"),
        (report.counts.stray, "stray"),
        (report.counts.unsent, "unsent"),
        (report.errors.values().sum(), "connections failed"),
    ];
    let told: Vec<String> = faults
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, fault)| format!("{count} {fault}"))
        .collect();
    Err(anyhow!("{}", told.join(", ")).context(Failure::Load))
}

/// Why all was lost, where the service sends back nothing that is verified.
fn hint(plan: &Plan, report: &Report) -> Option<String> {
    let is_all_lost = plan.activity == Activity::Messages
        && report.errors.is_empty()
        && report.counts.total_delivered == report.counts.unstamped
        && report.counts.lost > 0;
    let (problem, fix) = match (report.counts.unstamped, &plan.script) {
        _ if !is_all_lost => return None,
        (0, None) => (
            "this service does not send messages back",
            "give --script FILE with messages that it answers",
        ),
        (_, None) => (
            "this service does not send back what it is sent",
            "give --script FILE with messages that it understands",
        ),
        (_, Some(_)) => (
            "this service sends back nothing that has a {stamp} of the script in it",
            "write it where the service passes text on, or leave it out",
        ),
    };
    Some(format!("{problem}: {fix} (--help tells how), or --expect none to verify nothing"))
}

fn plan(options: &LoadOptions) -> anyhow::Result<Plan> {
    let mut plan = Plan::new(options.url.parse::<Target>()?);
    plan.rooms = options.rooms;
    plan.clients = options.clients;
    plan.senders = options.senders;
    plan.expect = match options.expect {
        ExpectOption::Echo => Expect::Echo,
        ExpectOption::Broadcast => Expect::Broadcast,
        ExpectOption::None => Expect::None,
    };
    plan.pace = match (options.rate, options.window) {
        (Some(rate), _) => Pace::Rate(rate),
        (None, window) => Pace::Window(window.unwrap_or(1)),
    };
    plan.bytes = options.bytes;
    plan.binary = options.binary;
    plan.duration = options.duration.0;
    plan.warmup = options.warmup.0;
    plan.ramp = options.ramp.as_deref().map(parse_ramp).transpose()?;
    plan.source_addresses = options.source_addresses;
    plan.script = options.script.as_deref().map(Script::read).transpose()?;
    plan.threads = options.threads;
    if options.hold {
        plan.activity = Activity::Hold;
        plan.warmup = std::time::Duration::ZERO;
    }
    if options.connect_only {
        let opened = match options.opened {
            OpenedOption::Handshake => OpenedWhen::Handshake,
            OpenedOption::Message => OpenedWhen::Message,
            OpenedOption::Echo => OpenedWhen::Echo,
        };
        plan.activity = Activity::ConnectOnly { connections: options.connections, opened };
    }
    if options.source_addresses > 1 && !plan.target.resolve()?.ip().is_loopback() {
        return Err(anyhow!("--source-addresses is for a service on this machine"));
    }
    Ok(plan)
}

/// Reads `500/s`, or plainly `500`.
fn parse_ramp(text: &str) -> anyhow::Result<f64> {
    let number = text.strip_suffix("/s").unwrap_or(text).trim();
    number.parse().with_context(|| format!("--ramp {text}: write it like 500/s"))
}

/// Tells on stderr how far it is.
#[derive(Default)]
struct Watcher {
    terminal: bool,
    /// Whether there is a line to overwrite.
    line: bool,
    last: Option<Progress>,
}

impl Watcher {
    fn watch(&mut self, plan: &Plan, now: &Progress) {
        let was_connecting = self.last.is_none_or(|last| last.phase == Phase::Connecting);
        if was_connecting && now.phase != Phase::Connecting {
            self.clear();
            let seconds = now.elapsed.as_secs_f64();
            terminal::say(
                "Connected",
                format!("{} clients in {seconds:.2} s", now.counts.connected),
            );
        }
        if self.terminal {
            self.clear();
            let before = self.last.map_or((0, 0, 0.0), |last| {
                (last.counts.total_sent, last.counts.total_delivered, last.elapsed.as_secs_f64())
            });
            let seconds = (now.elapsed.as_secs_f64() - before.2).max(1e-9);
            let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
            let text = match (now.phase, plan.activity) {
                (Phase::Connecting, _) => format!("{} connected", now.counts.connected),
                (_, Activity::Messages) => format!(
                    "{:.0} messages and {:.0} deliveries a second, {} open",
                    rate(now.counts.total_sent, before.0),
                    rate(now.counts.total_delivered, before.1),
                    now.counts.open
                ),
                _ => format!("{} open", now.counts.open),
            };
            let phase = match now.phase {
                Phase::Connecting => "Connecting",
                Phase::WarmingUp => "Warming up",
                Phase::Measuring => "Measuring",
                Phase::Finishing => "Finishing",
            };
            terminal::write(&format!("{phase:>12} {text}, {} failed", now.counts.failed));
            self.line = true;
        }
        self.last = Some(*now);
    }

    fn clear(&mut self) {
        if self.line {
            terminal::write("\r\x1b[2K");
            self.line = false;
        }
    }
}
