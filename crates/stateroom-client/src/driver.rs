//! Carries for a client: opens its sockets, and tells it what comes and what time it is.

use crate::{
    event::Event,
    incoming::{Incoming, LOST},
    options::Options,
    platform::{Instant, Socket, sleep_until, spawn},
};
use stateroom_room::{
    Timestamp,
    session::{
        Key, Request,
        client::{Action, ClientSettings, SessionClient, Status},
    },
};
use std::{
    future::{Future, pending},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{Notify, futures::OwnedNotified, mpsc::Sender};

/// How long it may take to open a socket.
const OPENING: Duration = Duration::from_secs(10);

/// A client that its application and its driver share.
#[derive(Debug)]
pub(crate) struct Shared {
    client: Mutex<SessionClient>,
    /// Told when the application has done something.
    acted: Notify,
    /// Told when something is different.
    changed: Arc<Notify>,
    began: Instant,
}

impl Shared {
    pub(crate) fn new(options: &Options) -> Self {
        let settings =
            ClientSettings { queue_bytes: options.queue_bytes, ..ClientSettings::default() };
        let client = SessionClient::new(settings, Timestamp::default());
        Shared {
            client: Mutex::new(client),
            acted: Notify::new(),
            changed: Arc::new(Notify::new()),
            began: Instant::now(),
        }
    }

    /// A client is whole at every point, so one whose holder panicked is still good.
    fn client(&self) -> MutexGuard<'_, SessionClient> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_origin(self.began.elapsed())
    }

    /// Has the application do something.
    pub(crate) fn act<T>(&self, act: impl FnOnce(&mut SessionClient) -> T) -> T {
        let done = act(&mut self.client());
        self.acted.notify_one();
        done
    }

    pub(crate) fn look<T>(&self, look: impl FnOnce(&SessionClient) -> T) -> T {
        look(&self.client())
    }

    /// Waits until something is different, from this call on.
    pub(crate) fn changed(&self) -> Pin<Box<OwnedNotified>> {
        let mut changed = Box::pin(self.changed.clone().notified_owned());
        changed.as_mut().enable();
        changed
    }

    pub(crate) fn wake(&self) {
        let now = self.now();
        self.act(|client| client.wake(now));
    }

    pub(crate) fn close(&self) {
        let now = self.now();
        self.act(|client| client.close(now));
    }
}

/// See the [module](self).
pub(crate) struct Driver {
    shared: Arc<Shared>,
    events: Sender<Event>,
    address: String,
    options: Options,
    /// The socket of this attempt.
    socket: Option<(u64, Socket)>,
    status: Status,
    /// When the connection is asked whether it lives.
    silent_at: Instant,
}

/// What a driver waited for.
enum Woken {
    Due,
    Acted,
    Silent,
    Came(Incoming),
}

impl Driver {
    pub(crate) fn new(
        shared: Arc<Shared>,
        events: Sender<Event>,
        address: String,
        options: Options,
    ) -> Self {
        let (status, silent_at) = (Status::Connecting, Instant::now());
        Driver { shared, events, address, options, socket: None, status, silent_at }
    }

    pub(crate) async fn run(mut self) {
        loop {
            while let Some(action) = self.next_action() {
                // Those who wait for something look whether it is there.
                self.shared.changed.notify_waiters();
                self.carry_out(action).await;
            }
            if let Some((attempt, socket)) = &mut self.socket
                && let Err(error) = socket.flush().await
            {
                let attempt = *attempt;
                self.lost(attempt, LOST, &error.to_string());
                continue;
            }
            self.tell_status().await;
            if self.status == Status::Closed {
                return;
            }
            if let Some(request) = self.dial() {
                self.open(&request).await;
                continue;
            }
            match self.wait().await {
                Woken::Acted => {}
                Woken::Due => {
                    let now = self.shared.now();
                    self.shared.client().timer(random(), now);
                }
                Woken::Silent => {
                    self.was_heard();
                    let now = self.shared.now();
                    self.shared.client().wake(now);
                }
                Woken::Came(incoming) => self.hear(incoming),
            }
        }
    }

    fn next_action(&self) -> Option<Action> {
        self.shared.client().next_action()
    }

