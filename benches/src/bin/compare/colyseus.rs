//! How Colyseus is spoken to: a seat is asked for over HTTP, and messages have MessagePack heads.

use stateroom_load::{Dialect, Who};

/// Colyseus' protocol, as its own client speaks it.
pub(crate) struct Colyseus;

/// The code of the message that confirms joining.
const JOIN_ROOM: u8 = 10;
/// The code of a message of the room's own.
const ROOM_DATA: u8 = 13;
/// The kind of message that the room hears, as MessagePack: a text of four bytes.
const KIND: &[u8] = b"\xa4text";

impl Dialect for Colyseus {
    fn inquiry(&self, who: Who<'_>) -> Option<Vec<u8>> {
        let body = format!("{{\"id\":\"{}\"}}", who.room);
        let request = format!(
            "POST /matchmake/joinOrCreate/bench HTTP/1.1\r\nhost: localhost\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        Some(request.into_bytes())
    }

    fn path(&self, _: Who<'_>, _: String, answer: &[u8]) -> Result<String, String> {
        let text = String::from_utf8_lossy(answer);
        let seat: serde_json::Value =
            serde_json::from_slice(answer).map_err(|error| format!("{error} in {text}"))?;
        let field = |name: &str| {
            seat.get(name).and_then(serde_json::Value::as_str).ok_or(format!("no {name} in {text}"))
        };
        let (process, room, session) = (field("processId")?, field("roomId")?, field("sessionId")?);
        Ok(format!("/{process}/{room}?sessionId={session}"))
    }

    fn first_reply(&self) -> Option<Vec<u8>> {
        Some(vec![JOIN_ROOM])
    }

    fn prefix(&self, length: usize) -> Vec<u8> {
        let mut prefix = vec![ROOM_DATA];
        prefix.extend_from_slice(KIND);
        match length {
            0..32 => prefix.push(0xa0 | length as u8),
            32..256 => prefix.extend([0xd9, length as u8]),
            _ => {
                prefix.push(0xda);
                prefix.extend((length as u16).to_be_bytes());
            }
        }
        prefix
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_becomes_a_path() {
        let who = Who { client: 0, room: "load-0" };
        let seat = br#"{"name":"bench","sessionId":"s","roomId":"r","processId":"p"}"#;
        let path = Colyseus.path(who, String::new(), seat);
        assert_eq!(path.as_deref(), Ok("/p/r?sessionId=s"));
        assert!(Colyseus.path(who, String::new(), br#"{"error":"full"}"#).is_err());
    }

    #[test]
    fn a_message_has_its_kind_and_length_in_front() {
        assert_eq!(Colyseus.prefix(5), b"\x0d\xa4text\xa5");
        assert_eq!(Colyseus.prefix(100), b"\x0d\xa4text\xd9\x64");
    }
}
