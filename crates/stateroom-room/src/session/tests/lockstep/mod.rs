//! Sessions in step with a model that is told what everybody must have got: any calls in any order, each carried out to
//! its end. What happens in between is searched elsewhere.

mod model;
mod room;

use super::super::fault::{Fault, with};
use model::{Model, Step};
use proptest::test_runner::Config;
use proptest_state_machine::{StateMachineTest, prop_state_machine};
use room::Room;
use std::panic::{AssertUnwindSafe, catch_unwind};

prop_state_machine! {
    #![proptest_config(Config { cases: 1_000, max_shrink_iters: 2_000, ..Config::default() })]

    #[test]
    fn everybody_has_got_what_the_model_says(sequential 1..60 => Room);
}

#[test]
fn the_model_notices_what_is_done_wrong() {
    let says = |fault, steps: &[Step]| {
        let run = || {
            let (config, steps) = (Config::default(), steps.to_vec());
            <Room as StateMachineTest>::test_sequential(config, Model::new(), steps, None);
        };
        with(fault, || catch_unwind(AssertUnwindSafe(run)).is_ok())
    };
    let steps = [
        Step::Come(0),
        Step::Come(1),
        Step::Say(0),
        Step::Cut(0),
        Step::Say(1),
        Step::Tell(0),
        Step::Say(0),
        Step::Restart,
        Step::Come(0),
        Step::Cut(1),
        Step::TooLong,
        Step::Come(1),
    ];
    assert!(says(None, &steps));
    for fault in [
        Fault::HeardNotInSnapshot,
        Fault::TailNotInSnapshot,
        Fault::CursorTooFar,
        Fault::CursorTooNear,
        Fault::SinglesNotCounted,
    ] {
        assert!(!says(Some(fault), &steps), "{fault:?}");
    }
    let kicked = [Step::Come(0), Step::Cut(0), Step::Kick(0), Step::TooLong, Step::Come(0)];
    assert!(says(None, &kicked));
    assert!(!says(Some(Fault::NoTombstones), &kicked));
}
