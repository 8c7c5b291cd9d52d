//! A context that records, so that a service can be unit-tested without any server.

use crate::{
    ClientId, MessagePayload, MessageRecipient, SimpleStateroomService, StateroomContext, Timers,
    check_close_code, timers::Due,
};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    time::Duration,
};

/// One message that a service sent to a [`TestContext`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Whom it was for.
    pub recipient: MessageRecipient,
    /// What was sent.
    pub message: MessagePayload,
}

impl Sent {
    /// A text message to `recipient`.
    pub fn text(recipient: impl Into<MessageRecipient>, message: &str) -> Self {
        Sent { recipient: recipient.into(), message: message.into() }
    }

    /// A binary message to `recipient`.
    pub fn binary(recipient: impl Into<MessageRecipient>, message: &[u8]) -> Self {
        Sent { recipient: recipient.into(), message: message.into() }
    }
}

/// One client that a service closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// Which.
    pub client: ClientId,
    /// With which code.
    pub code: u16,
    /// Why.
    pub reason: String,
}

/// How many timers are heard in one [`tick`](TestContext::tick) at most.
const MOST_IN_A_TICK: usize = 100_000;

/// Records what a service sends, whom it closes, and the timers it sets.
///
/// It calls nothing by itself. It records every message, whoever it is for, and a test itself says who connects, by
/// calling the service, and by telling the context if the service asks that. Its clock goes when it is told to:
/// [`tick`](TestContext::tick) has the service hear what becomes due meanwhile.
///
/// ```
/// use stateroom::*;
/// use std::time::Duration;
///
/// struct Clock(u32);
///
/// impl SimpleStateroomService for Clock {
///     fn new(_room_id: &str, context: &impl StateroomContext) -> Self {
///         context.set_timer(1000);
///         Clock(0)
///     }
///
///     fn timer(&mut self, context: &impl StateroomContext) {
///         self.0 += 1;
///         context.send_message(MessageRecipient::Broadcast, &format!("{} s", self.0));
///     }
/// }
///
/// let context = TestContext::new();
/// let mut clock = Clock::new("my-room", &context);
/// assert_eq!(context.timer_ms(), Some(1000));
///
/// context.tick(Duration::from_secs(1), &mut clock);
/// assert_eq!(context.take(), [Sent::text(MessageRecipient::Broadcast, "1 s")]);
/// ```
#[derive(Debug, Default)]
pub struct TestContext {
    sent: RefCell<Vec<Sent>>,
    closed: RefCell<Vec<Closed>>,
    timer: Cell<Option<u32>>,
    timers: RefCell<Timers>,
    clients: RefCell<BTreeMap<ClientId, Option<String>>>,
    claims: RefCell<BTreeMap<(ClientId, String), String>>,
    config: RefCell<BTreeMap<String, String>>,
    now: Cell<Duration>,
}

impl TestContext {
    /// A context that has recorded nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What was sent since the last call, in order.
    pub fn take(&self) -> Vec<Sent> {
        self.sent.take()
    }

    /// Whom the service has closed since the last call, in order.
    pub fn take_closed(&self) -> Vec<Closed> {
        self.closed.take()
    }

    /// Notes that a client is connected, who has logged in as `user` or not at all.
    pub fn connects(&self, client: ClientId, user: Option<&str>) {
        self.clients.borrow_mut().insert(client, user.map(str::to_owned));
    }

    /// Notes what the token of a client says of it by this name.
    pub fn claims(&self, client: ClientId, name: &str, value: &str) {
        self.claims.borrow_mut().insert((client, name.to_owned()), value.to_owned());
    }

    /// Has the settings of the service say this.
    pub fn configure(&self, name: &str, value: &str) {
        self.config.borrow_mut().insert(name.to_owned(), value.to_owned());
    }

    /// Notes that a client is not connected any more.
    pub fn disconnects(&self, client: ClientId) {
        self.clients.borrow_mut().remove(&client);
    }

    /// Has so much time pass, without the service hearing of it. It begins at 1970-01-01 00:00 UTC.
    pub fn advance(&self, time: Duration) {
        self.now.set(self.after(time));
    }

    fn after(&self, time: Duration) -> Duration {
        self.now.get().saturating_add(time)
    }

    /// Has so much time pass, and `service` hear each of its timers when it is due, in order: those it has set already
    /// and those it sets meanwhile.
    ///
    /// # Panics
    /// When they don't end, as where one with a delay of zero sets itself again.
    #[track_caller]
    pub fn tick(&self, time: Duration, service: &mut impl SimpleStateroomService) {
        let end = self.now.get().saturating_add(time);
        for _ in 0..MOST_IN_A_TICK {
            let next = self.timers.borrow().next().filter(|next| *next <= end);
            let Some(next) = next else { return self.now.set(end) };
            self.now.set(self.now.get().max(next));
            let due = self.timers.borrow_mut().take_first(self.now.get());
            match due {
                Due::Nothing => {}
                Due::Unnamed => {
                    self.timer.set(None);
                    service.timer(self);
                }
                Due::Named(name) => service.scheduled(&name, self),
            }
        }
        panic!("the timers of the service don't end: {MOST_IN_A_TICK} were due within {time:?}");
    }

    /// How long it is until the timer of this name is due; `None` if there is none.
    pub fn scheduled(&self, name: &str) -> Option<Duration> {
        let timers = self.timers.borrow();
        let timer = timers.named().find(|(scheduled, _)| *scheduled == name);
        timer.map(|(_, due)| due.saturating_sub(self.now.get()))
    }

    /// The delay in milliseconds that the timer was last set to, or `None` when it was never set or
    /// cancelled last.
    pub fn timer_ms(&self) -> Option<u32> {
        self.timer.get()
    }
}

impl StateroomContext for TestContext {
    fn send_message(&self, recipient: impl Into<MessageRecipient>, message: &str) {
        self.sent.borrow_mut().push(Sent::text(recipient, message));
    }

    fn send_binary(&self, recipient: impl Into<MessageRecipient>, message: &[u8]) {
        self.sent.borrow_mut().push(Sent::binary(recipient, message));
    }

    fn set_timer(&self, ms_delay: u32) {
        let mut timers = self.timers.borrow_mut();
        self.timer.set((ms_delay > 0).then_some(ms_delay));
        match self.timer.get() {
            None => timers.cancel_unnamed(),
            Some(delay) => {
                timers.schedule_unnamed(self.after(Duration::from_millis(delay.into())));
            }
        }
    }

    fn schedule(&self, name: &str, delay: Duration) {
        self.timers.borrow_mut().schedule(name, self.after(delay));
    }

    fn cancel(&self, name: &str) {
        self.timers.borrow_mut().cancel(name);
    }

    fn close(&self, client: ClientId, code: u16, reason: &str) {
        check_close_code(code);
        self.clients.borrow_mut().remove(&client);
        self.closed.borrow_mut().push(Closed { client, code, reason: reason.to_owned() });
    }

    fn clients(&self) -> Vec<ClientId> {
        self.clients.borrow().keys().copied().collect()
    }

    fn user(&self, client: ClientId) -> Option<String> {
        self.clients.borrow().get(&client).cloned().flatten()
    }

    fn claim(&self, client: ClientId, name: &str) -> Option<String> {
        self.clients.borrow().get(&client)?;
        self.claims.borrow().get(&(client, name.to_owned())).cloned()
    }

    fn config(&self, name: &str) -> Option<String> {
        self.config.borrow().get(name).cloned()
    }

    fn now(&self) -> Duration {
        self.now.get()
    }
}
