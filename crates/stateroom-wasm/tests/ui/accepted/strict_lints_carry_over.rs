//! A crate that allows nothing of its own, and is carried over.
#![deny(warnings, unsafe_code, missing_docs, unreachable_pub, unused, clippy::all, clippy::pedantic)]
#![deny(clippy::nursery, clippy::undocumented_unsafe_blocks, clippy::multiple_unsafe_ops_per_block)]
#![deny(clippy::missing_docs_in_private_items, clippy::same_name_method, clippy::exhaustive_structs)]
#![deny(future_incompatible, keyword_idents, let_underscore, nonstandard_style, refining_impl_trait)]
#![deny(missing_copy_implementations, missing_debug_implementations, non_local_definitions)]
#![deny(redundant_imports, rust_2018_idioms, rust_2021_compatibility, rust_2024_compatibility)]
#![deny(single_use_lifetimes, trivial_casts, trivial_numeric_casts, unit_bindings, unused_lifetimes)]
#![deny(unnameable_types, unsafe_op_in_unsafe_fn, unused_qualifications, variant_size_differences)]

use stateroom_wasm::prelude::*;

/// A documented service.
#[stateroom_wasm(carry_over)]
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
struct Echo {
    /// How often it has answered.
    answers: u32,
}

impl SimpleStateroomService for Echo {
    fn new(_room_id: &str, _context: &impl StateroomContext) -> Self {
        Self { answers: 0 }
    }

    fn message(&mut self, client: ClientId, message: &str, context: &impl StateroomContext) {
        self.answers += 1;
        context.send_message(client, &format!("{} {message}", self.answers));
    }
}
