//! What the `stateroom` command promises, tried from outside.

mod build_and_serve;
mod cache;
mod command_line;
mod config;
mod dev;
mod load;
mod new;
mod process;
mod project;
mod sleeping;
