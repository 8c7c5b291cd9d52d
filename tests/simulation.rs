//! The rooms, committer and store that ship, under simulation: joins, leaves, messages, HTTP requests,
//! timers, claims, failing events, deploys, changed limits and settings, clocks that jump, checkpoints of any age, full and failing disks, kills
//! and power cuts, all from one seed. Whatever happens, what a client has seen has happened, once and in
//! order, and every room can be brought back.
//!
//! `SIMULATION_SEEDS=50000 cargo test -p stateroom-tests --release --test simulation` tries more seeds, and
//! `SIMULATION_SEED=n` one alone.

mod simulated {
    mod claims;
    pub(crate) mod counts;
    pub(crate) mod ledger;
    pub(crate) mod misdeed;
    mod requester;
    mod requesters;
    mod rest;
    mod session_sockets;
    mod sessions;
    mod visitor;
    mod visitors;
    mod wire;
    pub(crate) mod world;
}

use simulated::{counts::Counts, misdeed::Misdeed, world::World};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How many seeds are tried.
const SEEDS: u64 = 2_000;

/// Within so many seeds something that is done wrong must be noticed.
const SEEDS_TO_NOTICE: u64 = 1_000;

/// How many things happen for each.
const STEPS: usize = 500;

fn run(seed: u64, misdeed: Option<Misdeed>) -> Counts {
    let mut world = World::new(seed, misdeed);
    (0..STEPS).for_each(|_| world.step());
    world.end()
}

#[test]
fn what_a_client_has_seen_has_happened_once_and_in_order() {
    let number = |name| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let seeds = match number("SIMULATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SIMULATION_SEEDS").unwrap_or(SEEDS),
    };
    let count = seeds.end - seeds.start;
    let mut all = Counts::default();
    for seed in seeds {
        let counts = catch_unwind(|| run(seed, None)).unwrap_or_else(|panic| {
            println!("SIMULATION_SEED={seed} repeats it");
            std::panic::resume_unwind(panic)
        });
        all.add(&counts);
    }
    println!("{count} seeds: {all:?}");
    // A simulation in which nothing happens proves nothing.
    assert!(count < 100 || all.everything_happened(), "{all:?}");
}

#[test]
fn whoever_drives_rooms_wrongly_is_noticed() {
    // What is noticed is a panic, of which nobody wants to read.
    std::panic::set_hook(Box::new(|_| {}));
    let noticed = Misdeed::ALL.iter().map(|misdeed| {
        let is_noticed =
            |seed: &u64| catch_unwind(AssertUnwindSafe(|| run(*seed, Some(*misdeed)))).is_err();
        (misdeed, (0..SEEDS_TO_NOTICE).find(is_noticed))
    });
    let noticed: Vec<_> = noticed.collect();
    let _ = std::panic::take_hook();
    for (misdeed, seed) in &noticed {
        println!(
            "{misdeed:?}: {}",
            seed.map_or("not noticed".into(), |seed| (seed + 1).to_string())
        );
    }
    assert!(noticed.iter().all(|(_, seed)| seed.is_some()), "{noticed:?}");
}
