//! What visitors do: they say something, read what comes, lose their connections, and come back.

use super::{
    ledger::{CLOSE, CLOSE_CODES, TRAP},
    visitor::{IsSetAside, Line, Visitor},
    wire::{Down, Up, Wire},
    world::World,
};
use stateroom_room::{
    Timestamp,
    session::{
        Frame, Key, Request,
        client::{Action, Message, Status},
    },
};

/// Where so much is kept to be said again, it is everything.
const ENOUGH_BYTES: usize = 100 << 10;

impl World {
    /// The time on the visitors' devices, which nobody sets.
    pub(super) fn device_time(&self) -> Timestamp {
        Timestamp::from_origin(self.elapsed)
    }

    /// Somebody comes who will want a session, in the place of somebody who left, or of nobody.
    pub(super) fn visitor_comes(&mut self, place: usize) {
        self.last_visitor += 1;
        let room = super::world::ROOMS[self.random.usize(..2)];
        // The first of them has none.
        let token = (place > 0).then(|| format!("visitor {place}"));
        let mut visitor = Visitor::new(self.last_visitor, place, room, token, self.device_time());
        if self.settings.retained_bytes < ENOUGH_BYTES {
            visitor.may_have_missed(u64::MAX);
        }
        self.visitors.insert(self.last_visitor, visitor);
    }

    /// Somebody comes with a token that a visitor may have.
    pub(super) fn may_replace(&mut self, id: &'static str, token: &str) {
        let visitors = self.visitors.values_mut().filter(|visitor| visitor.room == id);
        for visitor in visitors.filter(|visitor| visitor.token.as_deref() == Some(token)) {
            (visitor.may_be_replaced, visitor.over) = (true, Some(visitor.keys));
        }
    }

    /// One of the visitors does something.
    pub(super) fn visit(&mut self) {
        let serials: Vec<u64> = self.visitors.keys().copied().collect();
        let serial = serials[self.random.usize(..serials.len())];
        let wires: Vec<u64> = self.wires.keys().copied().collect();
        let wire = wires.get(self.random.usize(..wires.len().max(1))).copied().unwrap_or(0);
        let times = self.random.usize(1..5);
        match self.random.u32(..100) {
            0..20 => self.say(serial),
            20..50 => (0..times).for_each(|_| self.read(wire)),
            50..80 => (0..times).for_each(|_| self.read_down(wire)),
            80..83 => self.cut(wire),
            83..90 => self.wait(serial),
            90..93 => self.wake(serial),
            93..95 => self.flush(serial),
            95 => {
                let now = self.device_time();
                self.visitors.get_mut(&serial).unwrap().client.close(now);
                self.act(serial, None);
            }
            96 => self.keep_less(),
            97 => self.come_twice(wire),
            98 => self.notice_silence(wire),
            _ if self.random.bool() => {
                let longest = 2 * self.settings.grace.as_micros() as u64;
                let time = self.random.u64(0..longest);
                self.pass(std::time::Duration::from_micros(time));
            }
            _ => {}
        }
        self.dial(serial);
    }

    fn say(&mut self, serial: u64) {
        let (kind, delay) = (self.random.u32(..20), self.random.u32(..60));
        let is_marked = self.random.u32(..8) == 0;
        let Some(visitor) = self.visitors.get_mut(&serial) else { return };
        if !matches!(visitor.client.status(), Status::Connecting | Status::Live | Status::Away) {
            return;
        }
        visitor.last_number += 1;
        let number = visitor.last_number;
        let text = match kind {
            0 => format!("{TRAP} {number}"),
            1 if delay < 20 => format!("{CLOSE} {number}"),
            1..4 => format!("{delay} {number}"),
            _ => number.to_string(),
        };
        let text = if is_marked { format!("\0{text}") } else { text };
        let is_set_aside = match kind {
            0 => IsSetAside::Yes,
            1 if delay < 20 => IsSetAside::Perhaps,
            _ => IsSetAside::No,
        };
        visitor.session.push(Line { number, is_set_aside });
        if kind == 0 {
            self.trapped.push(number);
        }
        visitor.client.send(Frame::Text(&text)).unwrap();
        self.act(serial, None);
    }

