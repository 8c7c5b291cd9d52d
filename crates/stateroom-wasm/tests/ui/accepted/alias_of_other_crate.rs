//! An alias of a service that another crate defines.

#[stateroom_wasm::stateroom_wasm]
type Service = some_module::SomeService;
