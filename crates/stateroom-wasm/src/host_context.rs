//! The context of a service inside a module: what it asks for goes to the host's imports.

use crate::host;
use stateroom::{ClientId, MessageRecipient, StateroomContext, check_close_code};
use std::time::Duration;

/// Sends through the host.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostContext {}

impl StateroomContext for HostContext {
    fn send_message(&self, recipient: impl Into<MessageRecipient>, message: &str) {
        if let Some(recipient) = recipient.into().checked_encode_i32() {
            host::send_message(recipient, message);
        }
    }

    fn send_binary(&self, recipient: impl Into<MessageRecipient>, message: &[u8]) {
        if let Some(recipient) = recipient.into().checked_encode_i32() {
            host::send_binary(recipient, message);
        }
    }

    fn set_timer(&self, ms_delay: u32) {
        host::set_timer(ms_delay);
    }

    fn close(&self, client: ClientId, code: u16, reason: &str) {
        check_close_code(code);
        host::close(client.0, code, reason);
    }

    fn clients(&self) -> Vec<ClientId> {
        host::clients().into_iter().map(ClientId).collect()
    }

    fn user(&self, client: ClientId) -> Option<String> {
        host::user(client.0)
    }

    fn claim(&self, client: ClientId, name: &str) -> Option<String> {
        host::claim(client.0, name)
    }

    fn config(&self, name: &str) -> Option<String> {
        host::config(name)
    }

    fn now(&self) -> Duration {
        host::now()
    }
}
