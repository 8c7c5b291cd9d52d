//! Services whose messages are types: what they hear and send is JSON, and nobody pays for what is none.

use serde::{Deserialize, Serialize};
use stateroom::{
    ClientId, LeaveReason, MessageRecipient::Broadcast, Request, Response, Room, Sent,
    SimpleServiceFactory, SimpleStateroomService, StateroomService, StateroomServiceFactory,
    TestContext, TestRoom, TypedService,
};
use std::{collections::BTreeMap, time::Duration};

const ADA: ClientId = ClientId(1);

/// Counts what it hears, and closes whom it is told to.
struct Bell {
    heard: u32,
}

/// What the bell hears.
#[derive(Serialize, Deserialize, ts_rs::TS)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ToBell {
    Ring { after_seconds: u64 },
    Close { client: ClientId },
    Fail,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
enum FromBell {
    Hello(ClientId),
    Rang { at: u64, times: Vec<Times> },
    Left(ClientId),
    Map(BTreeMap<String, Option<Times>>),
}

/// How often.
#[derive(Debug, PartialEq, Serialize, Deserialize, ts_rs::TS)]
struct Times(u32);

impl TypedService for Bell {
    type In = ToBell;
    type Out = FromBell;

    fn new(_: &str, room: &Room<Self>) -> Self {
        room.schedule("first", Duration::from_secs(1));
        Bell { heard: 0 }
    }

    fn connect(&mut self, client: ClientId, room: &Room<Self>) {
        room.send(client, &FromBell::Hello(client));
    }

    fn disconnect(&mut self, client: ClientId, room: &Room<Self>) {
        room.broadcast(&FromBell::Left(client));
    }

    fn message(&mut self, _: ClientId, said: ToBell, room: &Room<Self>) {
        self.heard += 1;
        match said {
            ToBell::Ring { after_seconds } => {
                room.schedule("ring", Duration::from_secs(after_seconds));
            }
            ToBell::Close { client } => room.close(client, 4301, "told to"),
            ToBell::Fail => panic!("as told"),
        }
    }

    fn scheduled(&mut self, name: &str, room: &Room<Self>) {
        if name == "ring" {
            let at = room.now().as_secs();
            room.broadcast(&FromBell::Rang { at, times: vec![Times(self.heard)] });
        }
    }
}

#[test]
fn messages_are_types_and_time_passes_when_the_test_says_so() {
    let mut room = TestRoom::<Bell>::new("lobby");
    room.connect(ADA);
    assert_eq!(room.take(), [(ADA.into(), FromBell::Hello(ADA))]);
    room.message(ADA, &ToBell::Ring { after_seconds: 90 });
    room.tick(Duration::from_secs(89));
    assert_eq!(room.take(), []);
    assert_eq!(room.context.scheduled("ring"), Some(Duration::from_secs(1)));
    room.tick(Duration::from_secs(1));
    assert_eq!(room.take(), [(Broadcast, FromBell::Rang { at: 90, times: vec![Times(1)] })]);
}

#[test]
fn who_is_closed_has_left() {
    let mut room = TestRoom::<Bell>::new("lobby");
    room.connect(ADA);
    room.take();
    room.message(ADA, &ToBell::Close { client: ADA });
    assert_eq!(room.take(), [(Broadcast, FromBell::Left(ADA))]);
    let closed = room.take_closed();
    assert_eq!((closed[0].client, closed[0].code, &*closed[0].reason), (ADA, 4301, "told to"));
}

