//! Sessions: clients that lose no message and get none twice, whatever happens to their sockets and to the server.
//! The protocol in words is `docs/protocol.md`.
//!
//! Both sides count whole messages, and tell their counts when they connect; the messages themselves carry nothing
//! more. All of this is pure: events and times go in, answers come out.
//!
//! | part | what it is |
//! | --- | --- |
//! | [`Request`], [`Up`], [`Down`], [`Close`] | what is said, and how it is written |
//! | [`Ledger`] | what of a room's sessions is its state: it follows from the room's events, and is in its snapshots |
//! | [`SessionHost`] | the rest of the host's side: sockets, attempts, grace, and what waits to be durable |
//! | [`client::SessionClient`] | the client's side |
//!
//! # How the host is driven, beside a [`KeptRoom`](crate::KeptRoom)
//!
//! A room and its sessions share the count of events, [`KeptRoom::events`](crate::KeptRoom::events) and
//! [`KeptRoom::durable_events`](crate::KeptRoom::durable_events), and with it the gate: nothing is let out before the
//! event that caused it is durable. Whoever drives both goes round like this:
//!
//! 1. While the room is not [blocked](crate::KeptRoom::is_blocked), hear what there is. A handshake goes to
//!    [`SessionHost::ask`]; a message to [`SessionHost::listen`]; the end of any socket, also of one that it has closed
//!    itself, to [`SessionHost::ended`]; and when its [deadline](SessionHost::deadline) has come,
//!    [`SessionHost::timer`]. What these return is for the room to hear at once, before anything else.
//!    A client without a session whose id has one now was replaced, and will be closed: the room hears nothing more of
//!    that connection.
//! 2. Whenever the room has heard an event, [`note`](SessionHost::note) it, under the number that
//!    [`KeptRoom::events`](crate::KeptRoom::events) has then: first the event, then each of its commands, in order.
//!    An event that fails is not noted: nothing of it happened. Once the room [is as it was
//!    before](crate::KeptRoom::back_again), the sessions come back in the same way and go to
//!    [`SessionHost::back_again`]. Where the cause was a message of a client with a session, the room hears (and keeps,
//!    as an event of its own) that it was set aside: [`Happened::Skipped`].
//! 3. After each step, [`SessionHost::drain`] with
//!    [`KeptRoom::durable_events`](crate::KeptRoom::durable_events), and carry out what comes.
//! 4. A [state of the room](crate::RoomState) is kept together with [`Ledger::encode`] after the same event, so that
//!    neither is ever newer than the other.
//! 5. A room that is brought back begins with [`Ledger::decode`], and [applies](Ledger::apply) what each event has it do
//!    again, with its commands. Only then there is a host: [`SessionHost::open`]; and the room hears, as an event, that it
//!    is [another incarnation](Happened::Incarnated). No handshake is answered before. The
//!    requests that can be read by then go first, and only after them the timer.
//! 6. When for a while nobody could be heard, as in a stall or while another process took over:
//!    [`SessionHost::was_deaf`].
//!
//! While a room has no session the ring and the queues are empty, and a plain client costs nothing more than before: its
//! messages go the way they go today. `tests/` has a small world that does all of this, and is searched.

pub mod client;
mod close;
mod fault;
mod frame;
mod happened;
mod host;
mod key;
mod ledger;
mod let_out;
mod listen;
mod message;
mod number;
mod output;
mod place;
mod request;
mod ring;
mod settings;
mod shake_hands;
mod snapshot;
mod tombstones;

pub use close::{Close, Next, ServiceClose};
pub use frame::{Encoded, Frame};
pub use happened::{Happened, Left};
pub use host::SessionHost;
pub use key::{Key, KeyHash};
pub use ledger::{Ledger, MAX_INCARNATIONS};
pub use listen::Listened;
pub use message::{Down, MAX_CONTROL_BYTES, MAX_REASON_BYTES, NoMessage, Up, Welcome};
pub use number::MAX_NUMBER;
pub use output::Output;
pub use place::SocketId;
pub use request::{Life, NoRequest, Request, SUBPROTOCOL};
pub use settings::SessionSettings;
pub use shake_hands::Asked;
pub use snapshot::NoLedger;
pub use tombstones::MAX_TOMBSTONES;

#[cfg(test)]
mod tests;
