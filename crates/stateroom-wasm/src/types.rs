//! Writes the TypeScript types of a service down, when `stateroom types` asks for them.

use stateroom::TypedService;
use stateroom::ts_rs::TS;
use std::path::Path;

/// The variable that names the file.
const FILE: &str = "STATEROOM_TYPES";

/// Makes a test of which `stateroom types` makes the TypeScript types of a service. It stands where tests do; by itself
/// it only shows that there are such types.
///
/// ```
/// # fn main() {}
/// # mod service {
/// # use serde::{Deserialize, Serialize};
/// # use stateroom_wasm::typed::*;
/// # use stateroom_wasm::ts_rs;
/// #[derive(Serialize, Deserialize, ts_rs::TS)]
/// enum FromClient {
///     Say(String),
/// }
///
/// #[derive(Serialize, Deserialize, ts_rs::TS)]
/// enum ToClient {
///     Said(ClientId, String),
/// }
///
/// struct Chat;
///
/// impl TypedService for Chat {
///     type In = FromClient;
///     type Out = ToClient;
/// #   fn new(_: &str, _: &Room<Self>) -> Self { Chat }
///     // ...
/// }
///
/// stateroom_wasm::typescript!(Chat);
/// # }
/// ```
#[macro_export]
macro_rules! typescript {
    ($service:ty) => {
        #[test]
        fn stateroom_types() {
            $crate::write_types::<$service>();
        }
    };
}

/// What the test of [`typescript!`] does.
///
/// # Panics
/// When the file can't be written.
#[doc(hidden)]
pub fn write_types<S: TypedService>()
where
    S::In: TS + 'static,
    S::Out: TS + 'static,
{
    let types = stateroom::typescript::<S>();
    let Some(file) = std::env::var_os(FILE) else { return };
    if let Err(error) = std::fs::write(&file, types) {
        panic!("the types can't be written to {}: {error}", Path::new(&file).display());
    }
}
