//! A service that asks who is there, refuses some, and closes those whom it is told to.

use stateroom_wasm::prelude::*;

/// The room.
#[stateroom_wasm]
pub struct Doorkeeper;

impl Doorkeeper {
    fn who(context: &impl StateroomContext) -> String {
        let who = context.clients().into_iter().map(|client| {
            let user = context.user(client);
            format!("{client}:{}", user.as_deref().unwrap_or("?"))
        });
        who.collect::<Vec<_>>().join(" ")
    }
}

impl SimpleStateroomService for Doorkeeper {
    fn new(_: &str, _: &impl StateroomContext) -> Self {
        Doorkeeper
    }

    fn connect(&mut self, client: ClientId, context: &impl StateroomContext) {
        if context.user(client).as_deref() == Some("mallory") {
            context.close(client, 4301, "you are not welcome here");
        }
        context.send_message(MessageRecipient::Broadcast, &format!("here {}", Self::who(context)));
    }

    fn left(&mut self, client: ClientId, reason: LeaveReason, context: &impl StateroomContext) {
        let who = Self::who(context);
        let text = format!("{client} left ({reason:?}) {who}");
        context.send_message(MessageRecipient::Broadcast, &text);
    }

    fn message(&mut self, client: ClientId, message: &str, context: &impl StateroomContext) {
        match message.split_once(' ') {
            Some(("kick", other)) => {
                let other = ClientId(other.parse().expect("a client"));
                context.send_message(other, "you have to go");
                context.close(other, 4302, "told to go");
                context.send_message(other, "this comes too late");
                context.close(other, 4303, "gone already");
            }
            Some(("claim", name)) => {
                let claim = context.claim(client, name);
                context.send_message(client, claim.as_deref().unwrap_or("nothing"));
            }
            Some(("config", name)) => {
                let value = context.config(name);
                context.send_message(client, value.as_deref().unwrap_or("nothing"));
            }
            Some(("close", code)) => context.close(client, code.parse().expect("a code"), ""),
            _ => context.send_message(client, &context.now().as_secs().to_string()),
        }
    }

    fn request(&mut self, request: &Request, _: &impl StateroomContext) -> Response {
        let name = request.path.trim_start_matches('/');
        Response::text(request.claim(name).unwrap_or("nothing"))
    }
}
