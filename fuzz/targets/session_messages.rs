//! What either side of a session may be sent: it is read in the one way in which it is written, or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stateroom_room::session::{Down, Frame, Up};

fuzz_target!(|bytes: &[u8]| {
    let text = std::str::from_utf8(bytes);
    for frame in [Some(Frame::Binary(bytes)), text.ok().map(Frame::Text)].into_iter().flatten() {
        if let Ok(up) = Up::decode(frame) {
            assert_eq!(up.encode().frame(), frame);
        }
        if let Ok(down) = Down::decode(frame) {
            assert_eq!(down.encode().frame(), frame);
        }
    }
});
