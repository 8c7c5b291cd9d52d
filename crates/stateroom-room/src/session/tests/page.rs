//! The conversation that `docs/protocol.md` shows is the one that a client has.

use crate::{
    session::{
        Frame, Key,
        client::{Action, ClientSettings, Message, SessionClient},
    },
    timestamp::Timestamp,
};
use std::collections::VecDeque;

/// What a client writes and gives to its application, in order.
#[derive(Default)]
struct Seen {
    written: VecDeque<Message>,
    delivered: VecDeque<Message>,
}

impl Seen {
    fn look(&mut self, client: &mut SessionClient) {
        while let Some(action) = client.next_action() {
            match action {
                Action::Write { message, .. } => self.written.push_back(message),
                Action::Deliver(message) => self.delivered.push_back(message),
                Action::Opened | Action::Settled { .. } => {}
                Action::Resumed { recovered, .. } => assert!(recovered),
                other => panic!("the page does not tell of {other:?}"),
            }
        }
    }
}

#[test]
fn a_client_has_the_conversation_that_the_page_shows() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/protocol.md");
    let page = std::fs::read_to_string(page).unwrap();
    let shown = page.split("## A whole conversation").nth(1).unwrap();
    let shown = shown.split("```").nth(1).unwrap();
    let key = Key::from_text("q83vEjRWeJCrze8SNFZ4kA").unwrap();
    assert!(page.contains(&format!("\"s.{}.1.0.0.0.0.0\"", key.to_text())));

    let now = Timestamp::default();
    let mut client = SessionClient::new(ClientSettings::default(), now);
    let (mut seen, mut counted) = (Seen::default(), 0);
    for line in shown.lines().skip(1) {
        let said = line.get(2..).unwrap_or_default().replace("\\0", "\0");
        // What comes after more than one space is for the reader.
        let mut parts = said.splitn(2, "   ");
        let (said, note) = (parts.next().unwrap().trim_end(), parts.next().unwrap_or_default());
        if line.starts_with('<') {
            client.received(client.socket().unwrap(), Frame::Text(said), 0, now);
            seen.look(&mut client);
            if !said.starts_with('\0') {
                counted += 1;
                assert_eq!(note.trim(), format!("counted: {counted}"));
                assert_eq!(seen.delivered.pop_front(), Some(Message::Text(said.to_owned())));
            }
            assert_eq!(client.received_count(), counted);
        } else if line.starts_with('>') {
            if seen.written.is_empty() {
                client.send(Frame::Text(said)).unwrap();
                seen.look(&mut client);
            }
            assert_eq!(seen.written.pop_front(), Some(Message::Text(said.to_owned())));
        } else if said.starts_with("handshake") {
            let request = client.dial(now, || key).unwrap();
            assert_eq!(note.trim(), request.to_entry());
        } else {
            assert_eq!(said, "the socket is lost, and the client writes `three` meanwhile");
            client.lost(client.socket().unwrap(), 1006, "", 0, now);
            client.send(Frame::Text("three")).unwrap();
        }
    }
    assert_eq!((client.settled(), counted), (3, 3));
    assert!(seen.written.is_empty() && seen.delivered.is_empty());
}
