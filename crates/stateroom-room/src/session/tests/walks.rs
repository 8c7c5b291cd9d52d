//! Long ways through larger worlds, by chance.

use super::world::{Plan, World};
use proptest::prelude::*;

/// Two clients that say all sorts of things, and all that may happen to them.
const LARGE: Plan = Plan {
    says: ["bsxoqbsbs", "obxsbqob"],
    kills: 3,
    cuts: 6,
    snapshots: 3,
    expiries: 2,
    goes_back: 0,
    closes: 0,
    acks: 8,
    anews: 1,
    twice: 2,
    bound: 0,
};

fn walk(plan: Plan, choices: &[u16]) -> Result<(), TestCaseError> {
    let mut world = World::new(plan);
    let mut way = Vec::new();
    let (chosen, rest) = (choices.iter().map(|choice| Some(*choice)), std::iter::repeat(None));
    for choice in chosen.chain(rest) {
        // What costs of the plan comes seldom, so that some of it is left until late.
        let choice = choice.map(usize::from);
        let mut steps = world.steps(choice.is_none_or(|choice| choice % 8 != 0));
        if steps.is_empty() && choice.is_some() {
            steps = world.steps(false);
        }
        if steps.is_empty() {
            break;
        }
        let step = steps[choice.unwrap_or(0) / 8 % steps.len()];
        way.push(step);
        prop_assert!(way.len() < 5_000, "it never comes to rest");
        if let Err(why) = world.step(step) {
            return Err(TestCaseError::fail(format!("{why}, after {way:?}")));
        }
    }
    world.rest().map_err(|why| TestCaseError::fail(format!("{why}, after {way:?}")))
}

fn choices() -> impl Strategy<Value = Vec<u16>> {
    prop::collection::vec(any::<u16>(), 0..400)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 6 * ProptestConfig::default().cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_promise_is_broken_on_long_ways(choices in choices()) {
        walk(LARGE, &choices)?;
    }

    #[test]
    fn no_promise_is_broken_on_long_ways_where_little_is_kept(choices in choices()) {
        walk(Plan { bound: 150, anews: 0, expiries: 0, ..LARGE }, &choices)?;
    }

    #[test]
    fn no_promise_is_broken_on_long_ways_where_the_disk_goes_back(choices in choices()) {
        walk(Plan { goes_back: 1, ..LARGE }, &choices)?;
    }

    #[test]
    fn no_promise_is_broken_on_long_ways_that_clients_end(choices in choices()) {
        walk(Plan { closes: 2, says: ["bsb", "osc"], ..LARGE }, &choices)?;
    }
}