    async fn wait(&mut self) -> Woken {
        let deadline = self.shared.look(|client| client.deadline());
        let due = async {
            match deadline {
                Some(deadline) => sleep_until(self.shared.began + deadline.since_origin()).await,
                None => pending().await,
            }
        };
        let (has_socket, silent_at) = (self.socket.is_some(), self.silent_at);
        let incoming = async {
            match &mut self.socket {
                Some((_, socket)) => socket.next().await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = due => Woken::Due,
            () = self.shared.acted.notified() => Woken::Acted,
            () = sleep_until(silent_at), if has_socket => Woken::Silent,
            incoming = incoming => Woken::Came(incoming),
        }
    }

    fn dial(&self) -> Option<Request> {
        let now = self.shared.now();
        self.shared.client().dial(now, key)
    }

    async fn open(&mut self, request: &Request) {
        let token = match &self.options.token {
            Some(token) => Some(token.get().await),
            None => None,
        };
        let opening = Socket::open(&self.address, request, token.as_deref());
        match timeout(OPENING, opening).await {
            Some(Ok(socket)) => {
                self.socket = Some((request.attempt, socket));
                self.was_heard();
            }
            Some(Err((code, reason))) => self.lost(request.attempt, code, &reason),
            None => self.lost(request.attempt, LOST, "the server does not answer"),
        }
    }

    fn hear(&mut self, incoming: Incoming) {
        let Some((attempt, _)) = &self.socket else { return };
        let attempt = *attempt;
        self.was_heard();
        match incoming {
            Incoming::Sign => {}
            Incoming::Message(message) => {
                let now = self.shared.now();
                let client = &mut self.shared.client();
                client.received(attempt, message.frame(), random(), now);
            }
            Incoming::End(code, reason) => self.lost(attempt, code, &reason),
        }
    }

    fn was_heard(&mut self) {
        self.silent_at = Instant::now() + self.options.silence;
    }

    fn lost(&mut self, attempt: u64, code: u16, reason: &str) {
        self.socket.take_if(|(of, _)| *of == attempt);
        let now = self.shared.now();
        self.shared.client().lost(attempt, code, reason, random(), now);
    }

    async fn carry_out(&mut self, action: Action) {
        let event = match action {
            Action::Write { attempt, message } => {
                if let Some((_, socket)) = self.socket.as_mut().filter(|(of, _)| *of == attempt)
                    && let Err(error) = socket.write(message.frame()).await
                {
                    self.lost(attempt, LOST, &error.to_string());
                }
                return;
            }
            Action::GiveUp { attempt } => return self.end(attempt, 4999),
            Action::Close { attempt } => return self.end(attempt, 1000),
            // The token is asked for before each attempt.
            Action::LogIn => return,
            Action::Settled { .. } => return,
            Action::Opened => Event::Opened,
            Action::Resumed { recovered, new_session } => Event::Resumed { recovered, new_session },
            Action::Deliver(message) => Event::Message(message),
            Action::Skipped { number, reason } => Event::Skipped { number, reason },
            Action::Unsettled { messages } => Event::Unsettled { messages },
            Action::Closed { code, reason } => {
                self.tell_status().await;
                Event::Closed { code, reason }
            }
        };
        self.tell(event).await;
    }

    /// Gives a socket up. Its close is written beside what comes next.
    fn end(&mut self, attempt: u64, code: u16) {
        if let Some((_, socket)) = self.socket.take_if(|(of, _)| *of == attempt) {
            spawn(async move {
                timeout(OPENING, socket.close(code)).await;
            });
        }
    }

    async fn tell_status(&mut self) {
        let status = self.shared.look(|client| client.status());
        if std::mem::replace(&mut self.status, status) != status {
            self.tell(Event::Status(status)).await;
        }
    }

    async fn tell(&self, event: Event) {
        // Nobody is told once the application has dropped its client.
        let _ = self.events.send(event).await;
    }
}

/// What comes of something that may take so long; nothing, if it takes longer.
async fn timeout<T>(longest: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        done = work => Some(done),
        () = sleep_until(Instant::now() + longest) => None,
    }
}

/// A key that nobody can guess.
fn key() -> Key {
    let mut bits = [0; 16];
    // Without randomness the client must not go on: whoever guesses the key is this client.
    getrandom::fill(&mut bits).expect("the system gives randomness");
    Key::new(bits)
}

/// A number that no other client has, to spread who comes back at the same time.
fn random() -> u32 {
    getrandom::u32().unwrap_or_default()
}
