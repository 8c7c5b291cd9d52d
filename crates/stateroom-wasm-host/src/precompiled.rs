//! Takes machine code that [`WasmEngine::precompile`](crate::WasmEngine::precompile) made, or that the
//! cache holds. The one `unsafe` place of this crate.

#![allow(unsafe_code)]

use crate::{cache::Cached, error::LoadError};
use wasmtime::{Engine, Module};

/// Makes a module of what lies in the cache, or `None` when it is of another version. `code` must be
/// what [`Cache::get`](crate::cache::Cache::get) has given.
pub(crate) fn deserialize_cached(engine: &Engine, code: &Cached) -> Option<Module> {
    // SAFETY: the bytes must come from `Module::serialize` or `Engine::precompile_module`. They were
    // read from a file that belongs to the user of this process, in a folder of theirs that nobody
    // else can write to, as `private_folder` has checked on the way down from the root; and their
    // checksum is right, so they are whole. Only this crate writes such files. Whoever could forge
    // one, the user or root, could as well replace this program. The bytes are in memory, so no
    // later change of the file matters.
    unsafe { Module::deserialize(engine, code.bytes()) }.ok()
}

/// Makes a module of `bytes`. Only to be called when
/// [`HostConfig::trust_precompiled`](crate::HostConfig::trust_precompiled) is set.
///
/// Wasmtime refuses what another version or other settings have made, which guards against
/// mistakes; nothing guards against a forgery.
pub(crate) fn deserialize(engine: &Engine, name: &str, bytes: &[u8]) -> Result<Module, LoadError> {
    // SAFETY: the bytes must come from `Engine::precompile_module`. The owner of this process has
    // vouched for that by setting `trust_precompiled`, whose documentation says so.
    unsafe { Module::deserialize(engine, bytes) }.map_err(|error| LoadError::ForeignPrecompiled {
        module: name.into(),
        reason: format!("{error:#}"),
    })
}
