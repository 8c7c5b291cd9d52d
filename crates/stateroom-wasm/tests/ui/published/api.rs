//! Every name of the published crates, with the types and the derives that it had.

use std::convert::Infallible;
use std::fmt::Debug;
use std::hash::Hash;
use stateroom::{
    ClientId, MessageFromProcess, MessagePayload, MessageRecipient, MessageToProcess,
    SimpleStateroomService, StateroomContext, StateroomService, StateroomServiceFactory,
    WrappedStateroomService,
};

// Each glob is all that a file imports.
mod globs {
    mod prelude {
        use stateroom_wasm::prelude::*;

        pub fn names<S: SimpleStateroomService, C: StateroomContext, F>(
            _: ClientId,
            _: MessageRecipient,
            _: WrappedStateroomService<S, C>,
            _: impl StateroomService,
            _: F,
        ) where
            F: StateroomServiceFactory<C>,
        {
        }
    }

    mod stateroom_itself {
        use stateroom::*;

        pub fn names(_: MessageFromProcess, _: MessagePayload, _: MessageToProcess) {}
    }
}

pub fn client_id(client: ClientId) -> u32 {
    fn derives<T: Debug + Clone + Copy + PartialEq + PartialOrd + Eq + Hash + Ord>(_: T) {}
    derives(client);
    let ClientId(number) = ClientId::from(client.0);
    number + u32::from(client)
}

pub fn message_recipient(client: ClientId) -> i32 {
    fn derives<T: Debug + Clone + PartialEq>(_: T) {}
    derives(MessageRecipient::from(client));
    let recipient: MessageRecipient = MessageRecipient::decode_i32(-1);
    // Without a wildcard: a new variant would break a service that matches.
    match recipient {
        MessageRecipient::Broadcast => recipient.encode_i32(),
        MessageRecipient::Client(ClientId(_)) => MessageRecipient::encode_i32(&recipient),
        MessageRecipient::EveryoneExcept(ClientId(_)) => 0,
    }
}

pub fn messages(message: MessageToProcess, answer: MessageFromProcess) -> Option<Vec<u8>> {
    let MessageFromProcess::Message { recipient: MessageRecipient::Broadcast, message: payload } = answer else {
        return None;
    };
    match payload {
        MessagePayload::Bytes(bytes) => return Some(bytes),
        MessagePayload::Text(text) => drop::<String>(text),
    }
    match message {
        MessageToProcess::Connect { client: ClientId(_) } => None,
        MessageToProcess::Disconnect { client: ClientId(_) } => None,
        MessageToProcess::Message { client: ClientId(_), message: MessagePayload::Bytes(b) } => Some(b),
        MessageToProcess::Message { .. } => None,
        MessageToProcess::Timer => None,
    }
}

/// A host of one's own.
pub struct OwnContext;

impl StateroomContext for OwnContext {
    fn send_message(&self, recipient: impl Into<MessageRecipient>, _message: &str) {
        let _: MessageRecipient = recipient.into();
    }

    fn send_binary(&self, _recipient: impl Into<MessageRecipient>, _message: &[u8]) {}

    fn set_timer(&self, _ms_delay: u32) {}
}

/// A service that needs no context.
pub struct OwnService;

impl StateroomService for OwnService {
    fn connect(&mut self, _client: ClientId) {}
    fn disconnect(&mut self, _client: ClientId) {}
    fn message(&mut self, _client: ClientId, _message: &str) {}
    fn binary(&mut self, _client: ClientId, _message: &[u8]) {}
    fn timer(&mut self) {}
}

/// The factory of them.
pub struct OwnFactory;

impl<C: StateroomContext> StateroomServiceFactory<C> for OwnFactory {
    type Service = OwnService;
    type Error = String;

    fn build(&self, _room_id: &str, _context: C) -> Result<OwnService, String> {
        Ok(OwnService)
    }
}

/// All that a service may hear, under names and with bounds of its own.
#[derive(Clone)]
#[stateroom_wasm::stateroom_wasm]
pub struct Simple(std::rc::Rc<()>);

impl SimpleStateroomService for Simple {
    fn new(_: &str, _: &impl StateroomContext) -> Self {
        Simple(Default::default())
    }
    fn connect(&mut self, c: ClientId, context: &impl StateroomContext) {
        context.send_message(c, "");
    }
    fn disconnect(&mut self, c: ClientId, context: &impl StateroomContext) {
        context.send_message(MessageRecipient::EveryoneExcept(c), &String::new());
    }
    fn message(&mut self, c: ClientId, m: &str, context: &impl StateroomContext) {
        answer(c, m, context);
    }
    fn binary(&mut self, c: ClientId, m: &[u8], context: &impl StateroomContext) {
        context.send_binary(c, m);
    }
    fn timer(&mut self, context: &impl StateroomContext) {
        context.set_timer(1_u32);
    }
}

fn answer<C: StateroomContext>(client: ClientId, message: &str, context: &C) {
    context.send_message(client, message);
}

pub fn clone_is_factory(simple: &Simple) -> WrappedStateroomService<Simple, OwnContext> {
    let built: Result<_, Infallible> = simple.build("room", OwnContext);
    let _ = WrappedStateroomService::new(simple.clone(), OwnContext);
    built.unwrap()
}
