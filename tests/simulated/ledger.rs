//! A service that writes down what it hears, natively, and can be saved.

use serde::{Deserialize, Serialize};
use stateroom::{
    Birth, ClientId, CodeVersion, MemoryLimits, MessageRecipient, Request, Response,
    RestoreFailure, SavedState, ServiceFailure, StateroomContext, StateroomService,
    StateroomServiceFactory,
};
use std::{convert::Infallible, sync::Arc, time::Duration};

/// The state of a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pages {
    /// The numbers it was sent, in order.
    pub(crate) entries: Vec<u64>,
    /// Who is connected.
    pub(crate) present: Vec<ClientId>,
    /// When it heard something last.
    pub(crate) time: Duration,
    pub(crate) ticks: u32,
    /// What it may use.
    pub(crate) limits: MemoryLimits,
    /// What it was told of each who has come: see [`GRADE`].
    pub(crate) grades: Vec<Option<String>>,
    /// All that it has ever said.
    pub(crate) said: Vec<Said>,
    seed: [u8; 32],
}

/// Something that a ledger has said. The last word of each text is its place among them, so no two are alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Said {
    to: MessageRecipient,
    pub(crate) text: String,
}

impl Said {
    pub(crate) fn is_for(&self, client: ClientId) -> bool {
        match self.to {
            MessageRecipient::Broadcast => true,
            MessageRecipient::Client(one) => one == client,
            MessageRecipient::EveryoneExcept(other) => other != client,
        }
    }

    /// Whether it is this word to this client, or to any.
    pub(crate) fn is_word_for(&self, word: &str, client: Option<ClientId>) -> bool {
        let is_for = client.is_none_or(|client| self.is_for(client));
        is_for && Said::read(&self.text).is_some_and(|(first, _)| first == word)
    }

    /// The first word of a text, and its place.
    pub(crate) fn read(text: &str) -> Option<(&str, usize)> {
        let (word, place) = text.strip_prefix('\0').unwrap_or(text).split_once(' ')?;
        Some((word, place.parse().ok()?))
    }
}

pub(crate) struct Ledger<C> {
    pub(crate) pages: Pages,
    failure: Option<ServiceFailure>,
    context: C,
}

/// Ledgers of one code, which may use so much.
#[derive(Clone, Copy)]
pub(crate) struct Ledgers {
    pub(crate) version: u8,
    pub(crate) limits: MemoryLimits,
    /// What the settings say: see [`LOUD`].
    pub(crate) loud: Option<u8>,
}

/// What the token of a client may say of it. What is said to whom depends on it.
pub(crate) const GRADE: &str = "grade";

/// What the settings of the service may say. So does that.
pub(crate) const LOUD: &str = "loud";

impl Ledgers {
    /// What the settings of the service say.
    pub(crate) fn settings(&self) -> Option<Arc<str>> {
        self.loud.map(|loud| format!("{{\"{LOUD}\":{loud}}}").into())
    }
}

/// What has a ledger fail in the middle of its work.
pub(crate) const TRAP: &str = "trap";

/// What has a ledger close the first who is there, after a last word to it: [`CLOSED`].
pub(crate) const CLOSE: &str = "close";
pub(crate) const CLOSED: &str = "closed";

/// The close codes that it uses.
pub(crate) const CLOSE_CODES: [u16; 2] = [1000, 4301];

impl<C: StateroomContext> Ledger<C> {
    /// Who is there, as it is told.
    pub(crate) fn clients(&self) -> Vec<ClientId> {
        self.context.clients()
    }

    /// What its settings say, as it is told.
    pub(crate) fn loud(&self) -> Option<u8> {
        self.context.config(LOUD).map(|loud| loud.parse().unwrap())
    }

    fn fail(&mut self) {
        self.failure = Some(ServiceFailure { summary: "trapped", detail: "as asked".to_owned() });
    }

    fn say(&mut self, to: MessageRecipient, word: &str) {
        let place = self.pages.said.len();
        // The protocol of sessions has its own use for this first character.
        let mark = if place % 5 == 4 { "\0" } else { "" };
        let text = format!("{mark}{word} {place}");
        self.context.send_message(to, &text);
        self.pages.said.push(Said { to, text });
    }

    /// Writes a number down, and says so.
    fn enter(&mut self, client: ClientId, number: &str) {
        let to = match number.bytes().last() {
            _ if self.context.claim(client, GRADE).as_deref() == Some("2") => client.into(),
            Some(b'0') => MessageRecipient::Client(client),
            Some(b'1' | b'2') => MessageRecipient::EveryoneExcept(client),
            _ => MessageRecipient::Broadcast,
        };
        self.pages.entries.push(number.parse().unwrap());
        self.say(to, number);
    }
}

