//! A client in Rust whose messages are types, against the real server.

use crate::{kept::Site, project::BROADCASTING_ROOM};
use futures_util::{SinkExt, StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use stateroom_client::{Event, Message, NotSent, Options, RoomClient, TypedClient, from_json};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Line {
    number: u32,
    text: String,
}

fn line(number: u32) -> Line {
    Line { number, text: "x".repeat(100) }
}

#[tokio::test]
async fn a_typed_client_is_a_stream_and_a_sink_which_waits_for_a_place() {
    let site = Site::with(BROADCASTING_ROOM.as_bytes(), &[]);
    let (_server, address) = site.serve();
    // Ten of the lines have a place.
    let options = Options { queue_bytes: 1_300, ..Options::default() };
    let room = RoomClient::connect(&format!("ws://{address}/ws/lobby"), options).unwrap();
    let room: TypedClient<Line, Line> = room.typed();
    let (mut sink, mut events) = room.split();
    let mut lines = stream::iter((0..200).map(|number| Ok(line(number))));
    let hearing = async {
        let mut numbers = Vec::new();
        while numbers.len() < 200 {
            if let Event::Message(said) = events.next().await.unwrap() {
                numbers.push(said.unwrap().number);
            }
        }
        numbers
    };
    let (numbers, sent) = tokio::join!(hearing, sink.send_all(&mut lines));
    sent.unwrap();
    assert_eq!(numbers, (0..200).collect::<Vec<_>>());
    let mut room = sink.reunite(events).unwrap();
    (*room).send("{}").unwrap();
    let Some(Event::Message(Err(error))) = room.next_event().await else { panic!("it is heard") };
    assert_eq!(error.message, Message::Text("{}".to_owned()));
    assert!(error.reason.contains("number"), "{error}");
    SinkExt::close(&mut room).await.unwrap();
    let refused = room.say(&line(0)).unwrap_err();
    assert_eq!(refused.to_string(), NotSent::Closed.to_string());
    let given_back = Message::Text(r#"{"number":7,"text":"a"}"#.to_owned());
    assert_eq!(from_json(given_back), Ok(Line { number: 7, text: "a".to_owned() }));
}
