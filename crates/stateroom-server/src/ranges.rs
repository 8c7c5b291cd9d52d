//! Which part of a page a request asks for (RFC 9110 §14), as far as it is to be obeyed.

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};

/// What a request says of ranges, taken out of its headers.
#[derive(Debug)]
pub(crate) struct Asked {
    range: Option<Range>,
    /// What the range is for; the whole is wanted where it has changed.
    if_range: Option<HeaderValue>,
}

/// One range of bytes. Of several at once the whole is answered, as for what is no range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Range {
    /// From one byte to another, or to the end.
    From(u64, Option<u64>),
    /// So many at the end.
    Last(u64),
}

impl Asked {
    /// Takes it out of the headers of a request.
    pub(crate) fn take(method: &Method, headers: &mut HeaderMap) -> Asked {
        let if_range = headers.remove(header::IF_RANGE);
        let range = headers.remove(header::RANGE);
        let range = range.filter(|_| method == Method::GET);
        Asked { range: range.and_then(|range| parse(range.to_str().ok()?)), if_range }
    }

    /// The header to ask for it with.
    pub(crate) fn header(&self) -> Option<HeaderValue> {
        let text = match self.range? {
            Range::From(first, None) => format!("bytes={first}-"),
            Range::From(first, Some(last)) => format!("bytes={first}-{last}"),
            Range::Last(count) => format!("bytes=-{count}"),
        };
        HeaderValue::try_from(text).ok()
    }

    /// What to ask for instead, when `status` and `headers` have been answered to that.
    pub(crate) fn second_try(&self, status: StatusCode, headers: &HeaderMap) -> Option<Asked> {
        let is_part = status == StatusCode::PARTIAL_CONTENT;
        if !is_part && status != StatusCode::RANGE_NOT_SATISFIABLE {
            return None;
        }
        let is_empty = headers.get(header::CONTENT_LENGTH).is_some_and(|length| length == "0");
        if !self.is_for(headers) || (is_part && is_empty) {
            return Some(Asked { range: None, if_range: None });
        }
        // More at the end than there is, is all of it.
        let whole = matches!(self.range, Some(Range::Last(count)) if count > 0)
            && !is_part
            && headers.get(header::CONTENT_RANGE).is_some_and(|size| size != "bytes */0");
        whole.then_some(Asked { range: Some(Range::From(0, None)), if_range: None })
    }

    /// Whether what is there now is what the range was asked of. A weak validator never says so.
    fn is_for(&self, headers: &HeaderMap) -> bool {
        let Some(wanted) = &self.if_range else { return true };
        let is = |name| headers.get(name) == Some(wanted);
        is(header::ETAG) || is(header::LAST_MODIFIED)
    }
}

fn parse(text: &str) -> Option<Range> {
    let (unit, range) = text.split_once('=')?;
    let (first, last) = range.split_once('-')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    match (first.trim(), last.trim()) {
        ("", last) => Some(Range::Last(number(last)?)),
        (first, "") => Some(Range::From(number(first)?, None)),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(Range::From(first, Some(last)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_read_and_all_else_is_passed_over() {
        for (text, range) in [
            ("bytes=0-9", Some(Range::From(0, Some(9)))),
            ("Bytes = 007-", Some(Range::From(7, None))),
            ("bytes=-5", Some(Range::Last(5))),
            ("bytes=0-99999999999999999999", Some(Range::From(0, Some(u64::MAX)))),
            ("bytes=9-0", None),
            ("bytes=0-1,5-6", None),
            ("bytes=", None),
            ("bytes=-", None),
            ("bytes=+1-2", None),
            ("bytes=a-b", None),
            ("lines=0-9", None),
        ] {
            assert_eq!(parse(text), range, "{text}");
        }
    }
}
