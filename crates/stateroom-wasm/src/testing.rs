//! What a service's own tests use to know that new code can take it over.

use crate::carry_over::{made_of, told};
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;

/// Tries that new code takes over the whole state of `service`, as `#[stateroom_wasm(carry_over)]` has it
/// do: the state is told as JSON, and what is made of that must be equal to what it was.
///
/// It finds what JSON cannot hold: maps whose keys are neither text nor numbers, infinities, and
/// `Some(None)`; and whatever `#[serde(skip)]` leaves out.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use std::collections::BTreeMap;
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// struct Board {
///     cells: BTreeMap<u32, char>,
/// }
///
/// stateroom_wasm::assert_carries_over(&Board { cells: BTreeMap::from([(7, 'x')]) });
/// ```
///
/// # Panics
/// When some of the state would be lost; the message says which field and what to do.
#[track_caller]
pub fn assert_carries_over<S: Serialize + DeserializeOwned + PartialEq + Debug>(service: &S) {
    let state = match told(service) {
        Ok(state) => state,
        Err(reason) => {
            panic!("new code could not take the state over, as JSON cannot hold it: {reason}")
        }
    };
    let json = String::from_utf8_lossy(&state);
    match made_of::<S>(&state) {
        Err(reason) => panic!("new code could not take the state over: {reason}\n JSON: {json}"),
        Ok(again) => assert!(
            again == *service,
            "new code would go on with another state\n  was: {service:?}\n   is: {again:?}\n JSON: {json}"
        ),
    }
}
