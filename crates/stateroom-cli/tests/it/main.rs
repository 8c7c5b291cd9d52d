//! What the `stateroom` command promises, tried from outside.

mod build_and_serve;
mod cache;
mod command_line;
mod config;
#[cfg(unix)]
mod data_dir;
#[cfg(target_os = "linux")]
mod deploy;
#[cfg(target_os = "linux")]
mod descriptors;
mod dev;
#[cfg(unix)]
mod durable;
#[cfg(target_os = "linux")]
mod every_fault;
#[cfg(target_os = "linux")]
mod faults;
#[cfg(target_os = "linux")]
mod guarantees;
#[cfg(unix)]
mod guests;
mod identity;
#[cfg(unix)]
mod kept;
#[cfg(target_os = "linux")]
mod ledgers;
mod load;
mod new;
#[cfg(target_os = "linux")]
mod one_truth;
#[cfg(unix)]
mod page;
#[cfg(target_os = "linux")]
mod preload;
mod process;
mod project;
#[cfg(unix)]
mod proxy;
#[cfg(unix)]
mod python;
#[cfg(unix)]
mod quarantine;
#[cfg(unix)]
mod requests;
mod rooms;
#[cfg(unix)]
mod sessions;
mod settings_page;
mod sleeping;
#[cfg(target_os = "linux")]
mod soak;
#[cfg(unix)]
mod stderr;
#[cfg(unix)]
mod typed;
mod types;
#[cfg(unix)]
mod upgrade;
