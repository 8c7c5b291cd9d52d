//! One connection to the database, checked, and listened to for warnings.

use crate::{
    LogError, Part, Unsettled,
    error::text,
    in_flight::Heard,
    options::{Options, random},
};
use futures_util::StreamExt;
use std::{
    collections::HashMap,
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::JoinHandle,
    time::timeout,
};
use tokio_postgres::{
    AsyncMessage, Client, Connection, Error, NoTls, Row, Statement,
    error::{DbError, Severity},
    types::{FromSql, ToSql},
};

/// The oldest version that is known to do what is asked of it.
const OLDEST_VERSION: i32 = 140_000;

/// What a statement is given.
pub(crate) type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A connection, with one statement on it at a time.
#[derive(Debug)]
pub(crate) struct Link {
    client: Client,
    /// How many warnings have come. Counted before whatever came after them is handed on.
    warnings: Arc<AtomicU64>,
    driver: JoinHandle<()>,
    prepared: HashMap<String, Statement>,
    time_limit: Duration,
    /// Which of the server's processes serves it.
    pub(crate) backend: Backend,
}

/// A process of the server.
#[derive(Clone, Debug)]
pub(crate) struct Backend {
    pid: i32,
    /// When it began, since numbers are used again.
    started: String,
}

impl Drop for Link {
    fn drop(&mut self) {
        // That closes the socket, whatever is on its way.
        self.driver.abort();
    }
}

impl Link {
    pub(crate) async fn connect(
        options: &Options,
        lock_timeout: Duration,
    ) -> Result<Self, LogError> {
        let mark = format!("{:016x}", random()?);
        let config = options.config(&mark, lock_timeout);
        let warnings = Arc::new(AtomicU64::new(0));
        let connecting = async {
            #[cfg(feature = "rustls")]
            if let Some(tls) = options.tls() {
                let (client, connection) = config.connect(tls).await?;
                return Ok((client, tokio::spawn(drive(connection, warnings.clone()))));
            }
            let (client, connection) = config.connect(NoTls).await?;
            Ok((client, tokio::spawn(drive(connection, warnings.clone()))))
        };
        let reason = |reason: String| LogError::CannotConnect { reason };
        // The limit of the configuration is for each host, and only for its socket.
        let connected = timeout(options.time_limit, connecting).await;
        let connected = connected.map_err(|_| reason("it has not answered in time".to_owned()))?;
        let (client, driver) = connected.map_err(|error: Error| reason(text(&error)))?;
        let (prepared, time_limit) = (HashMap::new(), options.time_limit);
        let backend = Backend { pid: 0, started: String::new() };
        let mut link = Link { client, warnings, driver, prepared, time_limit, backend };
        link.check(&mark).await?;
        Ok(link)
    }

    /// Reads back what was asked for when it was connected.
    async fn check(&mut self, mark: &str) -> Result<(), LogError> {
        let settings = "select current_setting('stateroom.link', true),
            current_setting('synchronous_commit'), current_setting('fsync'),
            current_setting('server_version'), current_setting('server_version_num')::int4,
            a.pid, a.backend_start::text
            from pg_stat_activity a where a.pid = pg_backend_pid()";
        const WHAT: &str = "read the settings of the database";
        let failed = |error: Error| LogError::of_query(WHAT, &error);
        let rows = self.read(WHAT, settings, &[]).await?;
        let row = rows.first().ok_or(LogError::Pooler)?;
        if row.try_get::<_, Option<&str>>(0).map_err(failed)? != Some(mark) {
            return Err(LogError::Pooler);
        }
        for (column, setting, wanted) in [(1, "synchronous_commit", "on"), (2, "fsync", "on")] {
            let found: String = row.try_get(column).map_err(failed)?;
            if found != wanted {
                return Err(LogError::Setting { setting, found, wanted });
            }
        }
        if row.try_get::<_, i32>(4).map_err(failed)? < OLDEST_VERSION {
            let found = row.try_get(3).map_err(failed)?;
            return Err(LogError::Setting { setting: "its version", found, wanted: "14 or newer" });
        }
        let (pid, started) = (row.try_get(5).map_err(failed)?, row.try_get(6).map_err(failed)?);
        self.backend = Backend { pid, started };
        Ok(())
    }

