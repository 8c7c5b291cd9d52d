//! What a room decides, seen from outside: events in, commands out.

use stateroom::{
    Birth, ClientId, MemoryLimits, MessageRecipient, SimpleServiceFactory, SimpleStateroomService,
    StateroomContext, WrappedStateroomService,
};
use stateroom_room::{
    CloseReason, Command, Event, MAX_REMEMBERED_TOKENS, MessageKind, Recipients, Room, RoomContext,
    Timestamp,
};
use std::time::Duration;

/// Tells everybody what it hears; obeys a few words.
struct Herald;

impl SimpleStateroomService for Herald {
    fn new(room_id: &str, context: &impl StateroomContext) -> Self {
        assert_ne!(room_id, "cursed", "no room is called so");
        if room_id == "timed" {
            context.set_timer(50);
        }
        Herald
    }
    fn connect(&mut self, client: ClientId, context: &impl StateroomContext) {
        context.send_message(MessageRecipient::EveryoneExcept(client), &format!("+{client}"));
    }
    fn disconnect(&mut self, client: ClientId, context: &impl StateroomContext) {
        context.send_message(MessageRecipient::Broadcast, &format!("-{client}"));
    }
    fn message(&mut self, client: ClientId, message: &str, context: &impl StateroomContext) {
        context.send_message(client, message);
        if let Some(delay) = message.strip_prefix("timer ") {
            context.set_timer(delay.parse().unwrap());
        }
        if let Some(others) = message.strip_prefix("kick ") {
            for other in others.split(' ') {
                context.close(ClientId(other.parse().unwrap()), 4301, &"w\u{ea}".repeat(100));
            }
        }
        if message == "who" {
            let who = context.clients().into_iter();
            let who = who.map(|client| (client.0, context.user(client))).collect::<Vec<_>>();
            context.send_message(client, &format!("{who:?}"));
        }
        if message == "roles" {
            let who = context.clients().into_iter();
            let who = who.map(|client| context.claim(client, "role")).collect::<Vec<_>>();
            context.send_message(client, &format!("{who:?}"));
        }
        assert_ne!(message, "panic", "as you wish");
    }
    fn binary(&mut self, client: ClientId, message: &[u8], context: &impl StateroomContext) {
        context.send_binary(client, message);
    }
    fn timer(&mut self, context: &impl StateroomContext) {
        context.send_message(MessageRecipient::Broadcast, "ring");
    }
}

type HeraldRoom = Room<WrappedStateroomService<Herald, RoomContext>>;
const FACTORY: SimpleServiceFactory<Herald> = SimpleServiceFactory::new();

fn start(room_id: &str) -> HeraldRoom {
    Room::start(&FACTORY, room_id, at(0)).unwrap()
}

/// With which a service starts anew.
const BIRTH: Birth = Birth { time: Duration::ZERO, seed: [0; 32], limits: MemoryLimits::NONE };

fn at(milliseconds: u64) -> Timestamp {
    Timestamp::from_origin(Duration::from_millis(milliseconds))
}

fn connect(token: Option<&str>) -> Event<'_> {
    Event::Connect { token }
}

fn text(client: u32, text: &str) -> Event<'_> {
    Event::Text { client: ClientId(client), text }
}

fn disconnect(client: u32) -> Event<'static> {
    Event::Disconnect { client: ClientId(client) }
}

