//! Speaks to modules of the 0.4 generation: one function hears all events and another takes all
//! commands, each encoded as the crate bincode 1 encodes the published enums.
//!
//! The encoding is frozen with those modules, and simple: an enum is the number of its variant
//! (u32) and then its fields; bytes and text are their length (u64) and then themselves; numbers are
//! little-endian. So these few lines read and write it without copying a payload, and no library
//! that is no longer maintained stands at the boundary.

use crate::{
    allocator::Allocator,
    encoded::Encoded,
    event::Event,
    fault::Fault,
    host_state::{HostState, RoomContext},
};
use stateroom::{ClientId, MessageRecipient};
use wasmtime::{Instance, Store, TypedFunc};

// Variants of `MessageToProcess`.
const INIT: u32 = 0;
const CONNECT: u32 = 1;
const DISCONNECT: u32 = 2;
const MESSAGE: u32 = 3;
const TIMER: u32 = 4;

// Variants of `MessagePayload`.
const BYTES: u32 = 0;
const TEXT: u32 = 1;

/// The functions of one instance.
pub(crate) struct EncodedMessages {
    receive: TypedFunc<(u32, u32), ()>,
    allocator: Allocator,
}

impl EncodedMessages {
    /// Takes the functions of `instance`, which [`interface`](crate::interface) has found to be there.
    pub(crate) fn find(
        store: &mut Store<HostState>,
        instance: &Instance,
    ) -> wasmtime::Result<EncodedMessages> {
        Ok(EncodedMessages {
            receive: instance.get_typed_func(&mut *store, "stateroom_recv")?,
            allocator: Allocator::find(
                store,
                instance,
                "stateroom_malloc",
                "stateroom_free",
                true,
            )?,
        })
    }

    pub(crate) fn hear(
        &self,
        store: &mut Store<HostState>,
        event: Event<'_>,
    ) -> wasmtime::Result<()> {
        let (head, payload) = encode(event);
        self.allocator.pass(store, &[&head, payload], |store, pointer, length| {
            self.receive.call(store, (pointer, length))
        })
    }
}

/// An event as a `MessageToProcess`: all but the payload, and the payload. A room of this generation
/// is not told its id.
fn encode(event: Event<'_>) -> (Vec<u8>, &[u8]) {
    match event {
        Event::Start { .. } => (words(&[INIT]), &[]),
        Event::Connect(client) => (words(&[CONNECT, client.0]), &[]),
        Event::Disconnect(client) | Event::Leave(client, _) => {
            (words(&[DISCONNECT, client.0]), &[])
        }
        Event::Message(client, text) => message(client, TEXT, text.as_bytes()),
        Event::Binary(client, bytes) => message(client, BYTES, bytes),
        Event::Timer => (words(&[TIMER]), &[]),
    }
}

fn message(sender: ClientId, kind: u32, payload: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut head = words(&[MESSAGE, sender.0, kind]);
    head.extend_from_slice(&(payload.len() as u64).to_le_bytes());
    (head, payload)
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// A `MessageFromProcess`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command<'a> {
    SendText(MessageRecipient, &'a [u8]),
    SendBinary(MessageRecipient, &'a [u8]),
    SetTimer(u32),
}

impl Command<'_> {
    pub(crate) fn carry_out(self, context: &dyn RoomContext) -> Result<(), Fault> {
        match self {
            Command::SendText(recipient, text) => {
                context.send_text(recipient, std::str::from_utf8(text).map_err(Fault::NotUtf8)?);
            }
            Command::SendBinary(recipient, bytes) => context.send_binary(recipient, bytes),
            // 0 meant "at once" in this generation; to our contexts it means "never".
            Command::SetTimer(ms_delay) => context.set_timer(ms_delay.max(1)),
        }
        Ok(())
    }
}

/// Reads a `MessageFromProcess`, or tells what is wrong with it. What follows it is ignored, as the
/// published host did.
pub(crate) fn decode(encoded: &[u8]) -> Result<Command<'_>, &'static str> {
    let mut rest = Encoded::new(encoded);
    match number(&mut rest)? {
        0 => {
            // Any u32 may stand for a client here, 0 too: it is nobody, and not everybody as in the
            // other generation's numbers.
            let recipient = match number(&mut rest)? {
                0 => MessageRecipient::Broadcast,
                1 => MessageRecipient::Client(ClientId(number(&mut rest)?)),
                2 => MessageRecipient::EveryoneExcept(ClientId(number(&mut rest)?)),
                _ => return Err("an unknown kind of recipient"),
            };
            match number(&mut rest)? {
                BYTES => Ok(Command::SendBinary(recipient, payload(&mut rest)?)),
                TEXT => Ok(Command::SendText(recipient, payload(&mut rest)?)),
                _ => Err("an unknown kind of payload"),
            }
        }
        1 => Ok(Command::SetTimer(number(&mut rest)?)),
        _ => Err("an unknown command"),
    }
}

const TOO_SHORT: &str = "it ends too early";

fn number(rest: &mut Encoded<'_>) -> Result<u32, &'static str> {
    rest.u32().ok_or(TOO_SHORT)
}

fn payload<'a>(rest: &mut Encoded<'a>) -> Result<&'a [u8], &'static str> {
    let length = rest.u64().and_then(|length| usize::try_from(length).ok());
    length.and_then(|length| rest.take(length)).ok_or(TOO_SHORT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_is_cut_anywhere_is_refused() {
        let mut whole = words(&[0, 1, 7, TEXT]);
        whole.extend_from_slice(&2_u64.to_le_bytes());
        whole.extend_from_slice(b"hi");
        let recipient = MessageRecipient::Client(ClientId(7));
        assert_eq!(decode(&whole), Ok(Command::SendText(recipient, b"hi")));
        for length in 0..whole.len() {
            assert_eq!(decode(&whole[..length]), Err("it ends too early"), "{length}");
        }
    }

    #[test]
    fn a_command_with_unknown_variants_or_an_endless_length_is_refused() {
        let mut endless = words(&[0, 0, BYTES]);
        endless.extend_from_slice(&u64::MAX.to_le_bytes());
        for wrong in [words(&[2, 0, 0]), words(&[0, 3, 0]), words(&[0, 0, 2]), endless] {
            assert!(decode(&wrong).is_err(), "{wrong:?}");
        }
    }
}
