//! All that can happen in small worlds, tried: no promise is broken, and each deliberate fault breaks one.

use super::world::{Plan, Step, World};
use crate::session::fault::{self, Fault};
use std::{collections::HashSet, hash::Hash};
use xxhash_rust::xxh3::Xxh3Default;

/// What a search has found.
#[derive(Debug)]
struct Found {
    states: usize,
    /// The shortest way to a broken promise.
    broken: Option<(Vec<Step>, String)>,
}

fn mark(world: &World) -> u128 {
    let mut hasher = Xxh3Default::new();
    world.hash(&mut hasher);
    hasher.digest128()
}

/// Tries all that can happen, the shortest ways first.
fn search(plan: Plan, most: usize) -> Found {
    let first = World::new(plan);
    let mut seen = HashSet::from([mark(&first)]);
    let mut ways: Vec<(usize, Option<Step>)> = vec![(0, None)];
    let mut now = vec![(first, 0)];
    let way = |ways: &[(usize, Option<Step>)], mut at: usize| {
        let mut steps = Vec::new();
        while let (before, Some(step)) = ways[at] {
            steps.push(step);
            at = before;
        }
        steps.reverse();
        steps
    };
    while !now.is_empty() {
        let mut next = Vec::new();
        for (world, at) in now {
            if world.steps(true).is_empty()
                && let Err(why) = world.rest()
            {
                return Found { states: seen.len(), broken: Some((way(&ways, at), why)) };
            }
            for step in world.steps(false) {
                let mut after = world.clone();
                let outcome = after.step(step);
                if let Err(why) = outcome {
                    let mut steps = way(&ways, at);
                    steps.push(step);
                    return Found { states: seen.len(), broken: Some((steps, why)) };
                }
                if seen.insert(mark(&after)) {
                    ways.push((at, Some(step)));
                    next.push((after, ways.len() - 1));
                }
            }
        }
        assert!(seen.len() < most, "more than {most} states of {plan:?}");
        now = next;
    }
    Found { states: seen.len(), broken: None }
}

/// The small worlds: what the two clients say, and how often what may happen.
fn plans() -> Vec<(&'static str, Plan)> {
    let says = |one, other| Plan { says: [one, other], ..Plan::default() };
    // Those first in which the faults show, and the smaller ones among them.
    vec![
        ("absences, cuts", Plan { cuts: 2, expiries: 2, ..says("", "") }),
        ("a handshake twice", Plan { cuts: 1, twice: 1, ..says("b", "") }),
        ("the client closes", Plan { kills: 1, cuts: 1, closes: 1, ..says("b", "") }),
        ("a snapshot, kills", Plan { kills: 2, snapshots: 1, ..says("bs", "") }),
        ("a long absence", Plan { kills: 1, cuts: 1, expiries: 1, ..says("b", "") }),
        ("little is kept", Plan { kills: 1, cuts: 1, bound: 60, ..says("ss", "") }),
        ("a kill, a cut", Plan { kills: 1, cuts: 1, ..says("bs", "") }),
        ("the service closes", Plan { kills: 1, cuts: 1, ..says("sc", "") }),
        ("the room begins anew", Plan { kills: 1, cuts: 1, anews: 1, ..says("b", "") }),
        ("a message that fails", Plan { kills: 1, cuts: 1, snapshots: 1, ..says("xb", "") }),
        ("two clients, a kill", Plan { kills: 1, ..says("b", "o") }),
        ("the disk goes back", Plan { goes_back: 1, ..says("s", "b") }),
        ("cuts alone", Plan { cuts: 3, ..says("b", "") }),
        ("two clients, a cut", Plan { cuts: 1, ..says("o", "s") }),
        ("acknowledgements", Plan { kills: 1, cuts: 1, acks: 2, ..says("bs", "") }),
    ]
}

#[test]
fn no_promise_is_broken_in_small_worlds() {
    let mut all = 0;
    for (name, plan) in plans() {
        let started = std::time::Instant::now();
        let found = search(plan, 3_000_000);
        println!("{name:24} {:>9} states {:>6} ms", found.states, started.elapsed().as_millis());
        all += found.states;
        assert!(found.broken.is_none(), "{name}: {:#?}", found.broken);
    }
    println!("{:24} {all:>9} states", "all");
}

#[test]
#[ignore = "takes minutes and gigabytes"]
fn no_promise_is_broken_in_larger_worlds() {
    let says = |one, other| Plan { says: [one, other], ..Plan::default() };
    for (name, plan) in [
        ("one client, all sorts", Plan { kills: 1, cuts: 2, snapshots: 1, ..says("bx", "") }),
        ("two clients, kill, cut", Plan { kills: 1, cuts: 1, ..says("b", "o") }),
    ] {
        let found = search(plan, 20_000_000);
        println!("{name:24} {:>9} states", found.states);
        assert!(found.broken.is_none(), "{name}: {:#?}", found.broken);
    }
}

#[test]
fn each_deliberate_fault_breaks_a_promise() {
    let mut missed = Vec::new();
    for fault in Fault::ALL {
        let found = plans().into_iter().find_map(|(name, plan)| {
            let found = fault::with(Some(fault), || search(plan, 3_000_000));
            found.broken.map(|(steps, why)| (name, steps, why))
        });
        match found {
            Some((plan, steps, why)) => {
                println!("{fault:22?} {:>2} steps, {plan}: {why}", steps.len());
            }
            None => missed.push(fault),
        }
    }
    assert!(missed.is_empty(), "nothing notices {missed:?}");
}
