//! Why a connection was closed, as the number in a close frame (RFC 6455 §7.4).

use stateroom_room::session::Close;

/// A close code that may appear on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CloseCode(u16);

impl CloseCode {
    /// The client has done what it came for.
    pub(crate) const NORMAL: Self = CloseCode(1000);
    /// The server is shutting down.
    pub(crate) const GOING_AWAY: Self = CloseCode(1001);
    /// The client broke the protocol.
    pub(crate) const PROTOCOL_ERROR: Self = CloseCode(1002);
    /// A text message was not UTF-8.
    pub(crate) const INVALID_TEXT: Self = CloseCode(1007);
    /// No code at all, which is a close frame without payload (RFC 6455 §7.1.5).
    pub(crate) const NONE: Self = CloseCode(1005);
    /// The client did something that is not allowed, or was replaced.
    pub(crate) const POLICY: Self = CloseCode(1008);
    /// A message was larger than the server takes.
    pub(crate) const TOO_BIG: Self = CloseCode(1009);
    /// The room failed.
    pub(crate) const ROOM_FAILED: Self = CloseCode(1011);
    /// The server ends, and is started anew.
    pub(crate) const SERVICE_RESTART: Self = CloseCode(1012);
    /// The client cannot be served now, and may come back.
    pub(crate) const TRY_AGAIN_LATER: Self = CloseCode(1013);
    /// The client's token has expired: it may come back with a new one.
    pub(crate) const LOG_IN_AGAIN: Self = CloseCode(4201);

    /// The one of the session protocol.
    pub(crate) fn of_session(close: &Close) -> Self {
        CloseCode(close.code())
    }

    /// The one that a service closes a client with: 1000, or 4301 to 4999.
    pub(crate) fn of_service(code: u16) -> Self {
        CloseCode(code)
    }

    /// Reads a code that a client sent; `None` for those it must not send.
    pub(crate) fn from_wire(code: u16) -> Option<Self> {
        matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999).then_some(CloseCode(code))
    }

    /// The number.
    pub(crate) fn number(self) -> u16 {
        self.0
    }
}
