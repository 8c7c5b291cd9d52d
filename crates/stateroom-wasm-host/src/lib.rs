//! Runs Stateroom rooms as WebAssembly: loads a module, checks it, and starts one bounded instance
//! of it per room.
//!
//! A [`WasmEngine`] holds what all rooms share. [`WasmEngine::load`] turns a file into a
//! [`WasmHostFactory`], which builds a [`WasmHost`] for each room: a
//! [`StateroomService`](stateroom::StateroomService) like any other, so whoever runs it need not
//! know that there is WebAssembly behind it. This crate knows no sockets and no async runtime.
//!
//! ```
//! use stateroom::{ClientId, Sent, StateroomService, StateroomServiceFactory, TestContext};
//! use stateroom_wasm_host::{HostConfig, WasmEngine};
//! # struct Context;
//! # impl stateroom::StateroomContext for Context {
//! #     fn send_message(&self, _: impl Into<stateroom::MessageRecipient>, _: &str) {}
//! #     fn send_binary(&self, _: impl Into<stateroom::MessageRecipient>, _: &[u8]) {}
//! #     fn set_timer(&self, _: u32) {}
//! # }
//! # let module = br#"(module
//! #     (memory (export "memory") 1) (data (i32.const 8) "\01")
//! #     (global (export "JAMSOCKET_API_VERSION") i32 (i32.const 8))
//! #     (global (export "JAMSOCKET_API_PROTOCOL") i32 (i32.const 12))
//! #     (func (export "jam_malloc") (param i32) (result i32) (i32.const 16))
//! #     (func (export "jam_free") (param i32 i32))
//! #     (func (export "initialize") (param i32 i32))
//! #     (func (export "connect") (param i32)) (func (export "disconnect") (param i32))
//! #     (func (export "message") (param i32 i32 i32)) (func (export "timer"))
//! #     (func (export "binary") (param i32 i32 i32)))"#;
//!
//! let engine = WasmEngine::new(HostConfig { max_rooms: Some(10), ..HostConfig::default() })?;
//! let factory = engine.load_bytes("echo.wasm", module)?;
//! let mut room = factory.build("lobby", Context)?;
//! room.connect(ClientId(1));
//! assert!(room.failure().is_none());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What a guest can see of its limits, how much memory and table it may have, is part of the room and
//! goes where it goes; what it has heard once is never refused when it hears it again. So a room can
//! always be brought back, whatever the settings say by then.
//!
//! A room can hurt only itself. Memory, table, stack, CPU time per event, and what an event may send
//! are bounded by [`Limits`]; a room that overruns them, or traps, ends with a
//! [`ServiceFailure`](stateroom::ServiceFailure). It is given nothing of the machine: no files, no
//! environment, no sockets, and time and randomness only
//! as its host tells them: see [`Birth`](stateroom::Birth) and
//! [`set_time`](stateroom::StateroomService::set_time).

mod allocator;
mod asleep;
mod bounds;
mod build;
mod cache;
mod can_sleep;
mod carry_over;
mod check;
mod compress;
mod config;
mod encoded;
mod engine;
mod error;
mod event;
mod factory;
mod failure;
mod fault;
mod features;
mod generation_0_2;
mod generation_0_4;
mod guest;
mod guest_log;
mod host_state;
mod image;
mod imports;
mod instance;
mod instantiate;
mod interface;
mod lent;
mod load;
mod memory;
mod module;
mod page_map;
mod pool;
mod precompiled;
mod prepare;
mod private_folder;
mod request;
mod room;
mod saved_state;
mod settings;
mod snapshot;
mod source;
mod ticker;
mod trial;
mod wasi;

pub use can_sleep::CannotSleep;
pub use compress::{DamagedState, SleepingState};
pub use config::{HostConfig, Limits};
pub use engine::WasmEngine;
pub use error::{EngineError, LoadError, StartError};
pub use factory::WasmHostFactory;
pub use room::WasmHost;
pub use snapshot::Snapshot;