/// The commands of `events`, written shortly: `open 1`, `all +1`, `but 1 text`, `one 1 text`.
fn hear(room: &mut HeraldRoom, events: &[Event<'_>]) -> Vec<String> {
    for event in events {
        room.handle(*event, at(0)).unwrap();
    }
    drain(room)
}

fn drain(room: &mut HeraldRoom) -> Vec<String> {
    let mut commands = Vec::new();
    room.drain_commands(|command| {
        commands.push(match command {
            Command::Answer { number, .. } => format!("answer {number}"),
            Command::Open { client } => format!("open {client}"),
            Command::Close { client, reason: CloseReason::Replaced } => {
                format!("replaced {client}")
            }
            Command::Close { client, reason: CloseReason::Service { code, reason } } => {
                format!("close {client} {code} {reason}")
            }
            Command::Send { to, kind, bytes } => {
                let payload = match kind {
                    MessageKind::Text => str::from_utf8(bytes).unwrap().to_owned(),
                    MessageKind::Binary => format!("{bytes:?}"),
                };
                match to {
                    Recipients::All => format!("all {payload}"),
                    Recipients::AllExcept(client) => format!("but {client} {payload}"),
                    Recipients::One(client) => format!("one {client} {payload}"),
                }
            }
        });
    });
    commands
}

#[test]
fn clients_are_numbered_from_one_and_never_reused() {
    let mut room = start("lobby");
    assert_eq!(
        hear(&mut room, &[connect(None), connect(None), disconnect(2), connect(None)]),
        ["open 1", "but 1 +1", "open 2", "but 2 +2", "all -2", "open 3", "but 3 +3"]
    );
    assert_eq!(room.members().collect::<Vec<_>>(), [ClientId(1), ClientId(3)]);
}

#[test]
fn a_token_brings_the_same_id_back() {
    let mut room = start("lobby");
    hear(&mut room, &[connect(Some("ann")), disconnect(1), connect(None)]);
    assert_eq!(hear(&mut room, &[connect(Some("ann"))]), ["open 1", "but 1 +1"]);
}

#[test]
fn a_token_used_twice_replaces_the_older_connection() {
    let mut room = start("lobby");
    hear(&mut room, &[connect(Some("ann"))]);
    assert_eq!(
        hear(&mut room, &[connect(Some("ann"))]),
        ["replaced 1", "all -1", "open 1", "but 1 +1"]
    );
    assert_eq!(hear(&mut room, &[text(1, "hi")]), ["one 1 hi"]);
}

#[test]
fn the_tokens_of_those_who_left_are_remembered_up_to_a_bound() {
    let mut room = start("lobby");
    let leave_with_token = |room: &mut HeraldRoom, number: usize| {
        hear(room, &[connect(Some(&number.to_string())), disconnect(number as u32)]);
    };
    for number in 1..=MAX_REMEMBERED_TOKENS {
        leave_with_token(&mut room, number);
    }
    assert_eq!(hear(&mut room, &[connect(Some("1")), disconnect(1)])[0], "open 1");
    let next = MAX_REMEMBERED_TOKENS + 1;
    leave_with_token(&mut room, next);
    assert_eq!(hear(&mut room, &[connect(Some("3"))])[0], "open 3");
    let fresh = hear(&mut room, &[connect(Some("2"))]);
    assert_eq!(fresh[0], format!("open {}", next + 1), "who left first is forgotten first");
}

#[test]
fn events_of_clients_that_are_not_there_mean_nothing() {
    let mut room = start("lobby");
    hear(&mut room, &[connect(None), disconnect(1)]);
    let binary = Event::Binary { client: ClientId(9), bytes: &[1] };
    assert!(hear(&mut room, &[disconnect(1), text(1, "late"), binary, text(0, "")]).is_empty());
}

#[test]
fn empty_messages_are_messages() {
    let mut room = start("lobby");
    hear(&mut room, &[connect(None)]);
    let empty = Event::Binary { client: ClientId(1), bytes: &[] };
    assert_eq!(hear(&mut room, &[text(1, ""), empty]), ["one 1 ", "one 1 []"]);
}

#[test]
fn the_timer_fires_once_when_due_and_not_before() {
    let mut room = start("timed");
    assert_eq!(room.deadline(), Some(at(50)));
    room.handle(Event::Timer, at(49)).unwrap();
    assert!(drain(&mut room).is_empty());
    room.handle(Event::Timer, at(50)).unwrap();
    assert_eq!(drain(&mut room), ["all ring"]);
    assert_eq!(room.deadline(), None);
    room.handle(Event::Timer, at(1000)).unwrap();
    assert!(drain(&mut room).is_empty());
}

#[test]
fn setting_the_timer_replaces_it_and_zero_cancels_it() {
    let mut room = start("timed");
    room.handle(connect(None), at(10)).unwrap();
    room.handle(text(1, "timer 500"), at(20)).unwrap();
    assert_eq!(room.deadline(), Some(at(520)));
    room.handle(text(1, "timer 0"), at(30)).unwrap();
    assert_eq!(room.deadline(), None);
}

#[test]
fn a_panic_ends_the_room_and_takes_back_only_what_that_event_sent() {
    let mut room = start("lobby");
    room.handle(connect(None), at(0)).unwrap();
    room.handle(text(1, "before"), at(0)).unwrap();
    let ended = room.handle(text(1, "panic"), at(0)).unwrap_err();
    assert!(ended.to_string().contains("as you wish"), "{ended}");
    assert_eq!(drain(&mut room), ["open 1", "but 1 +1", "one 1 before"]);
    assert_eq!(room.handle(text(1, "after"), at(0)), Err(ended));
    assert!(drain(&mut room).is_empty());
}

#[test]
fn a_panic_in_new_is_a_failed_start() {
    let failure = Room::start(&FACTORY, "cursed", at(0)).map(|_: HeraldRoom| ()).unwrap_err();
    assert!(failure.to_string().contains("no room is called so"), "{failure}");
}

#[test]
fn a_replaced_service_hears_everyone_connect_again_under_their_old_ids() {
    let mut room = start("timed");
    hear(&mut room, &[connect(None), connect(None), disconnect(1)]);
    room.start_anew(&FACTORY, "lobby", &BIRTH).unwrap();
    assert_eq!(drain(&mut room), ["but 2 +2"]);
    assert_eq!(room.deadline(), None, "the old service's timer is gone with it");
    assert_eq!(hear(&mut room, &[connect(None)])[0], "open 3");
}

#[test]
fn a_service_that_cannot_start_does_not_replace_the_one_that_runs() {
    let mut room = start("timed");
    hear(&mut room, &[connect(None)]);
    room.start_anew(&FACTORY, "cursed", &BIRTH).unwrap_err();
    assert_eq!(room.deadline(), Some(at(50)));
    assert_eq!(hear(&mut room, &[text(1, "still here")]), ["one 1 still here"]);
}

#[test]
fn whom_the_service_closes_has_left_at_once_and_gets_nothing_more() {
    let mut room = start("lobby");
    hear(&mut room, &[connect(None), connect(Some("\0ada\0phone")), connect(Some("bob"))]);
    assert_eq!(
        hear(&mut room, &[text(1, "who")]),
        ["one 1 who", "one 1 [(1, None), (2, Some(\"ada\")), (3, None)]"]
    );
    // The reason is cut where it is too long for a close frame; somebody who is not there is left alone.
    let reason = "w\u{ea}".repeat(41);
    assert_eq!(
        hear(&mut room, &[text(1, "kick 2 2 7 1"), text(2, "I am still here")]),
        [
            "one 1 kick 2 2 7 1".to_owned(),
            format!("close 2 4301 {reason}"),
            format!("close 1 4301 {reason}"),
            "all -2".to_owned(),
            "all -1".to_owned(),
        ]
    );
    assert_eq!(room.members().collect::<Vec<_>>(), [ClientId(3)]);
    // Who comes back is who it was.
    assert_eq!(hear(&mut room, &[connect(Some("\0ada\0phone"))]), ["open 2", "but 2 +2"]);
    let who = ["one 3 who", "one 3 [(2, Some(\"ada\")), (3, None)]"];
    assert_eq!(hear(&mut room, &[text(3, "who")]), who);
}

#[test]
fn what_a_token_says_of_a_client_holds_until_it_leaves_or_another_token_says_otherwise() {
    let mut room = start("r");
    let claims = |claims| Event::Claims { token: "\0ada", claims };
    let mut roles = |events: &[Event<'_>], asking| {
        hear(&mut room, events);
        hear(&mut room, &[text(asking, "roles")]).pop().unwrap()
    };
    let moderator = claims(r#"{"role":"moderator"}"#);
    let ada = connect(Some("\0ada"));
    // Somebody else who comes in between gets nothing of it.
    let events = [moderator, connect(None), ada];
    assert_eq!(roles(&events, 1), r#"one 1 [None, Some("moderator")]"#);
    // She comes again on the same claims, and then on others while she is there.
    assert_eq!(roles(&[moderator, ada], 1), r#"one 1 [None, Some("moderator")]"#);
    assert_eq!(roles(&[ada], 1), r#"one 1 [None, Some("moderator")]"#);
    assert_eq!(roles(&[claims(r#"{"role":"guest"}"#)], 1), r#"one 1 [None, Some("guest")]"#);
    assert_eq!(roles(&[claims("")], 1), "one 1 [None, None]");
    assert_eq!(roles(&[moderator, disconnect(2), ada], 1), r#"one 1 [None, Some("moderator")]"#);
    assert_eq!(roles(&[disconnect(2), ada], 1), "one 1 [None, None]");
}
