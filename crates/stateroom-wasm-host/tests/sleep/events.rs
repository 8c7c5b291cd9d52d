//! Random events that mean something to the tests' services.

use crate::support::Room;
use stateroom::{ClientId, StateroomService};

/// One event, chosen at random but so that it means something to the examples.
pub(crate) fn event(
    random: &mut fastrand::Rng,
    clients: &mut Vec<ClientId>,
    last: &mut u32,
) -> Event {
    let text = |random: &mut fastrand::Rng| {
        let words: String = (0..random.usize(0..300)).map(|_| random.alphanumeric()).collect();
        match random.u8(0..8) {
            0 => format!(r#"{{"type":"join","name":"{}"}}"#, &words[..words.len().min(20)]),
            1..3 => format!(r#"{{"type":"say","text":"{words}"}}"#),
            3 => "increment".to_owned(),
            4 => format!("all:{words}"),
            5 => "timer:5".to_owned(),
            // More than a guest lends at once.
            6 if random.u8(0..4) == 0 => words.repeat(400),
            _ => words,
        }
    };
    match random.u8(0..10) {
        0..2 => {
            *last += 1;
            clients.push(ClientId(*last));
            Event::Connect(ClientId(*last))
        }
        2 if !clients.is_empty() => {
            Event::Disconnect(clients.swap_remove(random.usize(..clients.len())))
        }
        3 => Event::Timer,
        kind => {
            let client = random.choice(clients.iter()).copied().unwrap_or(ClientId(1));
            if kind < 7 {
                Event::Text(client, text(random))
            } else {
                let mut bytes: Vec<u8> =
                    (0..random.usize(0..60) * 4 + 1).map(|_| random.u8(..)).collect();
                bytes[0] %= 4;
                Event::Binary(client, bytes)
            }
        }
    }
}

/// What a room hears.
#[derive(Debug)]
pub(crate) enum Event {
    Connect(ClientId),
    Disconnect(ClientId),
    Text(ClientId, String),
    Binary(ClientId, Vec<u8>),
    Timer,
}

pub(crate) fn hear(room: &mut Room, event: &Event) {
    match event {
        Event::Connect(client) => room.host.connect(*client),
        Event::Disconnect(client) => room.host.disconnect(*client),
        Event::Text(client, text) => room.host.message(*client, text),
        Event::Binary(client, bytes) => room.host.binary(*client, bytes),
        Event::Timer => room.host.timer(),
    }
}
