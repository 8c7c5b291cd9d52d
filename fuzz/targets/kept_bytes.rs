//! What is read from disks: sessions and records. Whatever stands there, there is a value or a reason.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stateroom_room::{Record, session::Ledger};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(ledger) = Ledger::decode(bytes) {
        let again = ledger.encode();
        let read = Ledger::decode(&again).expect("what was read can be written");
        assert_eq!(read.encode(), again);
    }
    let mut rest = bytes;
    while let Ok((record, after)) = Record::read(rest) {
        let mut written = Vec::new();
        record.write(&mut written);
        assert_eq!(Record::read(&written), Ok((record, &[][..])));
        rest = after;
    }
});
