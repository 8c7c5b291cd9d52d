//! A client, and a server that says anything at any time: it never panics, and never waits without an end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stateroom_room::{
    Timestamp,
    session::{
        Frame, Key,
        client::{ClientSettings, SessionClient, Status},
    },
};
use std::time::Duration;

fuzz_target!(|steps: Vec<(u8, u16, String)>| {
    let mut now = Timestamp::default();
    let mut client = SessionClient::new(ClientSettings::default(), now);
    for (step, number, text) in steps {
        now = now.after(Duration::from_millis(u64::from(number)));
        match step % 8 {
            0 => {
                let _ = client.send(Frame::Text(&text));
            }
            1 => client.flush(),
            2 => client.wake(now),
            3 => client.timer(u32::from(number), now),
            4 => {
                let _ = client.dial(now, || Key::new([step; 16]));
            }
            5 => {
                if let Some(attempt) = client.socket() {
                    client.lost(attempt, number, &text, 0, now);
                }
            }
            6 if text.is_empty() => client.close(now),
            _ => {
                if let Some(attempt) = client.socket() {
                    client.received(attempt, Frame::Text(&text), 0, now);
                }
            }
        }
        while client.next_action().is_some() {}
        assert!(client.settled() <= client.sent());
        let is_waiting = client.deadline().is_some() || client.socket().is_some();
        assert!(is_waiting || client.status() == Status::Closed);
    }
});
