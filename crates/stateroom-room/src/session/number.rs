//! Numbers as the protocol writes them: decimal, without a sign or leading zeros, exact in JavaScript too.

/// The largest number of the protocol: 2^53 - 1.
pub const MAX_NUMBER: u64 = (1 << 53) - 1;

/// Reads one; `None` for anything that is not written in the one way there is.
pub(super) fn read(word: &str) -> Option<u64> {
    let is_plain = word.bytes().all(|byte| byte.is_ascii_digit());
    let leads_with_zero = word.len() > 1 && word.starts_with('0');
    if !is_plain || leads_with_zero || word.len() > 16 {
        return None;
    }
    word.parse().ok().filter(|number| *number <= MAX_NUMBER)
}
