//! A load generator for WebSocket services: a [`Plan`] says what to do, [`run`] does it, a
//! [`Report`] tells what came of it.
//!
//! What is pure is in modules without sockets: `stamp` and `arrivals` (verification), `pacing`,
//! `script` and `compose` (what is sent when), `wire` (the protocol). One `worker` per thread
//! joins them to an epoll loop.
#![doc = include_str!("../README.md")]

mod arrivals;
mod clock;
mod compose;
mod dialect;
mod error;
mod errors_by_kind;
mod histogram;
mod open_files;
mod pacing;
mod plan;
mod progress;
mod receipts;
mod report;
mod report_text;
mod run;
mod script;
mod stamp;
mod tally;
mod target;
mod timer;
mod wire;
mod worker;

pub use dialect::{Dialect, Plain, Who};
pub use error::LoadError;
pub use histogram::{Bucket, Latency};
pub use plan::{Activity, Expect, OpenedWhen, Pace, Plan};
pub use progress::{Phase, Progress};
pub use report::{Generator, Report};
pub use run::run;
pub use script::Script;
pub use stamp::STAMP_BYTES;
pub use tally::Counts;
pub use target::Target;
