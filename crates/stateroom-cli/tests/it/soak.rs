//! Rooms whose server is killed again and again while clients talk in them, and is treated badly in
//! between: what a client has seen is in the state, once and in order, and nothing else is.
//!
//! `SOAK_KILLS` says how often, `SOAK_SEED` with which luck. What each life of the server is like
//! follows from the seed: how it is set, how old its rooms are, whether its disk is full for a while,
//! its clock is wrong, it is stopped and continued, or given new code.

mod life;
mod visitors;

use crate::{
    kept::{Site, ledger},
    ledgers::{Known, TICK, Talker, Visit},
    preload::Fault,
    process::Running,
};
use fastrand::Rng;
use life::Life;
use std::{
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, Instant},
};
use tokio::time::{sleep, timeout};
use visitors::{LARGE, ROOMS, TICKING, Visitors};

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn what_clients_have_seen_survives_whatever_happens_to_their_server() {
    let number = |name, default| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (kills, seed) = (number("SOAK_KILLS", 40), number("SOAK_SEED", 1));
    eprintln!("SOAK_KILLS={kills} SOAK_SEED={seed}");
    let mut soak = Soak::new(Rng::with_seed(seed));
    if let Err(problem) = soak.run(kills).await {
        panic!("SOAK_SEED={seed}, after {} lives: {problem}", soak.lives);
    }
}

/// How often each has been tried.
#[derive(Debug, Default)]
struct Counts {
    kills: u64,
    ends_in_order: u64,
    full_disks: u64,
    wrong_clocks: u64,
    pauses: u64,
    deploys: u64,
    entries_seen: usize,
    failed_messages: usize,
}

struct Soak {
    random: Rng,
    site: Site,
    /// How many lives of a server are left to these rooms.
    lives_left: u32,
    lives: u64,
    version: usize,
    numbers: Arc<AtomicU64>,
    known: [Known; ROOMS.len()],
    visits: Vec<Visit>,
    counts: Counts,
}

impl Soak {
    fn new(random: Rng) -> Soak {
        Soak {
            random,
            site: Site::with(&ledger(0), &[]),
            lives_left: 0,
            lives: 0,
            version: 0,
            numbers: Arc::default(),
            known: Default::default(),
            visits: Vec::new(),
            counts: Counts::default(),
        }
    }

    async fn run(&mut self, kills: u64) -> Result<(), String> {
        let started = Instant::now();
        while self.counts.kills < kills {
            if self.lives_left == 0 {
                self.site = Site::with(&ledger(0), &[]);
                self.known = Default::default();
                self.visits.clear();
                self.version = 0;
                self.lives_left = self.random.u32(10..60);
            }
            self.lives_left -= 1;
            self.lives += 1;
            let life = Life::draw(&mut self.random);
            self.live(&life).await.map_err(|problem| format!("{problem}\n{life:?}"))?;
        }
        let seconds = started.elapsed().as_secs();
        eprintln!("{} lives in {seconds} s: {:?}; 0 wrong", self.lives, self.counts);
        assert!(self.counts.entries_seen > kills as usize, "clients have seen something");
        Ok(())
    }

    async fn live(&mut self, life: &Life) -> Result<(), String> {
        self.site.arguments = life.arguments.clone();
        if life.deploys {
            self.deploy();
        }
        let fault =
            Fault::new(&self.site.data(), &self.site.folder.path().join("fault"), 1, "enospc");
        let fault = fault.sticky();
        fault.lift();
        let mut server = Running::start(&mut life.command(&self.site, &fault));
        if let Some(time) = life.dies_after {
            // So early that it may not even have opened its store.
            sleep(time).await;
            self.counts.kills += 1;
            return Ok(());
        }
        let Some(address) = server.try_address(PATIENCE) else {
            return Err(format!("the server does not start:\n{}", server.said()));
        };
        self.check(&address, &mut server, life).await?;
        let visitors = Visitors::let_in(&address, &self.numbers, &mut self.random);
        let ended = self.treat(life, &fault, &address, &mut server).await;
        visitors.is_over();
        let by_itself = server.ends_within(Duration::ZERO);
        if let Some(status) = by_itself
            && !(life.is_disk_full && status.code() == Some(74))
        {
            return Err(format!("the server ended by itself, {status}:\n{}", server.said()));
        }
        if life.ends_in_order && ended.is_ok() && by_itself.is_none() {
            server.signal("-TERM");
            self.visits.extend(visitors.all().await);
            let Some(status) = server.ends_within(PATIENCE) else {
                return Err(format!("the server goes on:\n{}", server.said()));
            };
            // Where its disk is full it says which rooms it could not save.
            if !status.success() && !life.is_disk_full {
                return Err(format!("the server ended with {status}:\n{}", server.said()));
            }
            self.counts.ends_in_order += 1;
        } else {
            drop(server);
            self.visits.extend(visitors.all().await);
            self.counts.kills += 1;
        }
        self.counts.wrong_clocks += u64::from(life.clock_offset != 0);
        self.counts.full_disks += u64::from(life.is_disk_full);
        if life.is_disk_full {
            // Whom it turned away then did nothing wrong.
            self.visits.iter_mut().for_each(|visit| visit.end = None);
        }
        ended
    }