impl<C: StateroomContext> StateroomService for Ledger<C> {
    fn connect(&mut self, client: ClientId) {
        self.pages.present.push(client);
        self.pages.grades.push(self.context.claim(client, GRADE));
        self.say(client.into(), "welcome");
    }

    fn disconnect(&mut self, client: ClientId) {
        self.pages.present.retain(|present| *present != client);
        // Some cannot even be let go.
        if client.0.is_multiple_of(13) {
            self.fail();
        }
    }

    fn message(&mut self, client: ClientId, message: &str) {
        match message.strip_prefix('\0').unwrap_or(message).split_once(' ') {
            Some((TRAP, number)) => {
                // It has done half of it when it fails.
                self.enter(client, number);
                self.fail();
            }
            Some((CLOSE, number)) => {
                self.enter(client, number);
                if let Some(first) = self.context.clients().first() {
                    self.say((*first).into(), CLOSED);
                    let code = CLOSE_CODES[self.pages.said.len() % CLOSE_CODES.len()];
                    self.context.close(*first, code, "as asked");
                }
            }
            Some((delay, number)) => {
                self.enter(client, number);
                self.context.set_timer(delay.parse().unwrap());
            }
            None => self.enter(client, message.trim_start_matches('\0')),
        }
    }

    /// Answers with the place of what it says, so that no two answers are alike.
    fn request(&mut self, request: &Request) -> Response {
        let text = request.text().unwrap();
        let number = text.strip_prefix(TRAP).unwrap_or(text).trim_start();
        self.pages.entries.push(number.parse().unwrap());
        self.say(MessageRecipient::Broadcast, number);
        if text.starts_with(TRAP) {
            self.fail();
        }
        Response::text(&self.pages.said.len().to_string())
    }

    fn timer(&mut self) {
        self.pages.ticks += 1;
        let to = match self.loud() {
            Some(1) => MessageRecipient::EveryoneExcept(ClientId(1)),
            _ => MessageRecipient::Broadcast,
        };
        self.say(to, "tick");
        // Until the next message it fails whenever it is tried.
        if self.pages.ticks.is_multiple_of(5) && self.pages.entries.len().is_multiple_of(2) {
            self.fail();
        }
    }

    fn failure(&self) -> Option<&ServiceFailure> {
        self.failure.as_ref()
    }

    fn set_time(&mut self, now: Duration) {
        self.pages.time = now;
    }

    fn set_limits(&mut self, limits: MemoryLimits) {
        self.pages.limits = limits;
    }

    fn hand_over(&mut self) -> Option<Result<Vec<u8>, ServiceFailure>> {
        Some(Ok(serde_json::to_vec(&self.pages).unwrap()))
    }

    fn save(&mut self) -> Option<SavedState> {
        let pages = self.pages.clone();
        self.failure
            .is_none()
            .then(|| SavedState::new(move || Ok(serde_json::to_vec(&pages).unwrap())))
    }
}

impl<C: StateroomContext> StateroomServiceFactory<C> for Ledgers {
    type Service = Ledger<C>;
    type Error = Infallible;

    fn build(&self, _: &str, _: C) -> Result<Ledger<C>, Infallible> {
        unreachable!("rooms that are kept are built at a birth")
    }

    fn build_at(&self, _: &str, context: C, birth: &Birth) -> Result<Ledger<C>, Infallible> {
        if birth.seed[0].is_multiple_of(2) {
            context.set_timer(40);
        }
        let (entries, present, said, grades) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (time, ticks, limits, seed) = (birth.time, 0, birth.limits, birth.seed);
        let pages = Pages { entries, present, time, ticks, limits, grades, said, seed };
        Ok(Ledger { pages, failure: None, context })
    }

    fn version(&self) -> Result<CodeVersion, String> {
        Ok(CodeVersion([self.version; 32]))
    }

    fn restore(&self, _: &str, context: C, state: &[u8]) -> Result<Ledger<C>, RestoreFailure> {
        let pages = serde_json::from_slice(state)
            .map_err(|error| RestoreFailure::Damaged(error.to_string()))?;
        Ok(Ledger { pages, failure: None, context })
    }

    fn limits(&self) -> MemoryLimits {
        self.limits
    }

    fn config(&self) -> Option<Arc<str>> {
        self.settings()
    }

    fn takes_over(&self) -> bool {
        true
    }

    fn take_over(
        &self,
        id: &str,
        context: C,
        birth: &Birth,
        state: &[u8],
    ) -> Result<Ledger<C>, RestoreFailure> {
        let mut ledger = self.restore(id, context, state)?;
        ledger.pages.limits = birth.limits;
        Ok(ledger)
    }
}
