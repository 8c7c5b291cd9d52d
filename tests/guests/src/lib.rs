//! A service that does all that could tell one run of it from another: it asks for the time and for
//! randomness, hashes, prints half lines, and computes what is not a number.

use stateroom_wasm::prelude::*;
use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    time::{Instant, SystemTime},
};

/// What it remembers of a client: when it came, by both clocks.
type Came = (Instant, SystemTime);

/// The room.
#[stateroom_wasm]
pub struct Restless {
    began: Instant,
    came: HashMap<ClientId, Came>,
    /// Whatever was computed, NaNs and all.
    numbers: Vec<f64>,
}

impl SimpleStateroomService for Restless {
    fn new(_: &str, _: &impl StateroomContext) -> Self {
        Restless { began: Instant::now(), came: HashMap::new(), numbers: Vec::new() }
    }

    fn connect(&mut self, client: ClientId, context: &impl StateroomContext) {
        self.came.insert(client, (Instant::now(), SystemTime::now()));
        // In an order that follows from randomness.
        context.send_message(MessageRecipient::Broadcast, &format!("{:?}", self.came));
    }

    fn disconnect(&mut self, client: ClientId, _: &impl StateroomContext) {
        self.came.remove(&client);
    }

    fn message(&mut self, client: ClientId, message: &str, context: &impl StateroomContext) {
        print!("{message}");
        let hash = RandomState::new().hash_one(message);
        context.send_message(client, &format!("{hash} after {:?}", self.began.elapsed()));
    }

    fn binary(&mut self, _: ClientId, message: &[u8], context: &impl StateroomContext) {
        for bytes in message.chunks(8) {
            let number = bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
            // Half of all numbers have the exponent of a NaN.
            let number =
                f64::from_bits(if number % 2 == 0 { number | 0x7ff << 52 } else { number });
            let last = self.numbers.last().copied().unwrap_or(1.5);
            self.numbers.push(number + last);
            self.numbers.push(number * 0.0 / (last * 0.0));
        }
        let bits: Vec<u8> =
            self.numbers.iter().flat_map(|number| number.to_bits().to_le_bytes()).collect();
        context.send_binary(MessageRecipient::Broadcast, &bits);
        self.numbers.truncate(100);
    }

    fn timer(&mut self, context: &impl StateroomContext) {
        println!();
        let random = RandomState::new().hash_one(0);
        context.set_timer(random as u32);
    }
}
