//! What the feature `serde` writes is what the published 0.2 generation wrote, and it is read back.

use serde::{Serialize, de::DeserializeOwned};
use stateroom::{ClientId, MessageFromProcess, MessagePayload, MessageRecipient, MessageToProcess};
use std::fmt::Debug;

#[track_caller]
fn is_written_as<T: Serialize + DeserializeOwned + Debug + PartialEq>(value: T, json: &str) {
    assert_eq!(serde_json::to_string(&value).unwrap(), json);
    assert_eq!(serde_json::from_str::<T>(json).unwrap(), value);
}

#[test]
fn ids_and_recipients() {
    let client = ClientId(3);
    is_written_as(client, "3");
    is_written_as(MessageRecipient::Broadcast, r#""Broadcast""#);
    is_written_as(MessageRecipient::Client(client), r#"{"Client":3}"#);
    is_written_as(MessageRecipient::EveryoneExcept(client), r#"{"EveryoneExcept":3}"#);
}

#[test]
fn payloads() {
    is_written_as(MessagePayload::from("hi"), r#"{"Text":"hi"}"#);
    is_written_as(MessagePayload::from(&[1, 2][..]), r#"{"Bytes":[1,2]}"#);
}

#[test]
fn events() {
    let client = ClientId(3);
    is_written_as(MessageToProcess::Connect { client }, r#"{"type":"Connect","client":3}"#);
    is_written_as(MessageToProcess::Disconnect { client }, r#"{"type":"Disconnect","client":3}"#);
    is_written_as(MessageToProcess::Timer, r#"{"type":"Timer"}"#);
    is_written_as(
        MessageToProcess::Message { client, message: "hi".into() },
        r#"{"type":"Message","client":3,"message":{"Text":"hi"}}"#,
    );
}

#[test]
fn commands() {
    is_written_as(
        MessageFromProcess::Message {
            recipient: MessageRecipient::Broadcast,
            message: "hi".into(),
        },
        r#"{"type":"Message","recipient":"Broadcast","message":{"Text":"hi"}}"#,
    );
}
