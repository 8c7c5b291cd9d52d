//! Takes machine code that [`WasmEngine::precompile`](crate::WasmEngine::precompile) made. The one
//! `unsafe` place of this crate.

#![allow(unsafe_code)]

use crate::error::LoadError;
use wasmtime::{Engine, Module};

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
