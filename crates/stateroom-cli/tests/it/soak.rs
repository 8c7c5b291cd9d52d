//! Rooms whose server is killed again and again while clients talk in them, at any moment: what a
//! client has seen is in the state, once and in order, and nothing else is.
//!
//! `SOAK_KILLS` says how often, `SOAK_SEED` with which luck.

use crate::{
    kept::{End, Member, Site},
    process::Running,
};
use fastrand::Rng;
use futures_util::SinkExt as _;
use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::time::{sleep, sleep_until};

const ROOMS: usize = 5;
const CLIENTS_PER_ROOM: usize = 3;

/// How many messages may fail in a room in one life of the server: with one more it would pause.
const TRAPS_PER_LIFE: usize = 2;

/// From here on an entry of the ledger is a tick of its timer.
const TICK: u64 = 1 << 32;

#[tokio::test]
async fn what_clients_have_seen_survives_kills_at_any_moment() {
    Soak::new(&["--survives", "crash"]).run(15).await;
}

#[tokio::test]
async fn what_clients_have_seen_survives_kills_while_rooms_come_from_disk_and_go_there() {
    let often = ["--hibernate-after", "50ms", "--sleep-after", "10ms"];
    let all = [&often[..], &["--empty-room-timeout", "50ms", "--survives", "power-loss"]].concat();
    Soak::new(&all).run(15).await;
}

/// From joining a room to the end of the connection.
#[derive(Debug)]
struct Visit {
    room: usize,
    id: u32,
    /// How many entries there were.
    joined_at: usize,
    /// Those that came then, as far as it was told.
    seen: Vec<u64>,
    /// What it said to be entered, in order.
    sent: Vec<u64>,
    /// What it said last, so that the message fails.
    trapped: Option<u64>,
    end: End,
}

impl Visit {
    /// Whether it was closed because its message failed.
    fn has_failed(&self) -> bool {
        self.end.as_ref().is_some_and(|(code, _)| *code == 1011)
    }
}

/// What is known of a room.
#[derive(Debug, Default)]
struct Known {
    log: Vec<u64>,
    sent: HashSet<u64>,
    ids: HashSet<u32>,
}

/// One life of the server.
struct Life {
    address: String,
    numbers: Arc<AtomicU64>,
    is_over: AtomicBool,
    traps_left: [AtomicUsize; ROOMS],
}

struct Soak {
    site: Site,
    random: Rng,
    numbers: Arc<AtomicU64>,
    known: [Known; ROOMS],
    visits: Vec<Visit>,
    entries_seen: usize,
    traps_seen: usize,
}

impl Soak {
    fn new(arguments: &[&str]) -> Soak {
        let seed = std::env::var("SOAK_SEED").map_or(1, |seed| seed.parse().unwrap());
        Soak {
            site: Site::new(&[arguments, &["--log", "debug"]].concat()),
            random: Rng::with_seed(seed),
            numbers: Arc::default(),
            known: Default::default(),
            visits: Vec::new(),
            entries_seen: 0,
            traps_seen: 0,
        }
    }

    async fn run(mut self, kills: usize) {
        let kills = std::env::var("SOAK_KILLS").map_or(kills, |kills| kills.parse().unwrap());
        let (mut killed, mut stopped) = (0, 0);
        let started = Instant::now();
        while killed < kills {
            if self.random.u8(0..6) == 0 {
                // So early that it may not even have opened its store.
                let server = Running::start(&mut self.site.command());
                sleep(Duration::from_millis(self.random.u64(0..150))).await;
                drop(server);
                killed += 1;
                continue;
            }
            let (mut server, address) = self.site.serve();
            self.check(&address, &mut server).await;
            let visitors = self.let_clients_in(&address);
            let time = match self.random.u8(0..4) {
                0 => self.random.u64(0..20),
                _ => self.random.u64(20..400),
            };
            sleep(Duration::from_millis(time)).await;
            let is_stopped = self.random.u8(0..5) == 0;
            match is_stopped {
                true => {
                    // It waits for its clients, which are on this thread.
                    let ended = tokio::task::spawn_blocking(|| server.terminate());
                    assert_eq!(ended.await.unwrap(), Some(0));
                    stopped += 1;
                }
                false => {
                    drop(server);
                    killed += 1;
                }
            }
            visitors.0.is_over.store(true, Relaxed);
            for visitor in visitors.1 {
                self.visits.extend(visitor.await.unwrap());
            }
        }
        let (mut server, address) = self.site.serve();
        self.check(&address, &mut server).await;
        let entries: usize = self.known.iter().map(|known| known.log.len()).sum();
        eprintln!(
            "killed {killed} times and stopped {stopped} times in {:.0} s: {entries} entries, seen \
             {} times by clients, and {} failed messages",
            started.elapsed().as_secs_f64(),
            self.entries_seen,
            self.traps_seen,
        );
        assert!(self.entries_seen > kills && self.traps_seen > 0, "all of that has happened");
    }

    fn let_clients_in(
        &mut self,
        address: &str,
    ) -> (Arc<Life>, Vec<tokio::task::JoinHandle<Vec<Visit>>>) {
        let life = Arc::new(Life {
            address: address.to_owned(),
            numbers: self.numbers.clone(),
            is_over: AtomicBool::new(false),
            traps_left: [const { AtomicUsize::new(TRAPS_PER_LIFE) }; ROOMS],
        });
        let visitors = (0..ROOMS * CLIENTS_PER_ROOM)
            .map(|number| {
                tokio::spawn(visit_again_and_again(
                    life.clone(),
                    number % ROOMS,
                    self.random.fork(),
                ))
            })
            .collect();
        (life, visitors)
    }

