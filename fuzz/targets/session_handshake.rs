//! The entries of `Sec-WebSocket-Protocol`, whatever they say.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stateroom_room::session::Request;

fuzz_target!(|header: &str| {
    let _ = Request::find(header.split(',').map(str::trim));
    if let Ok(request) = Request::from_entry(header) {
        assert_eq!(request.to_entry(), header);
    }
});
