//! Keeps what rooms of many machines need to survive in PostgreSQL: a log in parts, of which each has one owner at a
//! time, and states. It knows nothing of what the bytes mean.
//!
//! Whoever owns a part appends to it. Somebody else may claim it at any time, and whoever owned it until then can append
//! nothing any more, whatever it believes: each record has to follow one of its own claim. So nobody has to know
//! who is alive, and a claim that was made too early does no harm.
//!
//! ```no_run
//! use stateroom_postgres::{Log, Options, Part, RoomState};
//!
//! # async fn keep() -> Result<(), Box<dyn std::error::Error>> {
//! let log = Log::open(Options::new("postgres://localhost/rooms", "node-1")?).await?;
//! let mut part = log.claim(&[Part::of_room("lobby")]).await?.owned.pop().ok_or("not claimed")?;
//!
//! // What the room has had until now: its state, and all records after it below the claim.
//! let state = log.state("lobby").await?;
//! let after = state.map_or(0, |state| state.seq);
//! let records = log.read(part.part(), after, part.claimed_at(), 1_000).await?;
//!
//! // From now on a record is durable once this returns.
//! let seq = part.append("hello").await?;
//!
//! // What a state holds need not stay in the log.
//! let state = RoomState { seq, module: vec![7; 32], body: "said: hello".into() };
//! log.put_states(&part, &[("lobby", state)]).await?;
//! log.trim(&part, seq).await?;
//! # Ok(())
//! # }
//! ```
//!
//! What decides is in [`core`](mod@core), without sockets; `FORMAT.md` tells what the tables hold, and the rules.

mod appender;
mod claim;
mod copies;
pub mod core;
mod epoch;
mod error;
mod in_flight;
mod lane;
mod link;
mod log;
mod options;
mod owned_part;
mod ownership;
mod part;
mod schema;
mod spare_link;
mod statements;
#[cfg(feature = "rustls")]
mod tls;

pub use copies::Copies;
pub use epoch::Epoch;
pub use error::LogError;
pub use in_flight::Unsettled;
pub use lane::{MAX_RECORD_BYTES, MAX_STATEMENT_BYTES};
pub use log::{Claimed, Log, Record, RoomState};
pub use options::Options;
pub use owned_part::OwnedPart;
pub use part::{PARTS, Part};
pub use schema::FORMAT;
#[doc(hidden)]
pub use statements::Statements;
