//! A context that has named timers, around one that has a single timer.

use crate::{
    ClientId, MessageRecipient, StateroomContext,
    timers::{Due, Timers},
};
use std::{cell::RefCell, time::Duration};

/// What a service in the hands of a host is given.
#[derive(Debug)]
pub(crate) struct Timed<C> {
    context: C,
    timers: RefCell<Timers>,
}

impl<C: StateroomContext> Timed<C> {
    pub(crate) fn new(context: C) -> Self {
        Timed { context, timers: RefCell::default() }
    }

    /// Goes on with the timers of other code, if there were any.
    pub(crate) fn go_on_with(&self, timers: Timers) {
        self.timers.replace(timers);
        self.arm();
    }

    /// Does something with the timers.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&Timers) -> T) -> T {
        act(&self.timers.borrow())
    }

    /// Takes the timer that is heard when that of the host has run out.
    pub(crate) fn fire(&self) -> Due {
        self.timers.borrow_mut().fire(|| self.context.now())
    }

    /// Sets the host's timer for the next of them.
    pub(crate) fn arm(&self) {
        if let Some(ms_delay) = self.timers.borrow_mut().arm(|| self.context.now()) {
            self.context.set_timer(ms_delay);
        }
    }

    fn after(&self, delay: Duration) -> Duration {
        self.context.now().saturating_add(delay)
    }
}

impl<C: StateroomContext> StateroomContext for Timed<C> {
    fn send_message(&self, recipient: impl Into<MessageRecipient>, message: &str) {
        self.context.send_message(recipient, message);
    }

    fn send_binary(&self, recipient: impl Into<MessageRecipient>, message: &[u8]) {
        self.context.send_binary(recipient, message);
    }

    fn set_timer(&self, ms_delay: u32) {
        let mut timers = self.timers.borrow_mut();
        match ms_delay {
            0 => timers.cancel_unnamed(),
            _ => timers.schedule_unnamed(self.after(Duration::from_millis(ms_delay.into()))),
        }
        if timers.named().next().is_none() {
            // As if there were none but the host's.
            timers.is_armed();
            self.context.set_timer(ms_delay);
        } else {
            drop(timers);
            self.arm();
        }
    }

    fn schedule(&self, name: &str, delay: Duration) {
        self.timers.borrow_mut().schedule(name, self.after(delay));
        self.arm();
    }

    fn cancel(&self, name: &str) {
        self.timers.borrow_mut().cancel(name);
        self.arm();
    }

    fn close(&self, client: ClientId, code: u16, reason: &str) {
        self.context.close(client, code, reason);
    }

    fn clients(&self) -> Vec<ClientId> {
        self.context.clients()
    }

    fn user(&self, client: ClientId) -> Option<String> {
        self.context.user(client)
    }

    fn claim(&self, client: ClientId, name: &str) -> Option<String> {
        self.context.claim(client, name)
    }

    fn config(&self, name: &str) -> Option<String> {
        self.context.config(name)
    }

    fn now(&self) -> Duration {
        self.context.now()
    }
}
