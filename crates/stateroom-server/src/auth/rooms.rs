//! Which rooms a token leads into, by what its claim names.

use serde_json::Value;

/// Whether a claim, a text or a list of them, names the room: exactly, or by its beginning and `*`.
pub(super) fn names(claim: Option<&Value>, room_id: &str) -> bool {
    let matches = |pattern: &str| match pattern.strip_suffix('*') {
        Some(prefix) => room_id.starts_with(prefix),
        None => room_id == pattern,
    };
    match claim {
        Some(Value::String(pattern)) => matches(pattern),
        Some(Value::Array(patterns)) => patterns.iter().filter_map(Value::as_str).any(matches),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::names;
    use serde_json::{Value, json};

    #[test]
    fn a_room_is_named_exactly_or_by_its_beginning() {
        for (claim, room_id, named) in [
            (json!("lobby"), "lobby", true),
            (json!("lobby"), "lobby2", false),
            (json!("lobby"), "Lobby", false),
            (json!(["a", "b"]), "b", true),
            (json!(["a", "b"]), "c", false),
            (json!(["team-*"]), "team-7", true),
            (json!(["team-*"]), "team-", true),
            (json!(["team-*"]), "team", false),
            (json!("*"), "anything", true),
            (json!("a*b"), "axb", false),
            (json!(""), "lobby", false),
            (json!([]), "lobby", false),
            (json!([7, null, ["lobby"]]), "7", false),
            (json!([["lobby"]]), "lobby", false),
            (json!({ "lobby": true }), "lobby", false),
            (Value::Null, "lobby", false),
            (json!(true), "lobby", false),
        ] {
            assert_eq!(names(Some(&claim), room_id), named, "{claim} {room_id}");
        }
        assert!(!names(None, "lobby"));
    }
}
