//! The messages of the protocol: what is written is read again, and what is read was written in the one way there is.

use crate::session::{
    Close, Down, Encoded, Frame, Key, Life, MAX_CONTROL_BYTES, MAX_NUMBER, MAX_REASON_BYTES, Next,
    NoMessage, NoRequest, Request, SUBPROTOCOL, ServiceClose, Up, Welcome,
};
use proptest::prelude::*;

fn text(encoded: &Encoded<'_>) -> String {
    match encoded.frame() {
        Frame::Text(text) => text.to_owned(),
        Frame::Binary(bytes) => format!("{bytes:?}"),
    }
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..5_u64, 0..=MAX_NUMBER]
}

fn request() -> impl Strategy<Value = Request> {
    let attempt = 1..=MAX_NUMBER;
    (any::<[u8; 16]>(), attempt, number(), number(), number(), number(), number()).prop_map(
        |(key, attempt, epoch, incarnation, have, acked, sent)| {
            let life = Life { epoch, incarnation };
            Request { key: Key::new(key), attempt, life, have, acked, sent }
        },
    )
}

/// Text that looks like a message of the protocol more often than not.
fn almost_a_message() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        Just(String::new()),
        Just("007".to_owned()),
        Just("-1".to_owned()),
        Just("9007199254740992".to_owned()),
        number().prop_map(|number| number.to_string()),
    ];
    let word = prop_oneof!["welcome", "ack", "anew", "skipped", "probe", "flush", "[a-z]{0,6}"];
    let rest = prop::collection::vec(number, 0..9);
    ("\0{0,2}", word, rest, prop_oneof![Just(""), Just(" "), Just("\0")]).prop_map(
        |(mark, word, rest, end)| {
            let rest: String = rest.iter().map(|number| format!(" {number}")).collect();
            format!("{mark}{word}{rest}{end}")
        },
    )
}

