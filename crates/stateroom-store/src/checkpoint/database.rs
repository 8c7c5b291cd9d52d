//! The checkpoint's database, as a whole: what it says of itself, and the way its transactions take.

use super::{large_column, schema};
use crate::{
    StoreError, failure,
    files::Files,
    log::layout::{LogId, crc},
    recovery::chain::Mark,
};
use rusqlite::{Connection, OptionalExtension, params};
use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

/// So many pages may be free, of 4 KiB each, however few there are: they are needed again soon.
const FREE_PAGES: i64 = 512;

/// How many are given back in one transaction.
const PAGES_AT_ONCE: i64 = 256;

/// See the [module](self). For the one who writes.
pub(crate) struct Database {
    pub(crate) connection: Connection,
    pub(crate) path: PathBuf,
}

impl Database {
    /// The one in `folder`; `None` if it is missing, or not whole without a write-ahead log that is gone.
    pub(crate) fn open(
        files: &dyn Files,
        folder: &Path,
        needed: bool,
    ) -> Result<Option<Self>, StoreError> {
        let path = folder.join("rooms.db");
        let opened = files.open_database(&path, needed);
        let opened = opened.map_err(|error| failure::of_database(&path, error))?;
        let Some(connection) = opened else { return Ok(None) };
        connection.set_prepared_statement_cache_capacity(64);
        Ok(schema::check(&connection, &path)?.then_some(Database { connection, path }))
    }

    /// Makes it anew, for a log of which it has nothing yet.
    pub(crate) fn create(files: &dyn Files, folder: &Path, log: LogId) -> Result<Self, StoreError> {
        let path = folder.join("rooms.db");
        let connection = files.create_database(&path);
        let connection = connection.map_err(|error| failure::of_database(&path, error))?;
        connection.set_prepared_statement_cache_capacity(64);
        let database = Database { connection, path };
        let mark = Mark { id: log, applied: 0, check: 0 };
        database.opening(files, |connection| {
            schema::create(connection)?;
            let sql = "INSERT INTO checkpoint VALUES (?1, 0, 0, 0, ?2, 0)";
            connection.execute(sql, params![log.0, check(&mark)]).map(|_| ())
        })?;
        Ok(database)
    }

    /// Makes one small transaction, so that the write-ahead log is never empty from now on.
    pub(crate) fn open_anew(&self, files: &dyn Files) -> Result<(), StoreError> {
        self.opening(files, |connection| {
            connection.execute("UPDATE checkpoint SET opened = opened + 1", ()).map(|_| ())
        })
    }

    fn opening(
        &self,
        files: &dyn Files,
        change: impl FnOnce(&Connection) -> rusqlite::Result<()>,
    ) -> Result<(), StoreError> {
        self.transaction(files, change)
            .map_err(|error| failure::of_database(&self.path, error.into()))
    }

