//! Requests and answers as bytes, for journals and for modules of any language.
//!
//! A field is its length, as a `u32` in little-endian order, and that many bytes. A request is the fields method, path,
//! query, user (empty for nobody) and body, then two for each header, its name and its value, and
//! two for each claim, its name after a `:` and its value. An answer is its status,
//! as a `u32` in little-endian order, the field body, and then two fields for each header.

use crate::{Request, Response};

/// These bytes are no request, or no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotEncoded(
    /// What is wrong with them.
    pub &'static str,
);

impl std::fmt::Display for NotEncoded {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.0)
    }
}

impl std::error::Error for NotEncoded {}

/// What the name of a claim follows. No header's name begins so.
const CLAIM: char = ':';

const CUT_SHORT: NotEncoded = NotEncoded("a field is longer than what is there");
const NO_TEXT: NotEncoded = NotEncoded("a field that is text is not UTF-8");
const NO_STATUS: NotEncoded = NotEncoded("the status is not one from 200 to 599");

impl Request {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for text in [&self.method, &self.path, &self.query] {
            put(&mut bytes, text.as_bytes());
        }
        put(&mut bytes, self.user.as_deref().unwrap_or_default().as_bytes());
        put(&mut bytes, &self.body);
        put_headers(&mut bytes, &self.headers);
        for (name, value) in &self.claims {
            put(&mut bytes, format!("{CLAIM}{name}").as_bytes());
            put(&mut bytes, value.as_bytes());
        }
        bytes
    }

    /// The request that these bytes are.
    ///
    /// # Errors
    /// When they are none.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotEncoded> {
        let mut fields = Fields(bytes);
        let mut request = Request {
            method: fields.text()?,
            path: fields.text()?,
            query: fields.text()?,
            user: Some(fields.text()?).filter(|user| !user.is_empty()),
            body: fields.bytes()?.to_vec(),
            ..Request::default()
        };
        for (name, value) in fields.headers()? {
            match name.strip_prefix(CLAIM) {
                Some(claim) => request.claims.push((claim.to_owned(), value)),
                None => request.headers.push((name, value)),
            }
        }
        Ok(request)
    }
}

impl Response {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = u32::from(self.status).to_le_bytes().to_vec();
        put(&mut bytes, &self.body);
        put_headers(&mut bytes, &self.headers);
        bytes
    }

    /// The answer that these bytes are.
    ///
    /// # Errors
    /// When they are none.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotEncoded> {
        let mut fields = Fields(bytes);
        let status = u16::try_from(fields.number()?).map_err(|_| NO_STATUS)?;
        if !(200..=599).contains(&status) {
            return Err(NO_STATUS);
        }
        Ok(Response { status, body: fields.bytes()?.to_vec(), headers: fields.headers()? })
    }
}

fn put(bytes: &mut Vec<u8>, field: &[u8]) {
    // Nobody has 4 GiB of one; whoever had would find the rest of it in the next fields.
    let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(field);
}

fn put_headers(bytes: &mut Vec<u8>, headers: &[(String, String)]) {
    for (name, value) in headers {
        put(bytes, name.as_bytes());
        put(bytes, value.as_bytes());
    }
}

/// What is left of some bytes.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn number(&mut self) -> Result<u32, NotEncoded> {
        let (number, rest) = self.0.split_first_chunk().ok_or(CUT_SHORT)?;
        self.0 = rest;
        Ok(u32::from_le_bytes(*number))
    }

    fn bytes(&mut self) -> Result<&'a [u8], NotEncoded> {
        let length = usize::try_from(self.number()?).map_err(|_| CUT_SHORT)?;
        let (field, rest) = self.0.split_at_checked(length).ok_or(CUT_SHORT)?;
        self.0 = rest;
        Ok(field)
    }

    fn text(&mut self) -> Result<String, NotEncoded> {
        str::from_utf8(self.bytes()?).map(str::to_owned).map_err(|_| NO_TEXT)
    }

    fn headers(&mut self) -> Result<Vec<(String, String)>, NotEncoded> {
        let mut headers = Vec::new();
        while !self.0.is_empty() {
            headers.push((self.text()?, self.text()?));
        }
        Ok(headers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded_again_and_nothing_else_is() {
        let request = Request::post("/a%20b?x=1", [0, 255])
            .with_header("Content-Type", "text/plain")
            .with_user("ada")
            .with_claim("role", "moderator");
        let response = Response::json("{}").with_status(201).with_header("location", "/a");
        let (asked, answered) = (request.encode(), response.encode());
        assert_eq!(Request::decode(&asked), Ok(request));
        assert_eq!(Response::decode(&answered), Ok(response));
        let without_claim = asked.len() - (4 + 5 + 4 + 9);
        let whole = [without_claim, without_claim - (4 + 12 + 4 + 10)];
        for length in (0..asked.len()).filter(|length| !whole.contains(length)) {
            assert!(Request::decode(&asked[..length]).is_err(), "{length}");
        }
        for status in [0, 101, 199, 600, 65_536 + 200_u32] {
            let bytes = [&status.to_le_bytes()[..], &[0; 4]].concat();
            assert_eq!(Response::decode(&bytes), Err(NO_STATUS), "{status}");
        }
        assert_eq!(Request::decode(&[1, 0, 0, 0, 255]), Err(NO_TEXT));
        assert_eq!(Request::decode(&[255; 4]), Err(CUT_SHORT));
    }

    /// The bytes are a format on people's disks, and that of modules: they must not change unnoticed.
    #[test]
    fn a_request_has_the_bytes_it_always_had() {
        let request = Request::post("/a?b", "hi").with_user("u").with_header("accept", "*");
        let expected = b"\x04\0\0\0POST\x02\0\0\0/a\x01\0\0\0b\x01\0\0\0u\x02\0\0\0hi\
            \x06\0\0\0accept\x01\0\0\0*";
        assert_eq!(request.encode(), expected);
        assert_eq!(Response::new(404).encode(), [148, 1, 0, 0, 0, 0, 0, 0]);
    }
}