    /// Does to the server what is to be done to it while clients talk.
    async fn treat(
        &mut self,
        life: &Life,
        fault: &Fault,
        address: &str,
        server: &mut Running,
    ) -> Result<(), String> {
        sleep(life.time / 2).await;
        if life.is_paused {
            server.signal("-STOP");
            sleep(life.pause).await;
            server.signal("-CONT");
            self.counts.pauses += 1;
        }
        if life.reloads {
            self.deploy();
            server.signal("-HUP");
        }
        if life.is_disk_full {
            fault.arm();
            sleep(life.pause).await;
            fault.lift();
            self.serves_or_ends(address, server).await?;
        }
        sleep(life.time / 2).await;
        Ok(())
    }

    fn deploy(&mut self) {
        self.version = (self.version + 1) % 100;
        self.site.deploy(&ledger(self.version));
        self.counts.deploys += 1;
    }

    /// After its disk was full: either every room takes a message soon, or it ends, and says so.
    async fn serves_or_ends(&mut self, address: &str, server: &mut Running) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        let mut rooms: Vec<usize> = (0..ROOMS.len()).collect();
        while let Some(&room) = rooms.last() {
            if let Some(status) = server.ends_within(Duration::ZERO) {
                return match status.code() {
                    Some(74) => Ok(()),
                    _ => Err(format!("its disk was full, and it ended with {status}")),
                };
            }
            let taken = match Talker::enter(address, ROOMS[room], room, Duration::from_secs(2))
                .await
            {
                Ok(mut talker) => {
                    let number = self.numbers.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    let taken = talker.enters("add", number, Duration::from_secs(2)).await;
                    talker.visit.end = None;
                    self.visits.push(talker.visit);
                    taken
                }
                Err(stop) => Err(stop),
            };
            match taken {
                Ok(()) => _ = rooms.pop(),
                Err(stop) if Instant::now() > deadline => {
                    let (name, said) = (ROOMS[room], server.said());
                    return Err(format!("its disk was full, and now {name}: {stop}\n{said}"));
                }
                Err(_) => sleep(Duration::from_millis(20)).await,
            }
        }
        Ok(())
    }

    /// Compares what each room has in its ledger with what was said and seen.
    async fn check(
        &mut self,
        address: &str,
        server: &mut Running,
        life: &Life,
    ) -> Result<(), String> {
        for (room, name) in ROOMS.iter().enumerate() {
            let visits: Vec<Visit> =
                self.visits.extract_if(.., |visit| visit.room == room).collect();
            let opened = async {
                let mut talker = Talker::enter(address, name, room, PATIENCE).await?;
                let log = talker.log(PATIENCE).await?;
                if log.is_empty() {
                    match room {
                        // It goes on for ever.
                        TICKING => talker.says("tick 20").await?,
                        LARGE => talker.says(&format!("swell {}", life.ballast)).await?,
                        _ => {}
                    }
                }
                let ballast = talker.ask("ballast", PATIENCE).await?;
                Ok::<_, crate::ledgers::Stop>((talker, log, ballast))
            };
            let (mut talker, log, ballast) = opened
                .await
                .map_err(|stop| format!("{name}: {stop}\n{visits:#?}\n{}", server.said()))?;
            let ticks = log.iter().filter(|entry| **entry >= TICK).count();
            let end = log[log.len().saturating_sub(50)..].to_vec();
            self.known[room].compare(log, &visits, false).map_err(|problem| {
                format!("{name}: {problem}\nit ends with {end:?}\n{visits:#?}\n{}", server.said())
            })?;
            if room == LARGE && ballast.starts_with("0 ") {
                return Err(format!("{name} has lost what it held: {ballast}"));
            }
            if room == TICKING && ticks > 0 {
                // Whatever the clock was before.
                let next = format!("added {}", TICK + ticks as u64);
                let ticked = timeout(PATIENCE, async {
                    let is_there = |visit: &Visit| visit.seen.contains(&(TICK + ticks as u64));
                    while !is_there(&talker.visit) {
                        talker.next(PATIENCE).await.map_err(drop)?;
                    }
                    Ok::<_, ()>(())
                });
                if ticked.await != Ok(Ok(())) {
                    return Err(format!("{name} is not told {next}\n{}", server.said()));
                }
            }
            self.counts.entries_seen += visits.iter().map(|visit| visit.seen.len()).sum::<usize>();
            self.counts.failed_messages += visits.iter().filter(|visit| visit.has_failed()).count();
        }
        Ok(())
    }
}
