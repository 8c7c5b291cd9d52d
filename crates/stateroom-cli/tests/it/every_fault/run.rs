//! One run: lives of a server with a fault in one of their calls, then two without, in which all is
//! compared.

use super::script::{DELETED, PATIENCE, ROOMS, Script, TIMER};
use crate::{
    kept::{Site, ledger},
    ledgers::{Known, Stop, TICK, Talker, Visit},
    preload::{Fault, cached},
    process::{Running, stateroom},
};
use std::{fmt, process::Command};

/// What rooms survive in a run.
pub(super) const LEVELS: [&str; 2] = ["power-loss", "crash"];

/// In which call of how rooms are kept something happens, and what.
#[derive(Clone)]
pub(super) struct Run {
    level: &'static str,
    call: u64,
    kind: String,
}

impl fmt::Display for Run {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}/{}", self.level, self.call, self.kind)
    }
}

impl Run {
    pub(super) fn new(level: &'static str, call: u64, kind: &str) -> Run {
        Run { level, call, kind: kind.to_owned() }
    }

    /// As [`Display`](fmt::Display) writes it.
    pub(super) fn parse(text: &str) -> Option<Run> {
        let mut parts = text.split('/');
        let named = parts.next()?;
        let level = LEVELS.into_iter().find(|level| *level == named)?;
        let call = parts.next()?.parse().ok()?;
        Some(Run::new(level, call, parts.next()?))
    }

    /// Whether the fault was met.
    pub(super) fn carry_out(&self) -> Result<bool, String> {
        self.told().map(|(fault, _site)| fault.happened_at() > 0)
    }

    /// What calls there were.
    pub(super) fn count(&self) -> Result<Vec<u8>, String> {
        self.told().map(|(fault, _site)| fault.told())
    }

    fn told(&self) -> Result<(Fault, Site), String> {
        // All that is quiet goes to the disk at once.
        let site = Site::with(
            &ledger(0),
            &[
                ["--survives", self.level],
                ["--empty-room-timeout", "20ms"],
                ["--sleep-after", "10ms"],
                ["--hibernate-after", "20ms"],
                ["--shards", "1"],
            ]
            .concat(),
        );
        let file = site.folder.path().join("fault");
        let fault = Fault::new(&site.data(), &file, self.call, &self.kind);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let is_kill = matches!(&*self.kind, "torn" | "kill-before" | "kill-after");
        runtime.block_on(async {
            let mut script = Script::new(&site, &fault, is_kill);
            script.play().await.map_err(|problem| {
                format!("at {} of {} calls: {problem}", fault.happened_at(), fault.calls())
            })?;
            check(&site, script).await
        })?;
        Ok((fault, site))
    }
}

/// `stateroom rooms`, with these arguments.
pub(super) fn rooms(site: &Site, arguments: &[&str]) -> Command {
    let mut command = cached(stateroom(["rooms", "--data-dir"]));
    command.env_remove("STATEROOM_EPHEMERAL").current_dir(site.folder.path());
    command.arg(site.data()).args(arguments);
    command
}

/// Nothing fails any more: each room opens and has what it must have, in a life that ends in a kill,
/// and in one that ends in order.
async fn check(site: &Site, script: Script<'_>) -> Result<(), String> {
    let (mut number, has_failed) = (script.next_number, script.has_failed());
    let mut visits: Vec<Visit> = script.visits;
    let mut known: [Known; ROOMS.len()] = Default::default();
    for life in ["the first life afterwards", "the second life afterwards"] {
        let said = |problem: String| format!("in {life}: {problem}");
        list(site).map_err(said)?;
        let mut server = Running::start(&mut cached(site.command()));
        let Some(address) = server.try_address(PATIENCE) else {
            return Err(said(format!("the server does not start:\n{}", server.said())));
        };
        let mut talkers = Vec::new();
        for (room, name) in ROOMS.iter().enumerate() {
            let mut past: Vec<Visit> = visits.extract_if(.., |visit| visit.room == room).collect();
            let opened = async {
                let mut talker = Talker::enter(&address, name, room, PATIENCE).await?;
                let mut log = talker.log(PATIENCE).await?;
                if room == TIMER && script.is_timer_set && !log.contains(&TICK) {
                    talker.hears(&format!("added {TICK}"), PATIENCE).await?;
                    log = talker.log(PATIENCE).await?;
                }
                let ballast = talker.ask("ballast", PATIENCE).await?;
                Ok((talker, log, ballast))
            };
            let opened: Result<_, Stop> = opened.await;
            let (mut talker, log, ballast) = opened
                .map_err(|stop| said(format!("{name}: {stop}\n{past:#?}\n{}", server.said())))?;
            if room == DELETED && script.may_be_deleted && log.is_empty() {
                past.clear();
            }
            let told = format!("it has {log:?}\n{past:#?}\n{}", server.said());
            known[room]
                .compare(log, &past, has_failed)
                .map_err(|problem| said(format!("{name}: {problem}\n{told}")))?;
            let wanted = script.ballast.as_ref().filter(|(of, _)| *of == room);
            if wanted.is_some_and(|(_, wanted)| *wanted != ballast) {
                return Err(said(format!("{name}: its ballast is {ballast}, not {wanted:?}")));
            }
            number += 1;
            talker.enters("add", number, PATIENCE).await.map_err(|stop| {
                said(format!("{name} does not take {number}: {stop}\n{}", server.said()))
            })?;
            talkers.push(talker);
        }
        list(site).map_err(said)?;
        let is_last = life.contains("second");
        server.signal(if is_last { "-TERM" } else { "-KILL" });
        for talker in talkers {
            visits.push(talker.rest(PATIENCE).await);
        }
        let Some(status) = server.ends_within(PATIENCE) else {
            return Err(said(format!("the server does not end:\n{}", server.said())));
        };
        if is_last && !status.success() {
            return Err(said(format!("the server ended with {status}:\n{}", server.said())));
        }
    }
    Ok(())
}

/// All rooms are listed, and none is called damaged.
fn list(site: &Site) -> Result<(), String> {
    if !site.data().is_dir() {
        // The very first call was the one that failed.
        return Ok(());
    }
    let output = rooms(site, &["--json"]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() || told.replace("\"damaged\":false", "").contains("damaged") {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("`stateroom rooms` ended with {}: {told}{said}", output.status));
    }
    Ok(())
}
