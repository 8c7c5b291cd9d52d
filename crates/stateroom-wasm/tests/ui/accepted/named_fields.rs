//! A struct with named fields, attributes on both sides of ours, and documentation.
#![deny(missing_docs)]

/// A module that is part of the API.
pub mod service {
    use stateroom_wasm::prelude::*;

    /// A documented service.
    #[derive(Debug, Clone)]
    #[stateroom_wasm]
    #[derive(PartialEq, Default)]
    #[must_use]
    pub struct Named {
        /// A documented field.
        #[allow(missing_docs)]
        pub name: String,
        count: u32,
    }

    impl SimpleStateroomService for Named {
        fn new(name: &str, _: &impl StateroomContext) -> Self {
            Named { name: name.to_owned(), ..Named::default() }
        }

        fn timer(&mut self, context: &impl StateroomContext) {
            self.count += 1;
            context.send_binary(ClientId(self.count), self.name.as_bytes());
        }
    }

    /// Uses what is derived before and after.
    #[must_use]
    pub fn is_default(named: &Named) -> bool {
        format!("{:?}", named.clone()).is_empty() || *named == Named::default()
    }
}
