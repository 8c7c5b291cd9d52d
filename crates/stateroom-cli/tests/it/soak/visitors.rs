//! Clients who come, talk and go, as long as their server lives.

use crate::ledgers::{Talker, Visit};
use fastrand::Rng;
use futures_util::SinkExt as _;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{task::JoinHandle, time::sleep_until};

/// What is done in the rooms; the number of each is its place.
pub(super) const ROOMS: [&str; 6] = ["ticking", "busy", "lively", "quiet", "dear", "large"];
pub(super) const TICKING: usize = 0;
const QUIET: usize = 3;
const DEAR: usize = 4;
pub(super) const LARGE: usize = 5;

const PER_ROOM: usize = 3;

/// How many messages may fail in a room in one life of the server: who goes on is kept away from it.
const TRAPS_PER_LIFE: usize = 2;

const PATIENCE: Duration = Duration::from_secs(25);

/// What they share.
struct Shared {
    address: String,
    numbers: Arc<AtomicU64>,
    is_over: AtomicBool,
    traps_left: [AtomicUsize; ROOMS.len()],
}

pub(super) struct Visitors {
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<Vec<Visit>>>,
}

impl Visitors {
    pub(super) fn let_in(address: &str, numbers: &Arc<AtomicU64>, random: &mut Rng) -> Visitors {
        let shared = Arc::new(Shared {
            address: address.to_owned(),
            numbers: numbers.clone(),
            is_over: AtomicBool::new(false),
            traps_left: [const { AtomicUsize::new(TRAPS_PER_LIFE) }; ROOMS.len()],
        });
        let tasks = (0..ROOMS.len() * PER_ROOM)
            .map(|number| {
                let (shared, random) = (shared.clone(), random.fork());
                tokio::spawn(visit_again_and_again(shared, number % ROOMS.len(), random))
            })
            .collect();
        Visitors { shared, tasks }
    }

    /// Nobody need come any more.
    pub(super) fn is_over(&self) {
        self.shared.is_over.store(true, Relaxed);
    }

    /// What all of them have said and seen, when their connections have ended.
    pub(super) async fn all(self) -> Vec<Visit> {
        let mut visits = Vec::new();
        for task in self.tasks {
            visits.extend(task.await.unwrap());
        }
        visits
    }
}

async fn visit_again_and_again(shared: Arc<Shared>, room: usize, mut random: Rng) -> Vec<Visit> {
    let mut visits = Vec::new();
    while !shared.is_over.load(Relaxed)
        && let Some(visit) = visit(&shared, room, &mut random).await
    {
        visits.push(visit);
    }
    visits
}

/// Talks in a room for a while, or to the end of it; `None` if there was not even a welcome.
async fn visit(shared: &Shared, room: usize, random: &mut Rng) -> Option<Visit> {
    let may_trap = random.u8(0..12) == 0 && shared.may_trap(room);
    // Each that fails is somebody of its own.
    let who = match may_trap {
        true => format!("{}?token={}", ROOMS[room], random.u64(..)),
        false => ROOMS[room].to_owned(),
    };
    let mut talker = Talker::enter(&shared.address, &who, room, PATIENCE).await.ok()?;
    let (bursts, at_once, pause, verb) = match room {
        QUIET => (random.u32(1..4), 1, 100, "add"),
        DEAR => (random.u32(1..6), 2, 60, "dear"),
        LARGE => (random.u32(1..10), 3, 40, "add"),
        _ => (random.u32(1..30), 12, 25, "add"),
    };
    let mut left = bursts;
    let mut speaks_at = tokio::time::Instant::now();
    loop {
        tokio::select! {
            next = talker.next(PATIENCE) => {
                if next.is_err() {
                    return Some(talker.visit);
                }
            }
            () = sleep_until(speaks_at), if talker.visit.trapped.is_none() => {
                if left == 0 {
                    if may_trap {
                        let number = shared.numbers.fetch_add(1, Relaxed);
                        talker.visit.trapped = Some(number);
                        let _ = talker.says(&format!("trap {number}")).await;
                        continue;
                    }
                    // What it has not seen, it does not wait for.
                    let _ = talker.member.socket.close(None).await;
                    return Some(talker.visit);
                }
                left -= 1;
                for _ in 0..random.u32(0..=at_once) {
                    let number = shared.numbers.fetch_add(1, Relaxed);
                    talker.visit.sent.push(number);
                    if talker.says(&format!("{verb} {number}")).await.is_err() {
                        break;
                    }
                }
                let _ = talker.member.socket.flush().await;
                let rest = if random.u8(0..8) == 0 { 150 } else { random.u64(0..pause) };
                speaks_at = tokio::time::Instant::now() + Duration::from_millis(rest);
            }
        }
    }
}

impl Shared {
    fn may_trap(&self, room: usize) -> bool {
        self.traps_left[room].fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}
