//! The address of a room, with its parameters.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// All but what a query never has to escape (RFC 3986 §2.3).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Adds parameters to an address.
pub(crate) fn with_params(address: &str, params: &[(String, String)]) -> String {
    let mut address = address.to_owned();
    for (name, value) in params {
        address.push(if address.contains('?') { '&' } else { '?' });
        address.extend(utf8_percent_encode(name, ESCAPED));
        address.push('=');
        address.extend(utf8_percent_encode(value, ESCAPED));
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_added_and_escaped() {
        let param = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let params = [param("color", "a b"), param("né", "&=")];
        assert_eq!(with_params("ws://x/ws/a", &params), "ws://x/ws/a?color=a%20b&n%C3%A9=%26%3D");
        assert_eq!(with_params("ws://x/ws/a?b=1", &params[..1]), "ws://x/ws/a?b=1&color=a%20b");
    }
}
