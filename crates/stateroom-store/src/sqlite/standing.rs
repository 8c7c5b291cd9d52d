//! The one row of the table `log`: what the database knows of the files beside it.

use super::checksum;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::fs;

/// See the [module](self).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The position of the first row of the oldest file that is needed.
    pub(crate) first: i64,
    /// At least this row was there; one less than `first` where there is none.
    pub(crate) newest: i64,
    /// The start of the machine in which commits are not flushed; empty, if all are.
    pub(crate) boot: String,
}

impl Standing {
    /// `None`, if it is damaged.
    pub(crate) fn read(connection: &Connection) -> rusqlite::Result<Option<Self>> {
        let sql = "SELECT first, newest, boot, check_row FROM log";
        let read = |row: &Row<'_>| {
            let boot = row.get_ref(2)?.as_bytes().unwrap_or_default();
            let boot = String::from_utf8_lossy(boot).into_owned();
            let standing = Self { first: row.get(0)?, newest: row.get(1)?, boot };
            Ok((standing, row.get::<_, i64>(3)?))
        };
        let found = connection.prepare_cached(sql)?.query_row((), read).optional()?;
        let intact = found.filter(|(standing, check)| *check == i64::from(standing.check()));
        Ok(intact.map(|(standing, _)| standing))
    }

    pub(crate) fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        let sql = "UPDATE log SET first = ?1, newest = ?2, boot = ?3, check_row = ?4";
        let mut statement = connection.prepare_cached(sql)?;
        statement.execute(params![self.first, self.newest, self.boot, self.check()])?;
        Ok(())
    }

    fn check(&self) -> u32 {
        checksum::standing(self.first, self.newest, &self.boot)
    }

    /// Whether the machine may have lost its power since commits were made that were not flushed. Then
    /// the newest of them may be missing, whole or in part, and nothing is wrong with that.
    pub(crate) fn may_lack_commits(&self) -> bool {
        !self.boot.is_empty() && self.boot != this_boot()
    }
}

/// Names the time since the machine was started.
pub(crate) fn this_boot() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    // Where nobody tells, it is always another one.
    if name.trim().is_empty() { "unknown".to_owned() } else { name.trim().to_owned() }
}
