//! How a service fails.

/// Why a service stopped in the middle of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceFailure {
    /// A few words for the clients, at most 123 bytes so that they fit a WebSocket close frame.
    pub summary: &'static str,
    /// The whole story, for the log.
    pub detail: String,
}

impl std::fmt::Display for ServiceFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.summary, self.detail)
    }
}

impl std::error::Error for ServiceFailure {}
