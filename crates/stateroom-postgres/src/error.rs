//! What can go wrong with the database. Each says what has happened, and what to do.

use crate::{Part, Unsettled, lane::MAX_RECORD_BYTES};
use tokio_postgres::error::DbError;

/// Why something was not done, or is not known to be.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The address of the database is none. It is not shown, since it may hold a password.
    #[error(
        "the address of the database is not understood: {reason}; it is of the form \
         postgres://user:password@host:port/database"
    )]
    Address {
        /// What is wrong with it.
        reason: String,
    },
    /// What should be the certificates of authorities is not.
    #[error("the certificates to trust cannot be used: {reason}; give them as PEM")]
    Authorities {
        /// What is wrong with them.
        reason: String,
    },
    /// The name of the node, or of the schema, is none.
    #[error(
        "{name:?} cannot be the name of a {of}; choose one of letters, digits and {marks}, of at most {most} \
         characters"
    )]
    Name {
        /// The name.
        name: String,
        /// Of what.
        of: &'static str,
        /// What it may have beside letters and digits.
        marks: &'static str,
        /// How long it may be.
        most: usize,
    },
    /// The database cannot be reached, or does not let us in.
    #[error("cannot connect to the database: {reason}; check its address, and that it runs")]
    CannotConnect {
        /// Why.
        reason: String,
    },
    /// There is something between us and the database that gives each statement another connection.
    #[error(
        "there is a pooler between this server and the database, or it drops the settings of connections; \
         give the address of the database itself, since the log needs connections of its own"
    )]
    Pooler,
    /// The database cannot be used as it is set up.
    #[error("the database cannot keep the log: {setting} is {found}; set it to {wanted}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// What it is.
        found: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// A newer version of Stateroom has made the tables.
    #[error(
        "the tables in the schema {schema} are of format {found}, and this version of Stateroom knows formats up \
         to {known}; use the version that made them, or a newer one"
    )]
    NewerFormat {
        /// Where they are.
        schema: String,
        /// Their format.
        found: i32,
        /// The newest format that is known here.
        known: i32,
    },
    /// There is a schema of that name, with tables of somebody else.
    #[error(
        "the schema {schema} has tables that are not Stateroom's; they were left as they are: choose another schema"
    )]
    NotOurs {
        /// Its name.
        schema: String,
    },
    /// The part is not owned any more. Whether its last record is there is settled by claiming it again.
    #[error("part {part} is lost: {why}; claim it again, and load its rooms anew")]
    Lost {
        /// Which part.
        part: Part,
        /// Why.
        why: Unsettled,
    },
    /// Somebody else has claimed the part, and nothing was done.
    #[error("part {part} belongs to somebody else now; nothing was done")]
    Fenced {
        /// Which part.
        part: Part,
    },
    /// A record of more than [`MAX_RECORD_BYTES`]. Nothing was written, and the part is still owned.
    #[error(
        "a record of {bytes} bytes for part {part} is larger than the {MAX_RECORD_BYTES} that the log takes; write \
         less at once"
    )]
    TooLarge {
        /// For which part.
        part: Part,
        /// How large it is.
        bytes: usize,
    },
    /// A statement that settles nothing has failed.
    #[error("could not {what}: {reason}; check the database, then try again")]
    Query {
        /// What was to be done.
        what: &'static str,
        /// Why it was not.
        reason: String,
    },
    /// The log was closed.
    #[error("the log was closed; open it again")]
    Closed,
}

impl LogError {
    pub(crate) fn of_query(what: &'static str, error: &tokio_postgres::Error) -> Self {
        LogError::Query { what, reason: text(error) }
    }
}

/// What the driver says, with what the server has said.
pub(crate) fn text(error: &tokio_postgres::Error) -> String {
    let of_server = |error: &DbError| format!("{} ({})", error.message(), error.code().code());
    let mut text = error.as_db_error().map_or_else(|| error.to_string(), of_server);
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source.filter(|_| error.as_db_error().is_none()) {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
