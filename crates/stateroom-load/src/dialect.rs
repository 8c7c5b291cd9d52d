//! What a server wants besides plain WebSocket messages.

/// Which client is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Who<'a> {
    /// Its number in the run, from 0.
    pub client: u32,
    /// The name of its room.
    pub room: &'a str,
}

/// How a server of another kind is spoken to. Everything has a default, which is to do nothing
/// special; [`Plain`] is nothing but these.
pub trait Dialect: Send + Sync {
    /// A whole HTTP request to send before the WebSocket is opened, on the same connection. Its
    /// answer must have a `Content-Length`, and is handed to [`Dialect::path`].
    fn inquiry(&self, _: Who<'_>) -> Option<Vec<u8>> {
        None
    }

    /// The path to open the WebSocket at, from `path`, which the URL means, and from the body of
    /// the answer to the inquiry.
    ///
    /// # Errors
    /// When the answer makes no sense: what is wrong with it.
    fn path(&self, _: Who<'_>, path: String, _answer: &[u8]) -> Result<String, String> {
        Ok(path)
    }

    /// The value of `Sec-WebSocket-Protocol` to open the WebSocket with, if it is to have one.
    fn subprotocols(&self, _: Who<'_>) -> Option<String> {
        None
    }

    /// The byte that messages begin with that are the protocol's own. Where there are such, the connection counts
    /// as open once one has come, and the server is told by [`Dialect::receipt`] how many of the others have: after
    /// 64 KiB of them, or a second.
    fn own_first_byte(&self) -> Option<u8> {
        None
    }

    /// The text message that tells the server that `count` messages have come.
    fn receipt(&self, _count: u64) -> String {
        String::new()
    }

    /// What to send, as a binary message, once the first message has come. Where this is
    /// something, the connection counts as open only then.
    fn first_reply(&self) -> Option<Vec<u8>> {
        None
    }

    /// What goes in front of every message; `length` is that of the message without it.
    fn prefix(&self, _length: usize) -> Vec<u8> {
        Vec::new()
    }
}

/// Plain WebSocket messages, nothing around them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Plain;

impl Dialect for Plain {}
