//! A room whose service can sleep: it stays the room it was.

use stateroom::{
    ClientId, Compression, ServiceFailure, SimpleServiceFactory, SimpleStateroomService, Sleep,
    StateroomContext, StateroomService, StateroomServiceFactory,
};
use stateroom_room::{Event, Room, RoomContext, Timestamp};
use std::convert::Infallible;

/// Sleeps when it is told to, wakes when there is a place, and fails when it hears the word "fail".
struct Sleeper {
    context: RoomContext,
    awake: bool,
    failure: Option<ServiceFailure>,
}

impl StateroomService for Sleeper {
    fn message(&mut self, client: ClientId, message: &str) {
        self.awake = true;
        self.context.send_message(client, message);
        self.context.set_timer(10);
        if message == "fail" {
            self.failure = Some(ServiceFailure { summary: "failed", detail: String::new() });
        }
    }

    fn failure(&self) -> Option<&ServiceFailure> {
        self.failure.as_ref()
    }

    fn is_awake(&self) -> bool {
        self.awake
    }

    fn sleep(&mut self) -> Sleep {
        self.awake = false;
        Sleep::Asleep(Some(Compression::new(|| {})))
    }

    fn wake(&mut self) -> bool {
        self.awake = true;
        true
    }

    fn footprint(&self) -> usize {
        if self.awake { 1000 } else { 10 }
    }
}

struct Factory;

impl StateroomServiceFactory<RoomContext> for Factory {
    type Service = Sleeper;
    type Error = Infallible;

    fn build(&self, _room_id: &str, context: RoomContext) -> Result<Sleeper, Infallible> {
        Ok(Sleeper { context, awake: true, failure: None })
    }
}

const ADA: ClientId = ClientId(1);

fn room() -> Room<Sleeper> {
    let mut room = Room::start(&Factory, "lobby", Timestamp::default()).unwrap();
    room.handle(Event::Connect { token: None }, Timestamp::default()).unwrap();
    room.handle(Event::Text { client: ADA, text: "hello" }, Timestamp::default()).unwrap();
    room
}

#[test]
fn a_room_sleeps_with_its_members_its_deadline_and_what_waits() {
    let mut room = room();
    let deadline = room.deadline();
    assert!(deadline.is_some());
    assert_eq!((room.is_awake(), room.footprint()), (true, 1000));

    let Sleep::Asleep(Some(compression)) = room.sleep() else { panic!("it stays awake") };
    compression.run();

    assert_eq!((room.is_awake(), room.footprint()), (false, 10));
    assert_eq!(room.members().collect::<Vec<_>>(), [ADA]);
    assert_eq!(room.deadline(), deadline);
    assert_eq!(room.pending_bytes(), "hello".len());
    let mut commands = 0;
    room.drain_commands(|_| commands += 1);
    assert_eq!(commands, 2, "she was let in, and answered");
    assert!(room.wake());
    assert!(room.is_awake());
}

#[test]
fn a_room_that_has_ended_does_not_sleep() {
    let mut room = room();
    room.handle(Event::Text { client: ADA, text: "fail" }, Timestamp::default()).unwrap_err();
    assert!(matches!(room.sleep(), Sleep::StaysAwake));
}

#[test]
fn a_native_service_is_always_awake() {
    struct Native;
    impl SimpleStateroomService for Native {
        fn new(_: &str, _: &impl StateroomContext) -> Self {
            Native
        }
    }
    let factory = SimpleServiceFactory::<Native>::new();
    let mut room = Room::start(&factory, "lobby", Timestamp::default()).unwrap();
    assert!(matches!(room.sleep(), Sleep::StaysAwake));
    assert!(room.is_awake() && room.wake());
    assert_eq!(room.footprint(), 0);
}
