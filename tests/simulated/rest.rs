//! The end of a simulation: nothing breaks any more, everything comes to rest, and nothing is lacking.

use super::{
    visitor::Visitor,
    wire::Wire,
    world::{ROOMS, World},
};
use stateroom_room::{Event, session::client::Status};
use stateroom_store::files::Chances;
use std::time::Duration;

/// How long everything may take to come to rest, in steps of this.
const STEP: Duration = Duration::from_millis(250);
const MOST_STEPS: u32 = 400;

impl World {
    /// Lets everything come to rest.
    pub(super) fn come_to_rest(&mut self) {
        self.is_ending = true;
        self.files.set_chances(Chances::default());
        let mut steps = 0;
        while !self.is_at_rest() && steps < MOST_STEPS {
            self.go_round();
            steps += 1;
        }
        // Those who do not come back are given up.
        let until = self.elapsed + 2 * self.settings.grace;
        while self.elapsed < until || !self.is_at_rest() && steps < MOST_STEPS {
            self.go_round();
            steps += 1;
        }
        self.look_at_rest();
    }

    /// Everybody does what there is to do.
    fn go_round(&mut self) {
        self.pass(STEP);
        let wires = |world: &World| world.wires.keys().copied().collect::<Vec<_>>();
        wires(self).into_iter().for_each(|wire| self.notice_silence(wire));
        let serials: Vec<u64> = self.visitors.keys().copied().collect();
        for serial in serials {
            self.wait(serial);
            match self.visitors.get(&serial) {
                Some(visitor) if self.is_connected(serial, visitor) => self.flush(serial),
                _ => self.wake(serial),
            }
            self.dial(serial);
        }
        for wire in wires(self) {
            for _ in 0..100 {
                let waits = self.wires.get(&wire).map(|it| (it.up.len(), it.handshake.is_some()));
                self.read(wire);
                if self.wires.get(&wire).map(|it| (it.up.len(), it.handshake.is_some())) == waits {
                    break;
                }
            }
        }
        for id in ROOMS {
            let now = self.server_time();
            let deadline = self.rooms.get(id).and_then(|live| live.kept.deadline());
            if deadline.is_some_and(|deadline| deadline <= now) {
                self.tell(id, |_| Some(Event::Timer));
            }
            self.look_after_sessions(id);
            // Those without sessions leave: one may be in the place of a visitor.
            self.leave_one(id, 0);
            self.part_with_the_absent(id);
        }
        (0..4).for_each(|_| self.commit_all());
        ROOMS.into_iter().for_each(|id| self.save(id));
        self.commit_all();
        ROOMS.into_iter().for_each(|id| self.rest(id));
        for wire in wires(self) {
            while self.wires.get(&wire).is_some_and(|it| !it.down.is_empty()) {
                self.read_down(wire);
            }
        }
    }

    fn is_at_rest(&self) -> bool {
        self.visitors.iter().all(|(serial, visitor)| self.is_well(*serial, visitor))
    }

    /// Whether a visitor is connected, and all that it has said is durable.
    fn is_well(&self, serial: u64, visitor: &Visitor) -> bool {
        visitor.client.settled() == visitor.client.sent() && self.is_connected(serial, visitor)
    }

    fn is_connected(&self, serial: u64, visitor: &Visitor) -> bool {
        let client = &visitor.client;
        let is_its = |wire: &&Wire| wire.visitor == serial && Some(wire.attempt) == client.socket();
        client.status() == Status::Live
            && self.wires.values().find(is_its).is_some_and(|it| it.is_open() && !it.is_dead)
    }

    fn look_at_rest(&mut self) {
        let (visitors, names) = (std::mem::take(&mut self.visitors), self.names.clone());
        for (serial, visitor) in &visitors {
            let (client, id) = (&visitor.client, visitor.room);
            assert_eq!(client.status(), Status::Live, "{serial} comes to rest");
            assert_eq!(client.settled(), client.sent(), "what {serial} has said is durable");
            let mine = names.iter().find(|(_, name)| **name == (*serial, visitor.keys));
            let Some(((_, client), _)) = mine else { panic!("{serial} is not in the room") };
            self.bring_in(id);
            let said = self.said.get(id).map_or(&[][..], Vec::as_slice);
            visitor.look_at_rest(*client, said);
            let room = self.rooms.get(id).and_then(|live| live.kept.room());
            let is_there = room.is_some_and(|room| room.members().any(|it| it == *client));
            assert!(is_there, "{serial} is not in the room");
        }
        for id in ROOMS {
            self.bring_in(id);
            let Some(room) = self.rooms.get(id).and_then(|live| live.kept.room()) else { continue };
            let here = |client| {
                names
                    .get(&(id, client))
                    .and_then(|(serial, key)| Some(visitors.get(serial)?.keys == *key))
            };
            let mut with_sessions = room.members().filter(|client| room.has_session(*client));
            let ghost = with_sessions.find(|client| here(*client) != Some(true));
            assert_eq!(ghost, None, "nobody is there who has left");
        }
        self.visitors = visitors;
    }
}
