//! What a room has heard and done, in few words.

use serde_json::{Value, json};
use stateroom::{Request, Response};
use stateroom_room::{CloseReason, Command, Event, MessageKind, Recipients, Timestamp, describe};
use std::{
    fmt::Write,
    time::{Duration, SystemTime},
};

/// How many characters of a payload are shown.
const PAYLOAD: usize = 200;

/// The same for what a command sends.
const SENT: usize = 60;

/// The first second of the year 10000, which the usual way to write times ends before.
const LAST_SECOND: u64 = 253_402_300_800;

/// A time in UTC, to the microsecond.
pub(crate) fn time(since_origin: Duration) -> String {
    match SystemTime::UNIX_EPOCH.checked_add(since_origin) {
        Some(time) if since_origin.as_secs() < LAST_SECOND => {
            humantime::format_rfc3339_micros(time).to_string()
        }
        _ => format!("{} s after 1970", since_origin.as_secs()),
    }
}

/// As [`time`].
pub(crate) fn timestamp(timestamp: Timestamp) -> String {
    time(timestamp.since_origin())
}

/// A room's id, so that it can be shown on a terminal whatever is in it.
pub(crate) fn name(id: &str) -> String {
    printable(id)
}

/// What others have written, on as many lines, without what a terminal would obey.
pub(crate) fn lines(text: &str, indent: &str) -> String {
    text.lines().map(printable).collect::<Vec<_>>().join(&format!("\n{indent}"))
}

/// What was heard, with what was said in it.
pub(crate) fn event(event: Event<'_>) -> String {
    if let Some(request) = request_of(event) {
        let Request { method, path, body, .. } = request;
        let target = printable(&format!("{method} {path}"));
        return format!("{}: {target} {}", describe(event), payload(&body, PAYLOAD));
    }
    match payload_of(event) {
        Some(bytes) => format!("{}: {}", describe(event), payload(bytes, PAYLOAD)),
        None => describe(event).to_string(),
    }
}

/// The request that an event is.
fn request_of(event: Event<'_>) -> Option<Request> {
    match event {
        Event::Request { request, .. } => Request::decode(request).ok(),
        _ => None,
    }
}

/// What was said in an event. A token is a secret, and no payload.
fn payload_of(event: Event<'_>) -> Option<&[u8]> {
    match event {
        Event::Text { text, .. } => Some(text.as_bytes()),
        Event::Binary { bytes, .. } => Some(bytes),
        _ => None,
    }
}

/// As text in quotes, or in hexadecimal digits where it is none; cut after `most` characters.
fn payload(bytes: &[u8], most: usize) -> String {
    let Ok(text) = std::str::from_utf8(bytes) else {
        let shown = bytes.get(..most / 2).unwrap_or(bytes);
        let cut = if shown.len() < bytes.len() { "..." } else { "" };
        return format!("0x{}{cut}", hexadecimal(shown));
    };
    let shown: String = text.chars().take(most).collect();
    let cut = if shown.len() < text.len() { "..." } else { "" };
    format!("\"{}\"{cut}", printable(&shown))
}

/// What was said in an event, for programs.
pub(crate) fn payload_json(event: Event<'_>) -> Option<Value> {
    match request_of(event) {
        Some(Request { method, path, query, user, body, .. }) => Some(json!({
            "method": method,
            "path": path,
            "query": query,
            "user": user,
            "body": whole_payload(&body),
        })),
        None => payload_of(event).map(whole_payload),
    }
}

/// Whole, for programs: as text, or in hexadecimal digits where it is none.
fn whole_payload(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => json!({ "text": text }),
        Err(_) => json!({ "hex": hexadecimal(bytes) }),
    }
}

