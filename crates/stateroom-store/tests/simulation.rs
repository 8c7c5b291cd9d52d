//! The store over a simulated disk: kills, power cuts, torn and lost writes, failed flushes, full disks,
//! checkpoints of any age. And every deliberate fault has to be noticed by these runs.

use stateroom_store::{Deliberate, simulation, switch_on};
use std::{
    panic,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
};

/// How many seeds are tried.
fn seeds() -> u64 {
    let seeds = std::env::var("STORE_SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    seeds.unwrap_or(2_000)
}

#[test]
fn nothing_is_lost_and_nothing_refused() {
    let next = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let seed = next.fetch_add(1, Relaxed)
                    && seed < seeds()
                {
                    if let Err(wrong) = simulation::run(seed) {
                        panic!("{wrong}");
                    }
                    if seed % 8 == 0 {
                        let more = simulation::scenes(seed);
                        if let Err(wrong) = more.and_then(|()| simulation::read_beside(seed)) {
                            panic!("{wrong}");
                        }
                    }
                }
            });
        }
    });
}

/// One seed alone, by `STORE_SEED`.
#[test]
#[ignore = "to look into one seed"]
fn one() {
    let seed = std::env::var("STORE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0);
    simulation::run(seed).expect("nothing is wrong");
}

/// After how many seeds a fault is noticed, and how.
fn caught(fault: Deliberate) -> Option<(u64, String)> {
    switch_on(Some(fault));
    let most = std::env::var("FAULT_SEEDS").ok().and_then(|most| most.parse().ok());
    let found = (0..most.unwrap_or(1_000)).find_map(|seed| {
        let run = || {
            simulation::scenes(seed)?;
            simulation::run(seed)?;
            simulation::read_beside(seed)
        };
        match panic::catch_unwind(run) {
            Ok(Ok(())) => None,
            Ok(Err(wrong)) => Some((seed, wrong)),
            Err(_) => Some((seed, "a panic".to_owned())),
        }
    });
    switch_on(None);
    found
}

#[test]
fn every_deliberate_fault_is_noticed() {
    let next = AtomicU64::new(0);
    let mut missed = Vec::new();
    thread::scope(|scope| {
        let work = || {
            let mut missed = Vec::new();
            let only = std::env::var("FAULT").ok();
            while let place = next.fetch_add(1, Relaxed) as usize
                && let Some(fault) = Deliberate::ALL.get(place)
            {
                if only.as_ref().is_some_and(|only| *only != format!("{fault:?}")) {
                    continue;
                }
                match caught(*fault) {
                    Some((seed, wrong)) => {
                        let wrong: String = wrong.chars().take(110).collect();
                        println!(
                            "{:<28} caught after {:>4} seeds: {wrong}",
                            format!("{fault:?}"),
                            seed + 1
                        );
                    }
                    None => {
                        println!("{:<28} MISSED", format!("{fault:?}"));
                        missed.push(*fault);
                    }
                }
            }
            missed
        };
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            missed.extend(thread.join().expect("it ended"));
        }
    });
    assert!(missed.is_empty(), "{missed:?}");
}
