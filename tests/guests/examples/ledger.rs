//! A service whose every state can be checked: it keeps each number that it is told, tells a newcomer
//! how many there are, and fails where it is asked to.

use serde::{Deserialize, Serialize};
use stateroom_wasm::prelude::*;
use std::{collections::BTreeSet, hint::black_box};

/// Replaced in the module by whoever wants another version of it.
const VERSION: &str = "version-00";

/// What a tick of the timer enters, with the ticks before it.
const TICK: u64 = 1 << 32;

/// The room.
#[derive(Default, Serialize, Deserialize)]
#[stateroom_wasm(carry_over)]
pub struct Ledger {
    entries: Vec<u64>,
    ticks: u64,
    /// After how many milliseconds the next tick follows; 0 for never.
    every: u32,
    /// The event that fails: `timer`, `connect` or `disconnect`.
    fails_at: String,
    present: BTreeSet<u32>,
    left: Vec<u32>,
    /// How much it holds besides, in KiB.
    ballast_kib: usize,
    /// That, of bytes that cannot be made smaller; made again where it is missing.
    #[serde(skip)]
    ballast: Vec<u64>,
}

/// The next of a row of numbers that look random.
fn next(mut number: u64) -> u64 {
    number ^= number << 13;
    number ^= number >> 7;
    number ^ number << 17
}

impl Ledger {
    fn enter(&mut self, number: u64, context: &impl StateroomContext) {
        self.fill();
        self.entries.push(number);
        context.send_message(MessageRecipient::Broadcast, &format!("added {number}"));
    }

    /// Holds as much as it is to.
    fn fill(&mut self) {
        let numbers = std::iter::successors(Some(88_172_645_463_325_252), |last| Some(next(*last)));
        let length = self.ballast_kib << 7;
        if self.ballast.len() != length {
            self.ballast = numbers.take(length).collect();
        }
    }

    fn may_fail(&self, event: &str) {
        assert!(self.fails_at != event, "asked to fail at {event}");
    }
}

impl SimpleStateroomService for Ledger {
    fn new(_: &str, _: &impl StateroomContext) -> Self {
        Ledger::default()
    }

    fn connect(&mut self, client: ClientId, context: &impl StateroomContext) {
        self.present.insert(client.0);
        let count = self.entries.len();
        context.send_message(client, &format!("welcome {client} {count} {}", black_box(VERSION)));
        self.may_fail("connect");
    }

    fn disconnect(&mut self, client: ClientId, context: &impl StateroomContext) {
        self.present.remove(&client.0);
        self.left.push(client.0);
        context.send_message(MessageRecipient::Broadcast, &format!("left {client}"));
        self.may_fail("disconnect");
    }

    fn message(&mut self, client: ClientId, message: &str, context: &impl StateroomContext) {
        let (verb, object) = message.split_once(' ').unwrap_or((message, ""));
        let number = || object.parse().expect("a number");
        match verb {
            "add" => self.enter(number(), context),
            "trap" => {
                self.enter(number(), context);
                panic!("asked to fail at {object}");
            }
            "spin" => {
                self.enter(number(), context);
                while black_box(true) {}
            }
            // Some 30 ms of computing, or 300.
            "dear" | "costly" => {
                let rounds = if verb == "dear" { 20_000_000 } else { 200_000_000 };
                black_box((0..rounds).fold(black_box(number()), |last, _| next(last | 1)));
                self.enter(number(), context);
            }
            // Enters the number if there are that many MiB of memory.
            "room-for" => {
                let mut space: Vec<u8> = Vec::new();
                if space.try_reserve_exact(number() as usize * (1 << 20)).is_ok() {
                    self.enter(number(), context);
                }
            }
            "swell" => {
                self.ballast_kib = object.parse().expect("KiB");
                self.fill();
            }
            "ballast" => {
                self.fill();
                let sum =
                    self.ballast.iter().fold(0_u64, |sum, number| sum.rotate_left(5) ^ number);
                context.send_message(client, &format!("ballast {} {sum}", self.ballast_kib));
            }
            "tick" => {
                self.every = object.parse().expect("milliseconds");
                context.set_timer(self.every);
            }
            "alarm" => context.set_timer(object.parse().expect("milliseconds")),
            "fail" => self.fails_at = object.to_owned(),
            "log" => context.send_message(client, &format!("log {:?}", self.entries)),
            "present" => context.send_message(client, &format!("present {:?}", self.present)),
            "gone" => context.send_message(client, &format!("gone {:?}", self.left)),
            "version" => context.send_message(client, black_box(VERSION)),
            _ => {}
        }
    }

    fn request(&mut self, request: &Request, context: &impl StateroomContext) -> Response {
        let number = || request.text().and_then(|text| text.parse().ok()).expect("a number");
        match (&*request.method, &*request.path) {
            ("GET", "/log") => Response::text(&format!("{:?}", self.entries)),
            ("POST", "/add") => {
                self.enter(number(), context);
                Response::text(&format!("entry {}", self.entries.len())).with_status(201)
            }
            ("POST", "/trap") => {
                self.enter(number(), context);
                panic!("asked to fail at a request");
            }
            _ => Response::new(404),
        }
    }

    fn timer(&mut self, context: &impl StateroomContext) {
        self.ticks += 1;
        self.enter(TICK + self.ticks - 1, context);
        self.may_fail("timer");
        if self.every > 0 {
            context.set_timer(self.every);
        }
    }
}
