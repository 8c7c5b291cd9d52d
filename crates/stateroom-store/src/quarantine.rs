//! How much of the events that were set aside is kept: the newest, up to a number and up to so many bytes.

use std::borrow::Cow;

/// How many bytes the events of one room that were set aside may have together, with their reasons.
pub(crate) const MAX_ROOM_BYTES: usize = 1 << 20;

/// How many bytes of one of them are kept, and of its reason.
pub(crate) const MAX_EVENT_BYTES: usize = 64 << 10;

/// What is kept of an event and its reason, which then says what is missing.
pub(crate) fn cut<'a>(reason: &'a str, event: &'a [u8]) -> (Cow<'a, str>, &'a [u8]) {
    let kept = event.get(..MAX_EVENT_BYTES).unwrap_or(event);
    let reason_bytes = reason.floor_char_boundary(MAX_EVENT_BYTES);
    let kept_reason = reason.get(..reason_bytes).unwrap_or(reason);
    if kept.len() == event.len() {
        return (Cow::Borrowed(kept_reason), kept);
    }
    let told =
        format!("{kept_reason} (of {} bytes, the first {MAX_EVENT_BYTES} are kept)", event.len());
    (Cow::Owned(told), kept)
}

/// How many of the newest may stay, of events with so many bytes each, the newest first.
pub(crate) fn keep(newest_first: impl IntoIterator<Item = usize>) -> usize {
    let mut total = 0;
    let stay = newest_first.into_iter().take(crate::MAX_QUARANTINED).take_while(|bytes| {
        total += bytes;
        total <= MAX_ROOM_BYTES
    });
    stay.count()
}