    /// Connects, if that is due.
    pub(super) fn dial(&mut self, serial: u64) {
        let now = self.device_time();
        let Some(visitor) = self.visitors.get_mut(&serial) else { return };
        let keys = &mut visitor.keys;
        let request = visitor.client.dial(now, || {
            *keys += 1;
            Key::new((u128::from(serial) << 64 | u128::from(*keys)).to_be_bytes())
        });
        let Some(request) = request else { return };
        assert_eq!(Request::from_entry(&request.to_entry()), Ok(request));
        let wire = Wire::new((serial, visitor.keys), visitor.room, visitor.token.clone(), request);
        self.add(wire);
    }

    fn add(&mut self, wire: Wire) {
        self.last_wire += 1;
        self.wires.insert(self.last_wire, wire);
    }

    /// A proxy sends a handshake once more, and nobody reads what is answered.
    fn come_twice(&mut self, wire: u64) {
        let Some(wire) = self.wires.get(&wire) else { return };
        let Some(request) = wire.handshake else { return };
        let mut twin = Wire::new((wire.visitor, wire.key), wire.room, wire.token.clone(), request);
        (twin.attempt, twin.is_dead) = (0, true);
        self.add(twin);
    }

    /// A connection breaks: on one side first, or on none.
    fn cut(&mut self, number: u64) {
        let (how, code) = (self.random.u32(..3), 1006);
        let (random, now) = (self.random.u32(..), self.device_time());
        let Some(wire) = self.wires.get_mut(&number) else { return };
        match how {
            0 if wire.is_open() => {
                // The server finds out first.
                let _ = std::mem::take(&mut wire.down);
                wire.visitor_ends(false, &mut self.random);
                wire.down.push_back(Down::End(code, String::new()));
            }
            1 => wire.dies(&mut self.random),
            _ => {
                let (serial, attempt) = (wire.visitor, wire.attempt);
                wire.visitor_ends(false, &mut self.random);
                if let Some(visitor) = self.visitors.get_mut(&serial) {
                    visitor.client.lost(attempt, code, "", random, now);
                    self.act(serial, None);
                }
            }
        }
    }

    /// The server notices that nothing has come for long.
    pub(super) fn notice_silence(&mut self, number: u64) {
        let Some(wire) = self.wires.get_mut(&number) else { return };
        if wire.is_dead && !wire.has_end() {
            wire.up.push_back(Up::End { by_client: false });
        }
    }

    /// A visitor does what is due.
    pub(super) fn wait(&mut self, serial: u64) {
        let (now, random) = (self.device_time(), self.random.u32(..));
        let Some(visitor) = self.visitors.get_mut(&serial) else { return };
        visitor.client.timer(random, now);
        self.act(serial, Some(0));
    }

    /// A visitor wants to know what is durable.
    pub(super) fn flush(&mut self, serial: u64) {
        if let Some(visitor) = self.visitors.get_mut(&serial) {
            visitor.client.flush();
        }
        self.act(serial, None);
    }

    /// A visitor looks at its page.
    pub(super) fn wake(&mut self, serial: u64) {
        let now = self.device_time();
        let Some(visitor) = self.visitors.get_mut(&serial) else { return };
        visitor.client.wake(now);
        self.act(serial, None);
    }

