//! Timers by name in a guest: over the one timer that its room has, through sleep, a restart and new code.

use crate::support::{Asked, BIRTH, How, Recorder, Room, engine, guest};
use stateroom::{
    Birth, ClientId, MessageRecipient, RestoreFailure, StateroomService, StateroomServiceFactory,
};
use std::time::Duration;

fn heard(text: &str) -> Asked {
    Asked::Text(MessageRecipient::Broadcast, text.into())
}

fn at(room: &mut Room, milliseconds: u64) {
    room.host.set_time(BIRTH.time + Duration::from_millis(milliseconds));
}

fn says(room: &mut Room, message: &str) -> Vec<Asked> {
    room.host.message(ClientId(1), message);
    room.take()
}

/// The room's timer runs out.
fn fires(room: &mut Room, milliseconds: u64) -> Vec<Asked> {
    at(room, milliseconds);
    room.host.timer();
    room.take()
}

#[test]
fn each_is_heard_by_itself_and_the_room_has_only_one_to_look_after() {
    let factory = engine(2).load(guest("examples/alarms")).unwrap();
    let mut room = Room::start(&factory);
    assert_eq!(says(&mut room, "timer 400"), [Asked::Timer(400)]);
    at(&mut room, 100);
    assert_eq!(says(&mut room, "schedule b 500"), []);
    assert_eq!(says(&mut room, "schedule a 500"), []);
    assert_eq!(says(&mut room, "schedule c 100"), [Asked::Timer(100)]);
    room.sleep(How::Compressed);
    assert_eq!(fires(&mut room, 200), [heard("c"), Asked::Timer(200)]);
    let mut room = room.saved(&factory);
    assert_eq!(fires(&mut room, 400), [heard("the timer"), Asked::Timer(200)]);
    assert_eq!(fires(&mut room, 600), [heard("a"), Asked::Timer(1)]);
    assert_eq!(says(&mut room, "cancel b"), [Asked::Timer(0)]);
    assert_eq!(says(&mut room, "cancel b"), []);
    // Without names all is as it was before there were any.
    assert_eq!(says(&mut room, "timer 9"), [Asked::Timer(9)]);
    assert_eq!(says(&mut room, "timer 9"), [Asked::Timer(9)]);
    assert_eq!(fires(&mut room, 609), [heard("the timer")]);
    assert_eq!(says(&mut room, "timer 0"), [Asked::Timer(0)]);
}

#[test]
fn new_code_goes_on_with_them_and_can_set_its_own() {
    let factory = engine(2).load(guest("examples/alarms")).unwrap();
    let mut room = Room::start(&factory);
    for message in ["timer 400", "schedule a 1000", "schedule z 500"] {
        says(&mut room, message);
    }
    let state = room.host.hand_over().unwrap().unwrap();
    let told = std::str::from_utf8(&state).unwrap();
    let lines =
        [r#"{"poison":"","stays":false}"#, "1700000000400", "1700000001000 a", "1700000000500 z"];
    assert_eq!(told.lines().collect::<Vec<_>>(), lines);

    let asked = Recorder::default();
    let birth = Birth { time: BIRTH.time + Duration::from_millis(450), ..BIRTH };
    let mut host = factory.take_over("lobby", asked.clone(), &birth, &state).unwrap();
    assert_eq!(asked.take(), [Asked::Timer(1), heard("new code")]);
    let mut heard_then = Vec::new();
    for milliseconds in [451, 500, 1000, 1150] {
        host.set_time(BIRTH.time + Duration::from_millis(milliseconds));
        host.timer();
        heard_then.extend(asked.take());
    }
    let (a, z, new) = (heard("a"), heard("z"), heard("new"));
    let [to_z, to_a, to_new] = [49, 500, 150].map(Asked::Timer);
    assert_eq!(heard_then, [heard("the timer"), to_z, z, to_a, a, to_new, new]);
    assert_eq!(host.hand_over().unwrap().unwrap(), lines[0].as_bytes(), "no timers, no line");
}

#[test]
fn a_service_that_fails_as_it_takes_over_has_not_taken_over() {
    let factory = engine(2).load(guest("examples/alarms")).unwrap();
    let mut room = Room::start(&factory);
    says(&mut room, "stay");
    let state = room.host.hand_over().unwrap().unwrap();
    let refused = factory.take_over("lobby", Recorder::default(), &BIRTH, &state).err();
    let Some(RestoreFailure::Failed(failure)) = refused else { panic!("{refused:?}") };
    assert!(failure.detail.contains("the old code is to stay"), "{failure}");
}

#[test]
fn too_many_or_too_long_a_name_fails_with_the_reason() {
    let factory = engine(1).load(guest("examples/alarms")).unwrap();
    let mut room = Room::start(&factory);
    says(&mut room, &format!("schedule {} 1", "x".repeat(65)));
    let failure = room.host.failure().unwrap();
    assert!(failure.detail.contains("has 1 to 64 bytes, and not 65"), "{failure}");
}