    /// For what has to be done within a transaction.
    pub(crate) fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Runs a statement that writes, and tells what comes of it as it comes, the last one being the end. Gives whether the
    /// link can be used for another one; otherwise it is to be dropped.
    pub(crate) async fn write<T>(
        &mut self,
        sql: &str,
        parameters: Parameters<'_>,
        row: impl Fn(&Row) -> Result<Heard<T>, Unsettled>,
        mut tell: impl FnMut(Heard<T>),
    ) -> bool {
        let limit = self.time_limit;
        let running = self.run(sql, parameters, |it| row(&it).map(&mut tell));
        let ended = timeout(limit, running).await;
        let end = match ended {
            Err(_) => Heard::TimedOut,
            Ok(Err(Unsettled::Warned)) => {
                tell(Heard::Warning);
                Heard::Ready
            }
            Ok(Err(Unsettled::Failed(reason))) => Heard::Failed(reason),
            Ok(Err(other)) => Heard::Cut(other.to_string().into()),
            Ok(Ok(())) => Heard::Ready,
        };
        let is_usable = !matches!(end, Heard::Cut(_) | Heard::TimedOut);
        tell(end);
        is_usable
    }

    /// Runs a statement to its very end, which the stream of rows tells: it ends when the server is ready.
    async fn run(
        &mut self,
        sql: &str,
        parameters: Parameters<'_>,
        mut tell: impl FnMut(Row) -> Result<(), Unsettled>,
    ) -> Result<(), Unsettled> {
        let statement = self.prepare(sql).await.map_err(|error| unsettled(&error))?;
        let before = self.warnings.load(Ordering::Acquire);
        let parameters = parameters.iter().copied();
        let rows = self.client.query_raw(&statement, parameters).await;
        let mut rows = pin!(rows.map_err(|error| unsettled(&error))?);
        while let Some(row) = rows.next().await {
            tell(row.map_err(|error| unsettled(&error))?)?;
        }
        match self.warnings.load(Ordering::Acquire) == before {
            true => Ok(()),
            false => Err(Unsettled::Warned),
        }
    }

    /// Runs a statement whose rows matter. A write is done when it is `Ok`: then there was no warning either.
    pub(crate) async fn ask(
        &mut self,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, Unsettled> {
        let limit = self.time_limit;
        let mut rows = Vec::new();
        let asking = self.run(sql, parameters, |row| {
            rows.push(row);
            Ok(())
        });
        timeout(limit, asking).await.unwrap_or(Err(Unsettled::TimedOut))?;
        Ok(rows)
    }

    /// The same, for what settles nothing.
    pub(crate) async fn read(
        &mut self,
        what: &'static str,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, LogError> {
        let rows = self.ask(sql, parameters).await;
        rows.map_err(|why| LogError::Query { what, reason: why.to_string() })
    }

    /// Ends an earlier connection of the same owner, of which the server may not know that it is gone: its statement may
    /// hold keys until then.
    pub(crate) async fn end(&mut self, owner: &str, earlier: &Backend) -> Result<(), LogError> {
        let end = "select pg_terminate_backend(pid) from pg_stat_activity
            where pid = $1::int4 and backend_start::text = $2::text and application_name = $3::text";
        let parameters: Parameters<'_> = &[&earlier.pid, &earlier.started, &owner];
        self.read("end an earlier connection", end, parameters).await.map(drop)
    }

    async fn prepare(&mut self, sql: &str) -> Result<Statement, Error> {
        if let Some(statement) = self.prepared.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await?;
        self.prepared.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

/// Moves what comes and goes, and counts each warning before it moves what came after it.
async fn drive<S, T>(mut connection: Connection<S, T>, warnings: Arc<AtomicU64>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
        match message {
            Ok(AsyncMessage::Notice(notice)) if is_warning(&notice) => {
                warnings.fetch_add(1, Ordering::Release);
                tracing::warn!("the database warns: {}", notice.message());
            }
            Ok(AsyncMessage::Notice(notice)) => {
                tracing::debug!("the database says: {}", notice.message());
            }
            Ok(_) => {}
            Err(error) => {
                tracing::debug!("a connection to the database has ended: {}", text(&error));
                return;
            }
        }
    }
}

/// Whatever is not known to be less is one.
fn is_warning(notice: &DbError) -> bool {
    use Severity::{Debug, Info, Log, Notice};
    !matches!(notice.parsed_severity(), Some(Debug | Info | Log | Notice))
}

/// A column of a row.
pub(crate) fn column<'a, T: FromSql<'a>>(row: &'a Row, place: usize) -> Result<T, Unsettled> {
    row.try_get(place).map_err(|_| Unsettled::Confused)
}

/// The part that a column of a row names.
pub(crate) fn part(row: &Row, place: usize) -> Result<Part, Unsettled> {
    let number = u16::try_from(column::<i16>(row, place)?).ok();
    number.and_then(Part::new).ok_or(Unsettled::Confused)
}

/// What an error says of a statement: that it has failed, if the server has said so and goes on; else that nothing is known.
fn unsettled(error: &Error) -> Unsettled {
    let goes_on = |error: &DbError| error.parsed_severity() == Some(Severity::Error);
    let reason = text(error).into();
    match error.as_db_error().is_some_and(goes_on) {
        true => Unsettled::Failed(reason),
        false => Unsettled::Cut(reason),
    }
}
