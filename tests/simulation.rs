//! Rooms and their store under simulation: joins, leaves, messages, timers, failing events, full and
//! failing disks, kills and power cuts, all from one seed. Whatever happens, what a client has seen
//! has happened, once and in order.
//!
//! `SIMULATION_SEEDS=100000 cargo test -p stateroom-tests --test simulation` tries more seeds, and
//! `SIMULATION_SEED=n` one alone.

mod simulated {
    pub(crate) mod ledger;
    pub(crate) mod world;
}

use simulated::world::World;

/// How many seeds are tried.
const SEEDS: u64 = 10_000;

/// How many things happen for each.
const STEPS: usize = 150;

#[test]
fn what_a_client_has_seen_has_happened_once_and_in_order() {
    let number = |name| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let seeds = match number("SIMULATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SIMULATION_SEEDS").unwrap_or(SEEDS),
    };
    let mut happened = [0; 7];
    for seed in seeds.clone() {
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step();
        }
        let counts = world.end();
        happened.iter_mut().zip(counts).for_each(|(all, count)| *all += count);
    }
    // A simulation in which nothing happens proves nothing.
    let [seen, kills, cuts, failures, returns, refused, parted] = happened;
    println!(
        "{} seeds: {seen} messages seen, {kills} kills, {cuts} power cuts, {failures} failed events, \
         {returns} rooms brought back, {refused} commits refused, {parted} absent clients parted with",
        seeds.end - seeds.start
    );
    assert!(happened.into_iter().all(|count| count > 0) || seeds.end - seeds.start < 100);
}