    /// Makes a transaction of `change`, and flushes it. If it fails, nothing is changed.
    pub(crate) fn transaction<T>(
        &self,
        files: &dyn Files,
        change: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute(())?;
        let changed = change(&self.connection).and_then(|changed| {
            files.commit_database(&self.path, &self.connection)?;
            Ok(changed)
        });
        if changed.is_err() && !self.connection.is_autocommit() {
            // If this fails too, the end of the connection does it.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        changed
    }

    /// Gives some pages back, if many are free, and tells whether it did.
    pub(crate) fn shorten(&self, files: &dyn Files) -> rusqlite::Result<bool> {
        let number =
            |name: &str| self.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let free = number("freelist_count")?;
        if free < FREE_PAGES || free < number("page_count")? / 4 {
            return Ok(false);
        }
        self.transaction(files, |connection| {
            let sql = format!("PRAGMA incremental_vacuum({PAGES_AT_ONCE})");
            let mut statement = connection.prepare(&sql)?;
            // Each step gives one page back.
            let mut steps = statement.query(())?;
            while steps.next()?.is_some() {}
            Ok(())
        })?;
        Ok(number("freelist_count")? < free)
    }

    /// Up to where it has the log; `None` if it does not say, which is damage.
    pub(crate) fn mark(&self) -> Result<Option<Mark>, StoreError> {
        mark(&self.connection, &self.path).map(|(mark, _)| Some(mark))
    }

    /// The names of all large files that it needs.
    pub(crate) fn large_names(&self) -> Result<HashSet<u128>, StoreError> {
        let names = self.large().map_err(|error| failure::of_query(&self.path, &error))?;
        Ok(names.into_iter().map(|large| large.name).collect())
    }

    /// How many bytes these have.
    pub(crate) fn large_bytes(&self) -> Result<u64, StoreError> {
        let names = self.large().map_err(|error| failure::of_query(&self.path, &error))?;
        Ok(names.into_iter().map(|large| large.length).sum())
    }

    fn large(&self) -> rusqlite::Result<Vec<crate::log::entry::Large>> {
        let sql = "SELECT large FROM rooms WHERE large IS NOT NULL \
                   UNION ALL SELECT large FROM modules WHERE large IS NOT NULL";
        let mut statement = self.connection.prepare(sql)?;
        let rows = statement.query_map((), |row| row.get::<_, Vec<u8>>(0))?;
        let names: rusqlite::Result<Vec<_>> = rows.collect();
        Ok(names?.iter().filter_map(|name| large_column::decode(name)).collect())
    }

    /// Copies the write-ahead log to the database itself, so that it begins anew. Readers that take long
    /// may keep it from that.
    pub(crate) fn restart_log(&self) -> rusqlite::Result<()> {
        self.connection.query_row("PRAGMA wal_checkpoint(RESTART)", (), |_| Ok(()))
    }

    /// The same, and the write-ahead log is empty then.
    pub(crate) fn empty_log(&self) -> rusqlite::Result<()> {
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()))
    }
}

/// Up to where a checkpoint has the log, and how far rows may be ahead of that.
pub(crate) fn mark(connection: &Connection, path: &Path) -> Result<(Mark, u64), StoreError> {
    let sql = "SELECT log, applied, check_log, check_row, reaches FROM checkpoint";
    let read = |row: &rusqlite::Row<'_>| {
        let id = row.get_ref(0)?.as_blob().ok().and_then(|id| id.try_into().ok());
        let mark = Mark {
            id: LogId(id.unwrap_or_default()),
            applied: row.get::<_, i64>(1)?.cast_unsigned(),
            check: u32::try_from(row.get::<_, i64>(2)?).unwrap_or(0),
        };
        let reaches = row.get::<_, i64>(4)?.cast_unsigned();
        Ok((mark, reaches, row.get::<_, i64>(3)? == i64::from(check(&mark))))
    };
    let found = connection.prepare_cached(sql).and_then(|mut it| it.query_row((), read).optional());
    match found.map_err(|error| failure::of_query(path, &error))? {
        Some((mark, reaches, true)) => Ok((mark, reaches)),
        _ => Err(StoreError::DamagedFile {
            path: path.to_owned(),
            what: "it does not say up to where it has the log".to_owned(),
        }),
    }
}

/// Notes up to where it has the log, in the transaction that is open.
pub(crate) fn set_mark(connection: &Connection, mark: &Mark) -> rusqlite::Result<()> {
    let sql = "UPDATE checkpoint SET applied = ?1, check_log = ?2, check_row = ?3, \
               reaches = max(reaches, ?1)";
    let (applied, check_row) = (mark.applied.cast_signed(), check(mark));
    connection.prepare_cached(sql)?.execute(params![applied, mark.check, check_row]).map(|_| ())
}

/// Notes that rows may be ahead of that.
pub(crate) fn set_reach(connection: &Connection, position: u64) -> rusqlite::Result<()> {
    let sql = "UPDATE checkpoint SET reaches = ?1";
    connection.prepare_cached(sql)?.execute([position.cast_signed()]).map(|_| ())
}

fn check(mark: &Mark) -> u32 {
    let applied = crc(crc(0, &mark.id.0), &mark.applied.to_le_bytes());
    crc(applied, &mark.check.to_le_bytes())
}
