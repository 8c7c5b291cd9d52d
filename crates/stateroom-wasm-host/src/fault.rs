//! What a guest can do wrong while it runs.

use std::time::Duration;

/// Why the host stopped a guest. As an error of an import, it becomes a trap.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error(
        "the guest passed {length} bytes at address {pointer}, past the end of its memory of {memory} bytes"
    )]
    OutsideMemory { pointer: u32, length: u32, memory: usize },
    #[error("the guest passed text that is not UTF-8: {0}")]
    NotUtf8(std::str::Utf8Error),
    #[error("the guest passed a command that cannot be decoded: {0}")]
    BadCommand(&'static str),
    #[error("the guest gave an answer to a request that cannot be decoded: {0}")]
    BadAnswer(&'static str),
    #[error("the guest closed a client with a code that is neither 1000 nor one from 4301 to 4999")]
    BadCloseCode,
    #[error("the guest called the host before its memory was there")]
    NoMemory,
    #[error("the event took {used:?} of CPU time, of which it may take {limit:?} (`{setting}`)")]
    TookTooLong { used: Duration, limit: Duration, setting: &'static str },
    #[error("the event gave more than {limit} commands (sends and timers)")]
    TooManyCommands { limit: u32 },
    #[error("the event sent more than {limit} bytes")]
    TooManyBytes { limit: usize },
    #[error(
        "a message of {length} bytes cannot be passed to a guest, whose addresses end at 4 GiB"
    )]
    MessageTooLong { length: usize },
    #[error(
        "its rooms start with {desired} of what `{setting}` limits, and the limit of this one is \
         {limit}: raise it"
    )]
    StartsPastLimit { setting: &'static str, limit: u64, desired: usize },
    #[error("the machine has not the memory that the room asked for and may have: {reason}")]
    NoMachineMemory { reason: String },
    #[error("the service could not tell its state: {reason}")]
    NotHandedOver { reason: String },
    #[error("{reason}")]
    NotTakenOver { reason: String },
    #[error("the module does not offer to carry the state of its rooms over")]
    NoCarryOver,
    #[error("the guest sent something or set its timer while it told its state")]
    CommandWhileHandingOver,
    #[error("the guest ended itself with exit code {0}")]
    Exited(u32),
    #[error("the guest had no {length} bytes for a message to it")]
    NoBuffer { length: u32 },
}
