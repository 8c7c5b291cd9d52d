//! What clients do in the lives of a server in which something fails: the same each time.

use crate::{
    kept::Site,
    ledgers::{Stop, TICK, Talker, Visit},
    preload::Fault,
    process::try_get,
};
use std::time::{Duration, Instant};

/// The rooms: in each something else happens.
pub(super) const ROOMS: [&str; 5] = ["quiet", "busy", "large", "timer", "deleted"];
const QUIET: usize = 0;
const BUSY: usize = 1;
const LARGE: usize = 2;
pub(super) const TIMER: usize = 3;
pub(super) const DELETED: usize = 4;

/// Longer than any answer takes, also where something has to be tried again.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// How much the large room holds, in KiB.
const BALLAST: u32 = 300;

/// What was done and seen so far.
pub(super) struct Script<'a> {
    pub(super) site: &'a Site,
    pub(super) fault: &'a Fault,
    /// Whether the fault is a kill.
    pub(super) is_kill: bool,
    pub(super) talkers: Vec<Talker>,
    pub(super) visits: Vec<Visit>,
    pub(super) next_number: u64,
    /// Whether the room was told that its timer is set.
    pub(super) is_timer_set: bool,
    /// Whether the room that was to be deleted can be there or not.
    pub(super) may_be_deleted: bool,
    /// The room that holds much, and what it has told of that.
    pub(super) ballast: Option<(usize, String)>,
}

impl<'a> Script<'a> {
    pub(super) fn new(site: &'a Site, fault: &'a Fault, is_kill: bool) -> Script<'a> {
        Script {
            site,
            fault,
            is_kill,
            talkers: Vec::new(),
            visits: Vec::new(),
            next_number: 0,
            is_timer_set: false,
            may_be_deleted: false,
            ballast: None,
        }
    }

    pub(super) fn has_happened(&self) -> bool {
        self.fault.happened_at() > 0
    }

    /// Whether a call has failed, and the process was not killed there.
    pub(super) fn has_failed(&self) -> bool {
        self.has_happened() && !self.is_kill
    }

    async fn enter(&mut self, address: &str, room: usize) -> Result<usize, Stop> {
        self.enter_as(address, room, "").await
    }

    async fn enter_as(&mut self, address: &str, room: usize, who: &str) -> Result<usize, Stop> {
        let name = format!("{}{who}", ROOMS[room]);
        self.talkers.push(Talker::enter(address, &name, room, PATIENCE).await?);
        Ok(self.talkers.len() - 1)
    }

    /// Has the talker enter the next number.
    async fn add(&mut self, talker: usize) -> Result<(), Stop> {
        self.next_number += 1;
        self.talkers[talker].enters("add", self.next_number, PATIENCE).await
    }

    /// The talker goes, without a word about it.
    fn leave(&mut self, talker: usize) {
        self.visits.push(self.talkers.remove(talker).visit);
    }

    pub(super) async fn first_life(&mut self, address: &str) -> Result<(), Stop> {
        let quiet = self.enter(address, QUIET).await?;
        self.add(quiet).await?;
        let first = self.enter(address, BUSY).await?;
        let second = self.enter(address, BUSY).await?;
        for _ in 0..6 {
            self.add(first).await?;
            self.add(second).await?;
        }
        let failing = self.enter_as(address, BUSY, "?token=fails").await?;
        self.add(failing).await?;
        self.next_number += 1;
        let trap = self.next_number;
        self.talkers[failing].visit.trapped = Some(trap);
        self.talkers[failing].says(&format!("trap {trap}")).await?;
        while self.talkers[failing].next(PATIENCE).await.is_ok() {}
        if !self.talkers[failing].visit.has_failed() {
            return Err(Stop::Ended("the one whose message fails is not closed for it".to_owned()));
        }
        self.leave(failing);

        let large = self.enter(address, LARGE).await?;
        self.talkers[large].says(&format!("swell {BALLAST}")).await?;
        let ballast = self.talkers[large].ask("ballast", PATIENCE).await?;
        self.ballast = Some((LARGE, ballast));
        self.add(large).await?;
        self.leave(large);

        let deleted = self.enter(address, DELETED).await?;
        self.add(deleted).await?;
        self.leave(deleted);

        let timer = self.enter(address, TIMER).await?;
        self.talkers[timer].says("alarm 30").await?;
        self.talkers[timer].log(PATIENCE).await?;
        self.is_timer_set = true;
        while !self.talkers[timer].visit.seen.contains(&TICK) {
            self.talkers[timer].next(PATIENCE).await?;
        }
        self.leave(timer);

        // Those that nobody is in go to the disk.
        self.until_left(address, 2).await;
        for _ in 0..6 {
            self.add(first).await?;
            self.add(second).await?;
        }
        Ok(())
    }

    pub(super) async fn second_life(&mut self, address: &str) -> Result<(), Stop> {
        for room in [LARGE, QUIET, DELETED, TIMER, BUSY] {
            let talker = self.enter(address, room).await?;
            self.add(talker).await?;
        }
        let busy = self.talkers.len() - 1;
        for _ in 0..3 {
            self.add(busy).await?;
        }
        Ok(())
    }

    pub(super) async fn third_life(&mut self, address: &str) -> Result<(), Stop> {
        let quiet = self.enter(address, QUIET).await?;
        self.add(quiet).await?;
        let busy = self.enter(address, BUSY).await?;
        self.add(busy).await
    }

    /// Lets all rooms but so many, which have clients, leave memory, if they do so soon.
    async fn until_left(&self, address: &str, rooms: u64) {
        let deadline = Instant::now() + Duration::from_millis(300);
        while Instant::now() < deadline {
            let status = try_get(address, "/status").map(|(_, status)| status).unwrap_or_default();
            let status: serde_json::Value = serde_json::from_str(&status).unwrap_or_default();
            if status["rooms"].as_u64().is_none_or(|there| there <= rooms) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