    /// A visitor reads one message.
    pub(super) fn read_down(&mut self, number: u64) {
        let (now, random) = (self.device_time(), self.random.u32(..));
        let Some(wire) = self.wires.get_mut(&number) else { return };
        let (serial, attempt, key) = (wire.visitor, wire.attempt, wire.key);
        let Some(down) = wire.down.pop_front() else { return };
        let Some(visitor) = self.visitors.get_mut(&serial) else { return };
        let is_newest = visitor.client.socket() == Some(attempt);
        match down {
            Down::Message(message) => {
                visitor.client.received(attempt, message.frame(), random, now);
            }
            Down::End(code, reason) => {
                let said = self.said.get(wire.room).map_or(&[][..], Vec::as_slice);
                assert_ne!(code, 1002, "{serial} is told that it is wrong");
                let may_be_moved = code != 4300 || !is_newest || visitor.may_be_replaced;
                assert!(may_be_moved, "the newest socket of {serial} is thrown out");
                if code == 4200 && is_newest {
                    let is_over = visitor.over == Some(key) || visitor.was_closed(said);
                    // Where less is kept than could be, nobody may know whether it has missed anything.
                    let is_over = is_over || visitor.has_cause();
                    assert!(is_over, "the session of {serial} is over without a cause");
                    self.counts.over += 1;
                }
                if is_newest && CLOSE_CODES.contains(&code) {
                    match wire.client {
                        Some(_) => visitor.closed(said),
                        // It was away for too long to be told what was said before.
                        None => {
                            let has_cause = visitor.was_closed(said) || visitor.has_cause();
                            assert!(has_cause, "{serial} is told that it was closed, and was not");
                        }
                    }
                    self.counts.closed += 1;
                }
                self.counts.moved += u64::from(code == 4300);
                self.counts.again += u64::from(code == 4000);
                let was_welcomed = visitor.client.life().epoch > 0;
                let heard = reason.strip_prefix("heard=").filter(|_| is_newest && was_welcomed);
                if let Some(heard) = heard {
                    // The others never will be.
                    let unheard = visitor.session.iter().skip(heard.parse().unwrap());
                    self.trapped.extend(unheard.map(|line| line.number));
                }
                visitor.client.lost(attempt, code, &reason, random, now);
                wire.down.clear();
            }
        }
        self.act(serial, Some(number));
    }

    fn write(&mut self, serial: u64, attempt: u64, up: Up) {
        let mut wires = self.wires.values_mut();
        let wire = wires.find(|wire| (wire.visitor, wire.attempt) == (serial, attempt));
        if let Some(wire) = wire {
            wire.say(up);
        }
    }

    /// Carries out what a visitor wants, who has read something on a connection, or looked at its clock (on none).
    fn act(&mut self, serial: u64, read: Option<u64>) {
        let Some(mut visitor) = self.visitors.remove(&serial) else { return };
        let room = visitor.room;
        let wire = read.and_then(|number| self.wires.get(&number));
        let (asked_at, client) = wire.map_or((0, None), |wire| (wire.asked_at, wire.client));
        let (mut has_ended, mut has_settled) = (false, false);
        while let Some(action) = visitor.client.next_action() {
            match action {
                Action::Write { attempt, message } => {
                    self.write(serial, attempt, Up::Message(message));
                }
                Action::Close { attempt } => {
                    self.write(serial, attempt, Up::End { by_client: true });
                }
                Action::GiveUp { attempt } => {
                    assert_eq!(read, Some(0), "{serial} was told what may not come");
                    self.counts.given_up += 1;
                    self.write(serial, attempt, Up::End { by_client: false });
                }
                Action::Opened => {
                    self.counts.opened += 1;
                    if visitor.client.received_count() == 0 {
                        visitor.welcomed(client, true, asked_at);
                    }
                }
                Action::Resumed { recovered, .. } => {
                    let count = &mut self.counts;
                    *(if recovered { &mut count.recovered } else { &mut count.missed }) += 1;
                    visitor.welcomed(client, recovered, asked_at);
                }
                Action::Deliver(Message::Text(text)) => {
                    self.counts.got += 1;
                    let client = client.expect("it was welcomed");
                    visitor.got(&text, client, self.said.get(room).map_or(&[], Vec::as_slice));
                }
                Action::Deliver(message) => panic!("{message:?}"),
                Action::Skipped { number, .. } => {
                    self.counts.skipped += 1;
                    visitor.skipped(number);
                }
                Action::Settled { heard } => {
                    has_settled = true;
                    let durable = visitor
                        .settled(heard)
                        .iter()
                        .filter(|line| line.is_set_aside == IsSetAside::No);
                    for line in durable {
                        self.counts.settled += 1;
                        self.promised.entry(room).or_default().push((serial, line.number));
                    }
                }
                Action::Unsettled { .. } => {}
                Action::Closed { .. } => {
                    self.counts.left += 1;
                    has_ended = true;
                }
                Action::LogIn => panic!("nobody has to log in"),
            }
        }
        visitor.has_heard(has_settled);
        if has_ended {
            // The next one may be the same user.
            self.wires.retain(|_, wire| wire.visitor != serial || wire.handshake.is_none());
            self.visitor_comes(visitor.place);
        } else {
            self.visitors.insert(serial, visitor);
        }
    }
}