proptest! {
    #[test]
    fn any_text_is_read_in_one_way_or_refused(
        text in prop_oneof![any::<String>(), almost_a_message(), "\0\\PC{0,40}"],
    ) {
        let frame = Frame::Text(&text);
        if let Ok(down) = Down::decode(frame) {
            let again = down.encode();
            prop_assert_eq!(again.frame(), frame);
        }
        if let Ok(up) = Up::decode(frame) {
            let again = up.encode();
            prop_assert_eq!(again.frame(), frame);
        }
    }

    #[test]
    fn any_binary_message_is_what_the_service_says(bytes: Vec<u8>) {
        let frame = Frame::Binary(&bytes);
        prop_assert_eq!(Down::decode(frame), Ok(Down::Data(frame)));
        prop_assert_eq!(Up::decode(frame), Ok(Up::Data(frame)));
        let encoded = Down::Data(frame).encode();
        prop_assert_eq!(encoded.frame(), frame);
    }

    #[test]
    fn any_text_of_the_service_comes_as_it_was(text in prop_oneof![any::<String>(), "\0{0,3}[a-z ]{0,9}"]) {
        let data = Down::Data(Frame::Text(&text));
        let encoded = data.encode();
        prop_assert_eq!(Down::decode(encoded.frame()), Ok(data));
        prop_assert!(text.starts_with('\0') || encoded.frame() == Frame::Text(&text));
    }

    #[test]
    fn a_welcome_is_read_as_it_was_written(numbers in prop::array::uniform7(number())) {
        let [epoch, incarnation, heard, from, ack_bytes, largest, grace_ms] = numbers;
        let life = Life { epoch, incarnation };
        let welcome = Down::Welcome(Welcome { life, heard, from, ack_bytes, largest, grace_ms });
        let encoded = welcome.encode();
        prop_assert_eq!(Down::decode(encoded.frame()), Ok(welcome));
    }

    #[test]
    fn a_reason_of_any_length_fits(number in number(), reason in "\\PC{0,400}") {
        let encoded = Down::Skipped { number, reason: &reason }.encode();
        prop_assert!(text(&encoded).len() <= MAX_CONTROL_BYTES);
        match Down::decode(encoded.frame()) {
            Ok(Down::Skipped { number: read, reason: end }) => {
                prop_assert_eq!(read, number);
                prop_assert!(reason.starts_with(end) && end.len() + 4 > reason.len().min(MAX_REASON_BYTES));
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn a_request_is_read_as_it_was_written(request in request()) {
        let entry = request.to_entry();
        prop_assert_eq!(Request::from_entry(&entry), Ok(request));
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        prop_assert!(entry.bytes().all(is_token), "{} cannot stand in a header", entry);
        prop_assert_eq!(Request::find(["other", SUBPROTOCOL, &entry]), Ok(Some(request)));
    }

    #[test]
    fn a_request_with_any_byte_changed_is_another_or_none(
        request in request(),
        place in any::<prop::sample::Index>(),
        byte in 0..128_u8,
    ) {
        let mut entry = request.to_entry().into_bytes();
        let place = place.index(entry.len());
        entry[place] = byte;
        let entry = String::from_utf8(entry).unwrap();
        if let Ok(read) = Request::from_entry(&entry) {
            prop_assert_eq!(read.to_entry(), entry);
        }
    }

    #[test]
    fn any_close_has_something_that_follows(code: u16, reason: String) {
        let _ = Next::after(code, &reason);
    }
}

#[test]
fn what_is_no_request_says_why() {
    assert_eq!(Request::find(["chat"]), Ok(None), "it did not ask for a session");
    assert_eq!(Request::find(["s.x"]), Ok(None), "nor this one, whatever it means by it");
    assert_eq!(Request::find([SUBPROTOCOL]), Err(NoRequest::Missing));
    assert_eq!(Request::find([SUBPROTOCOL, "s.a", "s.b"]), Err(NoRequest::Twice));
    assert_eq!(Request::find([SUBPROTOCOL, "s.a"]), Err(NoRequest::Malformed));
    let no_attempt = format!("s.{}.0.0.0.0.0.0", Key::new([1; 16]).to_text());
    assert_eq!(Request::from_entry(&no_attempt), Err(NoRequest::Malformed));
}

#[test]
fn a_message_that_is_too_long_is_refused_before_it_is_read() {
    let text = format!("\0ack {}", "1".repeat(MAX_CONTROL_BYTES));
    let length = text.len();
    assert_eq!(Up::decode(Frame::Text(&text)), Err(NoMessage::TooLong { length }));
    assert_eq!(Up::decode(Frame::Text("\0ack 1 2")), Err(NoMessage::Malformed));
    assert_eq!(Up::decode(Frame::Text("\0probe ")), Err(NoMessage::Malformed));
    assert_eq!(Up::decode(Frame::Text("\0hello")), Err(NoMessage::Unknown));
    assert_eq!(Up::decode(Frame::Text("\0")), Err(NoMessage::Unknown));
}

/// Clients that are written by hand depend on each byte of these.
#[test]
fn messages_have_the_bytes_that_the_page_of_the_protocol_shows() {
    let life = Life { epoch: 3, incarnation: 1 };
    let key = Key::new([0xff; 16]);
    let request = Request { key, attempt: 4, life, have: 12, acked: 5, sent: 6 };
    assert_eq!(request.to_entry(), "s._____________________w.4.3.1.12.5.6");
    let (ack_bytes, largest, grace_ms) = (65_536, 1_048_576, 30_000);
    let welcome = Welcome { life, heard: 5, from: 12, ack_bytes, largest, grace_ms };
    let written = "\0welcome 3 1 5 12 65536 1048576 30000";
    assert_eq!(text(&Down::Welcome(welcome).encode()), written);
    assert_eq!(text(&Down::Ack { heard: 5 }.encode()), "\0ack 5");
    assert_eq!(text(&Down::Anew { epoch: 4 }.encode()), "\0anew 4");
    let skipped = Down::Skipped { number: 6, reason: "out of memory" };
    assert_eq!(text(&skipped.encode()), "\0skipped 6 out of memory");
    assert_eq!(text(&Up::Ack { have: 12 }.encode()), "\0ack 12");
    assert_eq!(text(&Up::Probe.encode()), "\0probe");
    assert_eq!(text(&Up::Flush.encode()), "\0flush");
    assert_eq!(text(&Up::Data(Frame::Text("\0a")).encode()), "\0\0a");
}

#[test]
fn each_close_of_a_server_leads_to_what_its_name_says() {
    for (close, next) in [
        (Close::Again, Next::AtOnce),
        (Close::Later, Next::Later),
        (Close::Ended { heard: Some(7) }, Next::Anew { heard: Some(7) }),
        (Close::Ended { heard: None }, Next::Anew { heard: None }),
        (Close::LogIn, Next::WithAnotherToken),
        (Close::Moved, Next::Never),
        (Close::Protocol, Next::Never),
        (Close::Service(ServiceClose { code: 1000, reason: "heard=1".into() }), Next::Never),
    ] {
        assert_eq!(Next::after(close.code(), &close.to_string()), next, "{close:?}");
    }
    assert_eq!(Next::after(1009, ""), Next::Never, "it would be sent again for ever");
    assert_eq!(Next::after(1006, ""), Next::AtOnce);
}

#[test]
fn a_key_is_shown_nowhere() {
    let key = Key::new([7; 16]);
    assert_eq!(format!("{key:?}"), "Key(..)");
    assert!(!format!("{:?}", key.hash()).contains("7, 7, 7"));
}
