//! What an application may choose about its client.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

/// How a client works. The default is what most want.
#[derive(Debug, Clone)]
pub struct Options {
    /// The token to log in with, if the server wants one. Default: none.
    pub token: Option<Token>,
    /// Parameters of the address, besides those that are in it. Default: none.
    pub params: Vec<(String, String)>,
    /// How many bytes may wait to be durable; past it [`send`](crate::RoomClient::send) is refused. Default: 1 MiB.
    pub queue_bytes: usize,
    /// How long a connection may say nothing before the client asks whether it lives. Default: 20 s.
    pub silence: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            token: None,
            params: Vec::new(),
            queue_bytes: 1024 * 1024,
            silence: Duration::from_secs(20),
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
type Ask = dyn Fn() -> Pin<Box<dyn Future<Output = String> + Send>> + Send + Sync;

/// What a page has is of one thread.
#[cfg(target_arch = "wasm32")]
type Ask = dyn Fn() -> Pin<Box<dyn Future<Output = String>>>;

/// Where a client gets its token (a JWT) from, each time it connects.
#[derive(Clone)]
pub struct Token(Arc<Ask>);

impl Token {
    /// Always the same one.
    #[must_use]
    pub fn fixed(token: impl Into<String>) -> Self {
        let token = token.into();
        Token::from_fn(move || std::future::ready(token.clone()))
    }

    /// One that is asked for before each connection.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn from_fn<F>(ask: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = String> + Send + 'static,
    {
        Token(Arc::new(move || Box::pin(ask())))
    }

    /// One that is asked for before each connection.
    #[cfg(target_arch = "wasm32")]
    pub fn from_fn<F>(ask: impl Fn() -> F + 'static) -> Self
    where
        F: Future<Output = String> + 'static,
    {
        Token(Arc::new(move || Box::pin(ask())))
    }

    pub(crate) async fn get(&self) -> String {
        (self.0)().await
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}
