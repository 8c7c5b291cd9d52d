//! The way of those who write or read a store to its checkpoint.

use crate::{StoreError, failure, shared::Shared};
use rusqlite::Connection;

/// How many statements stay prepared: more than there are.
const STATEMENTS: usize = 64;

/// A connection to the checkpoint, which only reads.
#[derive(Default)]
pub(crate) struct ReadConnection {
    connection: Option<Connection>,
    age: Option<u64>,
}

impl ReadConnection {
    /// Opens it when it is first needed, and again where it is a copy that has aged. `None` while there is
    /// no checkpoint.
    pub(crate) fn connect(
        &mut self,
        shared: &Shared,
    ) -> Result<Option<&mut Connection>, StoreError> {
        let age = shared.files.database_age();
        if self.connection.is_none() || self.age != age {
            self.age = age;
            let path = shared.database();
            let connection = shared.files.read_database(&path);
            self.connection = connection.map_err(|error| failure::of_database(&path, error))?;
            if let Some(connection) = &self.connection {
                connection.set_prepared_statement_cache_capacity(STATEMENTS);
            }
        }
        Ok(self.connection.as_mut())
    }

    /// The connection, as far as it is open.
    #[cfg(feature = "faults")]
    pub(crate) fn get(&self) -> Option<&Connection> {
        self.connection.as_ref()
    }

    /// Lets go of it.
    pub(crate) fn close(&mut self) {
        self.connection = None;
    }
}
