//! What an author of services may write, what is refused with which words, and what a host may call.

mod accepted;
mod boundary;
mod carry_over;
mod compiler;
mod errors;
mod published;