#[test]
fn what_is_no_message_is_told_to_its_sender_alone_and_never_heard() {
    let mut room = TestRoom::<Bell>::new("lobby");
    for (text, error) in [
        ("", "EOF while parsing a value at line 1 column 0"),
        ("hello \"Ada\"", "expected value at line 1 column 1"),
        (r#"{"type":"ring"}"#, "missing field `after_seconds`"),
    ] {
        room.text(ADA, text);
        let told = serde_json::json!({ "error": error }).to_string();
        assert_eq!(room.context.take(), [Sent::text(ADA, &told)], "{text}");
    }
    SimpleStateroomService::binary(&mut room.service, ADA, &[0xFF], &room.context);
    let told = r#"{"error":"this room takes text, which is JSON, and not bytes"}"#;
    assert_eq!(room.context.take(), [Sent::text(ADA, told)]);
    assert_eq!(room.service.heard, 0);
}

#[test]
fn a_typed_service_is_run_as_any_other() {
    let context = TestContext::new();
    let mut room = SimpleServiceFactory::<Bell>::new().build("lobby", &context).unwrap();
    assert_eq!(context.timer_ms(), Some(1000));
    room.connect(ADA);
    assert_eq!(context.take(), [Sent::text(ADA, r#"{"Hello":1}"#)]);
}

/// Has its variants told apart by a field.
struct Tagged;

impl TypedService for Tagged {
    type In = FromBell;
    type Out = ToBell;

    fn new(_: &str, _: &Room<Self>) -> Self {
        Tagged
    }
}

#[test]
fn why_something_is_no_message_can_be_told_from_messages_by_their_tag() {
    let types = stateroom::typescript::<Tagged>();
    let line = r#"export type FromRoom = ToBell | { "type"?: undefined, error: string };"#;
    assert!(types.contains(line), "{types}");
}

#[test]
fn its_messages_are_told_as_typescript() {
    let lines = [
        "/** What the room sends. `error` tells why what was sent to it is no message. */",
        "export type FromRoom = FromBell | { error: string };",
        "",
        "/** What the room hears. */",
        "export type ToRoom = ToBell;",
        "",
        "/**",
    ];
    let types = stateroom::typescript::<Bell>();
    assert!(types.starts_with(&lines.join("\n")), "{types}");
    for line in [
        r#"export type FromBell = { "Hello": ClientId } | { "Rang": { at: number, times: Array<Times>, } } | { "Left": ClientId } | { "Map": { [key in string]: Times | null } };"#,
        "export type ClientId = number;",
        "/**\n * How often.\n */\nexport type Times = number;",
        r#"export type ToBell = { "type": "ring", after_seconds: number, } | { "type": "close", client: ClientId, } | { "type": "fail" };"#,
    ] {
        assert_eq!(types.matches(line).count(), 1, "{line} in\n{types}");
    }
}

/// Tells all that it can ask for.
struct Curious;

impl TypedService for Curious {
    type In = ();
    type Out = String;

    fn new(_: &str, _: &Room<Self>) -> Self {
        Curious
    }

    fn left(&mut self, client: ClientId, reason: LeaveReason, room: &Room<Self>) {
        room.broadcast(&format!("{client} {reason:?}"));
    }

    fn request(&mut self, request: &Request, room: &Room<Self>) -> Response {
        let (user, role) = (room.user(ADA), room.claim(ADA, "role"));
        let config = room.config("limit");
        Response::text(&format!(
            "{} {user:?} {role:?} {config:?} {:?}",
            request.path,
            room.clients()
        ))
    }
}

#[test]
fn all_that_a_service_can_ask_for_reaches_a_typed_one_in_the_hands_of_a_host_too() {
    let context = TestContext::new();
    context.connects(ADA, Some("ada"));
    context.claims(ADA, "role", "moderator");
    context.configure("limit", "3");
    let mut room = SimpleServiceFactory::<Curious>::new().build("lobby", &context).unwrap();
    let all = r#"/a Some("ada") Some("moderator") Some("3") [ClientId(1)]"#;
    assert_eq!(room.request(&Request::get("/a")), Response::text(all));
    room.left(ADA, LeaveReason::Kicked);
    assert_eq!(context.take(), [Sent::text(Broadcast, r#""1 Kicked""#)]);
}
