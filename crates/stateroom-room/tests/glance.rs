//! A look at a room from its state and its journal sees what the room itself knows.

use stateroom::{
    Birth, ClientId, MemoryLimits, SimpleServiceFactory, SimpleStateroomService, StateroomContext,
};
use stateroom_room::{Event, Glance, NoState, Room, Timestamp};
use std::time::Duration;

struct Silent;

impl SimpleStateroomService for Silent {
    fn new(_: &str, _: &impl StateroomContext) -> Self {
        Silent
    }
}

const FACTORY: SimpleServiceFactory<Silent> = SimpleServiceFactory::new();

#[test]
fn a_glance_sees_the_members_and_the_time_of_the_room() {
    for seed in 0..200 {
        let mut random = Random(seed);
        let birth = Birth {
            time: Duration::from_nanos(1_234_567_890),
            seed: [0; 32],
            limits: MemoryLimits::NONE,
        };
        let mut room = Room::found(&FACTORY, "lobby", &birth).unwrap();
        let mut glance = Glance::of(0, &room.state().unwrap().encode().unwrap()).unwrap();
        assert_eq!((glance.events(), glance.time()), (0, room.heard_at()));
        let mut time = birth.time;
        for _ in 0..40 {
            time += Duration::from_nanos(random.below(3_000_000));
            let token = ["one", "two", "three"][random.below(3) as usize];
            let client = ClientId(1 + random.below(6) as u32);
            let event = match random.below(6) {
                0 => Event::Connect { token: None },
                1 | 2 => Event::Connect { token: Some(token) },
                3 => Event::Disconnect { client },
                4 => Event::Forget { client },
                _ => Event::Text { client, text: "hello" },
            };
            room.handle(event, Timestamp::from_origin(time)).unwrap();
            if random.below(3) == 0 {
                let records = room.submit().unwrap();
                room.commit();
                glance.hear(records.follows, &records.bytes).unwrap();
                glance.hear(records.follows, &records.bytes).unwrap();
                assert_eq!((glance.events(), glance.time()), (room.events(), room.heard_at()));
                let members: Vec<_> =
                    room.members().map(|client| (client, room.has_token(client))).collect();
                assert_eq!(glance.members().collect::<Vec<_>>(), members, "seed {seed}");
            }
        }
    }
}

#[test]
fn what_is_no_state_or_no_journal_is_an_error() {
    assert_eq!(Glance::of(0, &[]).unwrap_err(), NoState::Damaged);
    assert_eq!(Glance::of(0, &[2, 9]).unwrap_err(), NoState::Damaged);
    assert_eq!(Glance::of(0, &[9]).unwrap_err(), NoState::OtherVersion { found: 9 });
    let birth = Birth { time: Duration::ZERO, seed: [0; 32], limits: MemoryLimits::NONE };
    let mut room = Room::found(&FACTORY, "lobby", &birth).unwrap();
    let mut glance = Glance::of(0, &room.state().unwrap().encode().unwrap()).unwrap();
    assert!(glance.hear(0, &[0, 200]).is_err());
}

/// Repeatable: SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}
