//! The part of this crate that decides, against a model of PostgreSQL that loses, delays and cuts: whatever happens,
//! what was told to be durable is there, and whoever is told so knows all that comes before it.
//!
//! `POSTGRES_SEEDS=100000 cargo test -p stateroom-postgres --test simulation` tries more seeds, and `POSTGRES_SEED=n`
//! one alone.

mod simulated {
    pub(crate) mod database;
    pub(crate) mod fault;
    pub(crate) mod node;
    pub(crate) mod session;
    pub(crate) mod world;
}

use simulated::{
    fault::Fault,
    world::{Counts, World},
};

/// How many seeds are tried without a fault.
const SEEDS: u64 = 3_000;

/// Within so many seeds a fault must be noticed.
const SEEDS_TO_NOTICE: u64 = 5_000;

/// How much happens for each.
const STEPS: usize = 1_000;

fn run(seed: u64, fault: Option<Fault>) -> Result<Counts, String> {
    let mut world = World::new(seed, fault);
    for _ in 0..STEPS {
        world.step()?;
    }
    world.end()
}

#[test]
fn what_is_told_to_be_durable_is_there_whatever_happens() {
    let number = |name| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let seeds = match number("POSTGRES_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("POSTGRES_SEEDS").unwrap_or(SEEDS),
    };
    let count = seeds.end - seeds.start;
    let mut all = Counts::default();
    for seed in seeds {
        let counts = run(seed, None).unwrap_or_else(|what| panic!("POSTGRES_SEED={seed}: {what}"));
        all.add(&counts);
    }
    println!("{count} seeds: {all:?}");
    // A simulation in which nothing happens proves nothing.
    assert!(count < 100 || all.everything_happened(), "{all:?}");
}

#[test]
fn each_deliberate_fault_is_noticed() {
    let noticed = Fault::ALL.map(|fault| {
        let first =
            (0..SEEDS_TO_NOTICE).find_map(|seed| Some((seed + 1, run(seed, Some(fault)).err()?)));
        match &first {
            Some((seeds, what)) => println!("{fault:?}: after {seeds} seeds: {what}"),
            None => println!("{fault:?}: not noticed"),
        }
        (fault, first)
    });
    assert!(noticed.iter().all(|(_, first)| first.is_some()), "{noticed:?}");
}
