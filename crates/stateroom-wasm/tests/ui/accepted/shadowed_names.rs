//! The names that a careless expansion would use mean something else here.
#![allow(dead_code, unused_imports, non_camel_case_types, non_snake_case, non_upper_case_globals, unused_macros)]

mod alloc {}
mod boundary {}
mod core {}
mod std {}
mod stateroom {}
mod stateroom_wasm {}

macro_rules! nothing {
    ($($name:ident)*) => { $(macro_rules! $name { () => {}; })* };
}
nothing!(assert debug_assert format panic vec export_service export_functions cfg concat);

enum Shadows {
    Some,
    None,
    Ok,
    Err,
}
use Shadows::{Err, None, Ok, Some};

struct Box;
struct Build;
struct Context;
struct Option;
struct Result;
struct Room;
struct Service;
struct String;
struct Vec;
struct i32;
struct str;
struct u32;
struct u8;
struct usize;

// In a pattern, such a name would be the constant.
const client: () = ();
const length: () = ();
const message_length: () = ();
const pointer: () = ();
const room_id: () = ();
const size: () = ();
static payload: () = ();
struct build;

fn _initialize() {}
fn binary() {}
fn connect() {}
fn disconnect() {}
fn initialize() {}
fn jam_free() {}
fn jam_malloc() {}
fn timer() {}
const message: () = ();

/// Also the name of the constant in the expansion.
#[::stateroom_wasm::stateroom_wasm]
struct BUILD;

impl ::stateroom_wasm::SimpleStateroomService for BUILD {
    fn new(_: &::core::primitive::str, _: &impl ::stateroom_wasm::StateroomContext) -> Self {
        BUILD
    }
}
