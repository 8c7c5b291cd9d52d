//! Which proposals of WebAssembly a module may use: by list, so that what is added to the engine one
//! day is not open to guests before somebody has looked at it.

use wasmtime::{
    Config,
    wasmparser::{Validator, WasmFeatures},
};

/// All that Rust and clang emit for wasm32 unless told otherwise, and SIMD, for which one has to ask.
///
/// Not among them: threads and relaxed SIMD, which would let rooms that hear the same end otherwise;
/// garbage collection, exceptions and stack switching, whose state no snapshot holds; 64-bit addresses
/// and further memories, which no room has; and tail calls, which no compiler emits unasked. What is
/// not needed is not open to guests; to add it later harms nobody, to take it away would.
const ALLOWED: WasmFeatures = WasmFeatures::FLOATS
    .union(WasmFeatures::MUTABLE_GLOBAL)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::SIMD);

/// Allows what is on the list, and nothing else.
pub(crate) fn allow(config: &mut Config) {
    config.wasm_features(WasmFeatures::all(), false).wasm_features(ALLOWED, true);
}

/// The names of the proposals that keep `binary` from being valid here; none where it is something
/// else.
pub(crate) fn not_allowed(binary: &[u8]) -> Vec<String> {
    let valid = |features| Validator::new_with_features(features).validate_all(binary).is_ok();
    let all = WasmFeatures::all();
    if valid(ALLOWED) || !valid(all) {
        return Vec::new();
    }
    let needed = all.difference(ALLOWED).iter_names().filter(|(_, feature)| {
        // Some names stand for several others too.
        !valid(all.difference(feature.difference(ALLOWED)))
    });
    needed.map(|(name, _)| name.to_lowercase().replace('_', "-")).collect()
}
