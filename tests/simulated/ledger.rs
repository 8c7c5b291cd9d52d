//! A service that writes down what it hears, natively, and can be saved.

use serde::{Deserialize, Serialize};
use stateroom::{
    Birth, ClientId, CodeVersion, MemoryLimits, MessageRecipient, RestoreFailure, SavedState,
    ServiceFailure, StateroomContext, StateroomService, StateroomServiceFactory,
};
use std::{convert::Infallible, time::Duration};

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
    seed: [u8; 32],
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
}

/// What has a ledger fail in the middle of its work.
pub(crate) const TRAP: &str = "trap";

impl<C: StateroomContext> Ledger<C> {
    fn fail(&mut self) {
        self.failure = Some(ServiceFailure { summary: "trapped", detail: "as asked".to_owned() });
    }
}

impl<C: StateroomContext> StateroomService for Ledger<C> {
    fn connect(&mut self, client: ClientId) {
        self.pages.present.push(client);
        self.context.send_message(client, "welcome");
    }

    fn disconnect(&mut self, client: ClientId) {
        self.pages.present.retain(|present| *present != client);
        // Some cannot even be let go.
        if client.0.is_multiple_of(13) {
            self.fail();
        }
    }

    fn message(&mut self, _: ClientId, message: &str) {
        match message.split_once(' ') {
            Some((TRAP, number)) => {
                // It has done half of it when it fails.
                self.pages.entries.push(number.parse().unwrap());
                self.context.send_message(MessageRecipient::Broadcast, number);
                self.fail();
            }
            Some((delay, number)) => {
                self.pages.entries.push(number.parse().unwrap());
                self.context.send_message(MessageRecipient::Broadcast, number);
                self.context.set_timer(delay.parse().unwrap());
            }
            None => {
                self.pages.entries.push(message.parse().unwrap());
                self.context.send_message(MessageRecipient::Broadcast, message);
            }
        }
    }

    fn timer(&mut self) {
        self.pages.ticks += 1;
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
        let (entries, present) = (Vec::new(), Vec::new());
        let (ticks, limits) = (0, birth.limits);
        let pages = Pages { entries, present, time: birth.time, ticks, limits, seed: birth.seed };
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
