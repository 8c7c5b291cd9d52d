//! An HTTP request to a room, and what the room answers.

/// The headers of a request that a room is told. The others are left out: they are the server's business, or secrets.
pub const REQUEST_HEADERS: &[&str] = &[
    "accept",
    "accept-language",
    "content-type",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "user-agent",
];

/// The headers that a room may answer with.
pub const RESPONSE_HEADERS: &[&str] = &[
    "cache-control",
    "content-disposition",
    "content-language",
    "content-type",
    "etag",
    "expires",
    "last-modified",
    "link",
    "location",
    "retry-after",
];

/// An HTTP request to a room, as [`request`](crate::SimpleStateroomService::request) hears it.
///
/// A test makes one by itself:
///
/// ```
/// use stateroom::*;
///
/// struct Counter(i64);
///
/// impl SimpleStateroomService for Counter {
///     fn new(_: &str, _: &impl StateroomContext) -> Self {
///         Counter(0)
///     }
///
///     fn request(&mut self, request: &Request, context: &impl StateroomContext) -> Response {
///         match (&*request.method, &*request.path) {
///             ("GET", "/count") => Response::text(&self.0.to_string()),
///             ("POST", "/count") => {
///                 self.0 += 1;
///                 context.send_message(MessageRecipient::Broadcast, &self.0.to_string());
///                 Response::text(&self.0.to_string())
///             }
///             _ => Response::new(404),
///         }
///     }
/// }
///
/// let context = TestContext::new();
/// let mut counter = Counter::new("my-room", &context);
/// assert_eq!(counter.request(&Request::post("/count", ""), &context), Response::text("1"));
/// assert_eq!(counter.request(&Request::get("/other"), &context).status, 404);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`. What asks for `HEAD` is told as `GET`, and gets no body.
    pub method: String,
    /// What follows the room's id in the address, as it was sent: it begins with `/`, and other characters may be
    /// percent-encoded.
    pub path: String,
    /// What follows `?`, as it was sent; empty if there is nothing.
    pub query: String,
    /// Who has sent it, where the server has clients log in: the `sub` of the token.
    pub user: Option<String>,
    /// What that token says of the sender, as far as the server is set to pass it on (`jwt_claims`): names, and each a
    /// text as it is or anything else as JSON. See [`claim`](Self::claim).
    pub claims: Vec<(String, String)>,
    /// Those of the [`REQUEST_HEADERS`] that it has, with their names in lower case.
    pub headers: Vec<(String, String)>,
    /// What was sent with it.
    pub body: Vec<u8>,
}

impl Request {
    /// A request of this method, to a path that may have a query.
    #[must_use]
    pub fn new(method: &str, target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Request { method: method.into(), path: path.into(), query: query.into(), ..Self::default() }
    }

    /// A `GET`.
    #[must_use]
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// A `POST` with a body.
    #[must_use]
    pub fn post(target: &str, body: impl Into<Vec<u8>>) -> Self {
        Request { body: body.into(), ..Self::new("POST", target) }
    }

    /// The same with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.into()));
        self
    }

    /// The same from somebody who has logged in.
    #[must_use]
    pub fn with_user(mut self, user: &str) -> Self {
        self.user = Some(user.into());
        self
    }

    /// The same from somebody of whom the token says this too.
    #[must_use]
    pub fn with_claim(mut self, name: &str, value: &str) -> Self {
        self.claims.push((name.into(), value.into()));
        self
    }

    /// The first header of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// What the token of the sender says by this name, as
    /// [`StateroomContext::claim`](crate::StateroomContext::claim) tells it of a client.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<&str> {
        self.claims.iter().find(|(given, _)| given == name).map(|(_, value)| &**value)
    }

    /// The body, if it is UTF-8.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        str::from_utf8(&self.body).ok()
    }
}

/// What a room answers to a [`Request`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// 200 to 599.
    pub status: u16,
    /// Those of the [`RESPONSE_HEADERS`] that it has; others are left out.
    pub headers: Vec<(String, String)>,
    /// What is sent with it.
    pub body: Vec<u8>,
}

impl Response {
    /// An answer without headers and body.
    #[must_use]
    pub fn new(status: u16) -> Self {
        Response { status, headers: Vec::new(), body: Vec::new() }
    }

    /// A text, with status 200.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::new(200).with_header("content-type", "text/plain; charset=utf-8").with_body(text)
    }

    /// A text that is JSON already, with status 200.
    #[must_use]
    pub fn json(json: impl Into<Vec<u8>>) -> Self {
        Self::new(200).with_header("content-type", "application/json").with_body(json)
    }

    /// The same with another status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The same with another body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The same with one more header.
    ///
    /// # Panics
    /// When it is none of the [`RESPONSE_HEADERS`].
    #[must_use]
    #[track_caller]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        let name = name.to_ascii_lowercase();
        assert!(
            RESPONSE_HEADERS.contains(&&*name),
            "a room may not answer with the header {name}; it may with {RESPONSE_HEADERS:?}"
        );
        self.headers.push((name, value.into()));
        self
    }

    /// The first header of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut named = headers.iter().filter(|(given, _)| given.eq_ignore_ascii_case(name));
    named.next().map(|(_, value)| &**value)
}