    /// Compares what each room has in its ledger with what was said and seen.
    async fn check(&mut self, address: &str, server: &mut Running) {
        for room in 0..ROOMS {
            let mut member = match Member::try_join(address, &format!("room-{room}")).await {
                Ok(member) => member,
                Err(error) => panic!("room {room}: {error}\n{}", server.said()),
            };
            member.says("log").await;
            let log = loop {
                match member.next().await {
                    Ok(text) if text.starts_with("log ") => break text,
                    Ok(_) => {}
                    Err(end) => panic!("room {room} ended with {end:?}\n{}", server.said()),
                }
            };
            let log: Vec<u64> = serde_json::from_str(log.split_once(' ').unwrap().1).unwrap();
            // The timer of one of them goes on for ever.
            if room == 0 && log.is_empty() {
                member.says("tick 20").await;
            }
            let visits = self.visits.extract_if(.., |visit| visit.room == room).collect::<Vec<_>>();
            let known = &mut self.known[room];
            if let Err(problem) = known.compare(&log, &visits) {
                let end = &log[log.len().saturating_sub(50)..];
                panic!(
                    "room {room}: {problem}\nthe ledger ends with {end:?}\n{visits:#?}\n{}",
                    server.said()
                );
            }
            self.entries_seen += visits.iter().map(|visit| visit.seen.len()).sum::<usize>();
            self.traps_seen += visits.iter().filter(|visit| visit.has_failed()).count();
            known.log = log;
        }
    }
}

impl Known {
    fn compare(&mut self, log: &[u64], visits: &[Visit]) -> Result<(), String> {
        if !log.starts_with(&self.log) {
            return Err("what was there before has changed".to_owned());
        }
        for visit in visits {
            let at = visit.joined_at;
            if log.get(at..at + visit.seen.len()) != Some(&visit.seen) {
                return Err(format!("client {} has seen something else", visit.id));
            }
            if visit.trapped.is_some_and(|trapped| log.contains(&trapped)) {
                return Err(format!("a message of client {} that failed is there", visit.id));
            }
            let mut rest = log.iter();
            let entered =
                visit.sent.iter().take_while(|sent| rest.any(|entry| entry == *sent)).count();
            let (_, lost) = visit.sent.split_at(entered);
            if lost.iter().any(|number| log.contains(number)) {
                return Err(format!("client {}'s {} is missing before others", visit.id, lost[0]));
            }
            if visit.has_failed() && (visit.trapped.is_none() || !lost.is_empty()) {
                return Err(format!("client {} was closed: {:?}", visit.id, visit.end));
            }
            if !self.ids.insert(visit.id) {
                return Err(format!("client {} was there before", visit.id));
            }
            self.sent.extend(&visit.sent);
        }
        let entries: HashSet<_> = log.iter().collect();
        if entries.len() != log.len() {
            return Err("an entry is there twice".to_owned());
        }
        let (ticks, numbers): (Vec<u64>, Vec<u64>) = log.iter().partition(|entry| **entry >= TICK);
        if let Some(unknown) = numbers.iter().find(|number| !self.sent.contains(number)) {
            return Err(format!("nobody has said {unknown}"));
        }
        match ticks.iter().zip(TICK..).all(|(tick, wanted)| *tick == wanted) {
            true => Ok(()),
            false => Err("a tick of the timer is missing".to_owned()),
        }
    }
}

async fn visit_again_and_again(life: Arc<Life>, room: usize, mut random: Rng) -> Vec<Visit> {
    let mut visits = Vec::new();
    while !life.is_over.load(Relaxed)
        && let Some(visit) = visit(&life, room, &mut random).await
    {
        visits.push(visit);
    }
    visits
}

/// Talks in a room for a while, or to the end of it; `None` if there was not even a welcome.
async fn visit(life: &Life, room: usize, random: &mut Rng) -> Option<Visit> {
    let mut member = Member::try_join(&life.address, &format!("room-{room}")).await.ok()?;
    let welcome = loop {
        let text = member.next().await.ok()?;
        if text.starts_with("welcome") {
            break text;
        }
    };
    let mut words = welcome.split(' ').skip(1);
    let mut visit = Visit {
        room,
        id: words.next().unwrap().parse().unwrap(),
        joined_at: words.next().unwrap().parse().unwrap(),
        seen: Vec::new(),
        sent: Vec::new(),
        trapped: None,
        end: None,
    };
    let mut speaks_at = tokio::time::Instant::now();
    let mut bursts = random.u32(1..30);
    loop {
        tokio::select! {
            next = member.next() => match next {
                Ok(text) => {
                    if let Some(number) = text.strip_prefix("added ") {
                        visit.seen.push(number.parse().unwrap());
                    }
                }
                Err(end) => {
                    visit.end = end;
                    return Some(visit);
                }
            },
            () = sleep_until(speaks_at), if visit.trapped.is_none() => {
                if bursts == 0 {
                    // What it has not seen, it does not wait for.
                    let _ = member.socket.close(None).await;
                    return Some(visit);
                }
                bursts -= 1;
                for _ in 0..random.u32(0..12) {
                    let number = life.numbers.fetch_add(1, Relaxed);
                    let text = format!("add {number}");
                    visit.sent.push(number);
                    if member.socket.send(text.into()).await.is_err() {
                        break;
                    }
                }
                if random.u8(0..20) == 0 && life.may_trap(room) {
                    let number = life.numbers.fetch_add(1, Relaxed);
                    visit.trapped = Some(number);
                    let _ = member.socket.send(format!("trap {number}").into()).await;
                }
                let pause = if random.u8(0..8) == 0 { 150 } else { random.u64(0..25) };
                speaks_at = tokio::time::Instant::now() + Duration::from_millis(pause);
            }
        }
    }
}

impl Life {
    fn may_trap(&self, room: usize) -> bool {
        self.traps_left[room].fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}
