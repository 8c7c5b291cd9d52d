//! What `benches/` measures of the inside. Not for use by anybody else.

use crate::websocket::{Appetite, Decoder, Incoming, encode_data};
use stateroom_room::MessageKind;

/// Appends a text as one frame of a server.
pub fn encode_text(text: &str, batch: &mut Vec<u8>) {
    encode_data(MessageKind::Text, text.as_bytes(), batch);
}

/// The reading side of a connection.
#[derive(Debug, Default)]
pub struct Reader(Decoder);

impl Reader {
    /// Reads frames of a client, which are unmasked where they lie, and tells how many bytes of
    /// text were in them.
    pub fn read(&mut self, bytes: &mut [u8]) -> usize {
        let mut read = 0;
        let hear = |incoming: Incoming<'_>| {
            if let Incoming::Text(text) = incoming {
                read += text.len();
            }
            Appetite::Continue(())
        };
        // An error ends the reading, which shows in what is returned.
        let _ = self.0.decode(bytes, usize::MAX, hear);
        read
    }
}