/// What a room wants to be done.
pub(crate) fn command(command: Command<'_>) -> String {
    match command {
        Command::Open { client } => format!("open client {client}"),
        Command::Close { client, reason } => {
            format!("close client {client}: {}", reason_of(reason))
        }
        Command::Answer { number, response } => match Response::decode(response) {
            Ok(Response { status, body, .. }) => {
                let bytes = payload(&body, SENT);
                format!("answer request {number}: {status}, {} bytes {bytes}", body.len())
            }
            Err(problem) => format!("answer request {number}: {problem}"),
        },
        Command::Send { to, kind, bytes } => {
            let to = match to {
                Recipients::All => "everyone".to_owned(),
                Recipients::AllExcept(client) => format!("everyone but client {client}"),
                Recipients::One(client) => format!("client {client}"),
            };
            let binary = if kind == MessageKind::Binary { "binary, " } else { "" };
            format!("send to {to}: {binary}{} bytes {}", bytes.len(), payload(bytes, SENT))
        }
    }
}

/// The same for programs.
pub(crate) fn command_json(command: Command<'_>) -> Value {
    match command {
        Command::Open { client } => json!({ "open": client.0 }),
        Command::Close { client, reason } => {
            json!({ "close": client.0, "reason": reason_of(reason) })
        }
        Command::Answer { number, response } => {
            let response = Response::decode(response).unwrap_or_else(|_| Response::new(500));
            let body = whole_payload(&response.body);
            json!({ "answer": number, "status": response.status, "body": body })
        }
        Command::Send { to, kind, bytes } => {
            let to = match to {
                Recipients::All => json!("everyone"),
                Recipients::AllExcept(client) => json!({ "everyone_but": client.0 }),
                Recipients::One(client) => json!({ "client": client.0 }),
            };
            let binary = kind == MessageKind::Binary;
            json!({ "send": whole_payload(bytes), "to": to, "binary": binary })
        }
    }
}

fn reason_of(reason: CloseReason<'_>) -> String {
    match reason {
        CloseReason::Replaced => "another connection has its token".to_owned(),
        CloseReason::Service { code, reason } => format!("{code} {reason}").trim_end().to_owned(),
    }
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut digits, byte| {
        // A string takes whatever it is given.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

/// Without what a terminal would obey, or a reader be fooled by. Quotes stay, since what is said is
/// JSON so often.
fn printable(text: &str) -> String {
    text.escape_debug().to_string().replace(r#"\""#, r#"""#).replace(r"\'", "'")
}

#[cfg(test)]
mod tests {
    use super::*;
    use stateroom::ClientId;

    #[test]
    fn whatever_was_said_is_shown_on_one_line_and_cut() {
        let client = ClientId(3);
        let text = |text| event(Event::Text { client, text });
        let shown = r#"a message of 15 bytes from client 3: "hi\u{1b}[2J\n{"it's"}""#;
        assert_eq!(text("hi\x1b[2J\n{\"it's\"}"), shown);
        let shown = "a message of 7 bytes from client 3: \"\\u{202e}e\u{301}\\\\\"";
        assert_eq!(text("\u{202e}e\u{301}\\"), shown);
        let long = "ä".repeat(300);
        let shown = format!("a message of 600 bytes from client 3: \"{}\"...", "ä".repeat(200));
        assert_eq!(text(&long), shown);
        let binary = event(Event::Binary { client, bytes: &[0xff; 150] });
        assert_eq!(
            binary,
            format!("a binary message of 150 bytes from client 3: 0x{}...", "ff".repeat(100))
        );
        assert_eq!(
            event(Event::Connect { token: Some("secret") }),
            "a client's connect with a token"
        );
    }

    #[test]
    fn every_time_can_be_told() {
        assert_eq!(time(Duration::from_micros(1_500_000)), "1970-01-01T00:00:01.500000Z");
        assert_eq!(
            time(Duration::from_secs(LAST_SECOND) - Duration::from_nanos(1)),
            "9999-12-31T23:59:59.999999Z"
        );
        assert_eq!(time(Duration::from_secs(LAST_SECOND)), "253402300800 s after 1970");
        assert_eq!(time(Duration::MAX), format!("{} s after 1970", u64::MAX));
    }
}
