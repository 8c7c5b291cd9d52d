//! The log and the states in the database, as whoever uses them sees them.

use crate::{
    Copies, Epoch, LogError, OwnedPart, Part, Unsettled,
    appender::{Appender, Order},
    claim, copies, link,
    options::Options,
    schema,
    spare_link::SpareLink,
    statements::{Statements, TRIMMED_AT_ONCE},
};
use bytes::Bytes;
use std::sync::Arc;
use tokio::{
    sync::{Mutex, mpsc, watch},
    task::JoinHandle,
};
use tokio_postgres::Row;

/// A row of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its position in the part.
    pub seq: i64,
    /// The claim that it belongs to.
    pub epoch: Epoch,
    /// What was appended. `None` for a claim, and for the beginning of the part.
    pub body: Option<Bytes>,
}

/// The state of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomState {
    /// Up to which position of the part the room has heard what is there for it.
    pub seq: i64,
    /// Of which module the state is: its SHA-256.
    pub module: Vec<u8>,
    /// The state, in an encoding that is the caller's.
    pub body: Bytes,
}

/// The log and the states in the database. Everything ends when it is dropped.
#[derive(Debug)]
pub struct Log {
    options: Arc<Options>,
    statements: Arc<Statements>,
    lanes: Vec<mpsc::UnboundedSender<Order>>,
    /// For claims, which wait for locks.
    control: Mutex<SpareLink>,
    /// For all else.
    spare: Mutex<SpareLink>,
    copies: watch::Receiver<Copies>,
    looking: JoinHandle<()>,
}

impl Drop for Log {
    fn drop(&mut self) {
        self.looking.abort();
    }
}

impl Log {
    /// Connects, makes the tables or brings them up to date, and looks whether the database keeps what it is given.
    /// Needs a Tokio runtime.
    ///
    /// # Errors
    /// When the database cannot be reached or cannot be used, or its tables are newer or somebody else's.
    pub async fn open(options: Options) -> Result<Self, LogError> {
        let options = Arc::new(options);
        let statements = Arc::new(Statements::new(options.schema()));
        let mut control = SpareLink::new(options.clone());
        schema::prepare(control.get().await?.client(), options.schema()).await?;
        let lanes = (0..options.lanes.max(1)).map(|_| {
            let (sender, orders) = mpsc::unbounded_channel();
            tokio::spawn(Appender::new(options.clone(), statements.clone(), orders).run());
            sender
        });
        let lanes = lanes.collect();
        let first = copies::look(control.get().await?).await?;
        let (seen, copies) = watch::channel(first);
        let looking = tokio::spawn(copies::keep_looking(options.clone(), seen));
        let spare = Mutex::new(SpareLink::new(options.clone()));
        let control = Mutex::new(control);
        Ok(Log { options, statements, lanes, control, spare, copies, looking })
    }

    /// What the connections of this start of the node are called in `pg_stat_activity`.
    #[must_use]
    pub fn owner(&self) -> &str {
        self.options.owner()
    }

    /// In how many places what is durable is, as far as the database tells. It is looked at every two seconds.
    #[must_use]
    pub fn copies(&self) -> watch::Receiver<Copies> {
        self.copies.clone()
    }

    /// Claims parts: takes them away from whoever owns them, whose connections are ended. Gives those that were claimed, in order; of the
    /// others, why not.
    ///
    /// # Errors
    /// When there is no connection at all.
    pub async fn claim(&self, parts: &[Part]) -> Result<Claimed, LogError> {
        let mut control = self.control.lock().await;
        let claimed = claim::claim(&self.options, &self.statements, &mut control, parts).await?;
        drop(control);
        let own = |(part, place): (Part, _)| {
            let lane = usize::from(part.number()) % self.lanes.len();
            let lane = self.lanes.get(lane).or(self.lanes.first());
            lane.map(|lane| OwnedPart::new(part, place, lane.clone()))
        };
        let owned = claimed.durable.into_iter().filter_map(own).collect();
        Ok(Claimed { owned, failed: claimed.unsettled })
    }

    /// At most `most` records of a part after the position `after` and up to `up_to`, in order. It settles nothing: only
    /// what lies below one's own claim is sure to stay.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn read(
        &self,
        part: Part,
        after: i64,
        up_to: i64,
        most: u32,
    ) -> Result<Vec<Record>, LogError> {
        const WHAT: &str = "read the log";
        let mut spare = self.spare.lock().await;
        let (part, most) = (part.column(), i64::from(most));
        let rows = spare.read(WHAT, &self.statements.read, &[&part, &after, &up_to, &most]).await?;
        let record = |row: &Row| {
            let body: Option<&[u8]> = link::column(row, 2)?;
            Ok(Record {
                seq: link::column(row, 0)?,
                epoch: Epoch::from_database(link::column(row, 1)?),
                body: body.map(Bytes::copy_from_slice),
            })
        };
        of_rows(WHAT, &rows, record)
    }

    /// Removes the oldest records of a part below a position, some at a time; never the last one. Gives how many, 0 when
    /// there are none any more. What the records tell must be kept otherwise by then.
    ///
    /// # Errors
    /// [`Fenced`](LogError::Fenced), or when the database has not told that it is done.
    pub async fn trim(&self, owner: &OwnedPart, below: i64) -> Result<u64, LogError> {
        let (part, epoch) = (owner.part().column(), owner.epoch().number());
        let most = TRIMMED_AT_ONCE;
        let mut spare = self.spare.lock().await;
        let sql = &self.statements.trim;
        let rows = spare.read("trim the log", sql, &[&part, &epoch, &below, &most]).await?;
        changed("trim the log", owner, &rows)
    }

    /// Keeps states of rooms of a part, but for those of which a newer one is kept. All or nothing. Gives how many.
    ///
    /// # Errors
    /// [`Fenced`](LogError::Fenced), or when the database has not told that it is done.
    pub async fn put_states(
        &self,
        owner: &OwnedPart,
        states: &[(&str, RoomState)],
    ) -> Result<u64, LogError> {
        const WHAT: &str = "keep states";
        let (part, epoch) = (owner.part().column(), owner.epoch().number());
        let rooms: Vec<&[u8]> = states.iter().map(|(room, _)| room.as_bytes()).collect();
        let seqs: Vec<i64> = states.iter().map(|(_, state)| state.seq).collect();
        let modules: Vec<&[u8]> = states.iter().map(|(_, state)| &state.module[..]).collect();
        let bodies: Vec<&[u8]> = states.iter().map(|(_, state)| &state.body[..]).collect();
        let mut spare = self.spare.lock().await;
        let parameters: link::Parameters<'_> = &[&part, &epoch, &rooms, &seqs, &modules, &bodies];
        let rows = spare.read(WHAT, &self.statements.put_states, parameters).await?;
        changed(WHAT, owner, &rows)
    }

    /// Removes the states of rooms of a part. Gives how many there were.
    ///
    /// # Errors
    /// [`Fenced`](LogError::Fenced), or when the database has not told that it is done.
    pub async fn delete_states(&self, owner: &OwnedPart, rooms: &[&str]) -> Result<u64, LogError> {
        const WHAT: &str = "delete states";
        let (part, epoch) = (owner.part().column(), owner.epoch().number());
        let rooms: Vec<&[u8]> = rooms.iter().map(|room| room.as_bytes()).collect();
        let mut spare = self.spare.lock().await;
        let sql = &self.statements.delete_states;
        let rows = spare.read(WHAT, sql, &[&part, &epoch, &rooms]).await?;
        changed(WHAT, owner, &rows)
    }

    /// The state of a room, or `None` if none is kept.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn state(&self, room: &str) -> Result<Option<RoomState>, LogError> {
        const WHAT: &str = "read a state";
        let mut spare = self.spare.lock().await;
        let (part, room) = (Part::of_room(room).column(), room.as_bytes());
        let rows = spare.read(WHAT, &self.statements.state, &[&part, &room]).await?;
        let state = |row: &Row| {
            let body = Bytes::copy_from_slice(link::column(row, 2)?);
            Ok(RoomState { seq: link::column(row, 0)?, module: link::column(row, 1)?, body })
        };
        Ok(of_rows(WHAT, &rows, state)?.pop())
    }

    /// At most `most` rooms of a part of which a state is kept, in an order of the database's: those after `after`, or from the
    /// first one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn rooms(
        &self,
        part: Part,
        after: Option<&str>,
        most: u32,
    ) -> Result<Vec<String>, LogError> {
        const WHAT: &str = "list rooms";
        let mut spare = self.spare.lock().await;
        let (part, after, most) = (part.column(), after.map(str::as_bytes), i64::from(most));
        let rows = spare.read(WHAT, &self.statements.rooms, &[&part, &after, &most]).await?;
        let room = |row: &Row| {
            let room: Vec<u8> = link::column(row, 0)?;
            String::from_utf8(room).map_err(|_| Unsettled::Confused)
        };
        of_rows(WHAT, &rows, room)
    }

    /// Keeps a module under its SHA-256, for which the caller vouches. One that is kept already is made the newest.
    ///
    /// # Errors
    /// When the database has not told that it is done.
    pub async fn put_module(&self, hash: &[u8; 32], body: &[u8]) -> Result<(), LogError> {
        let mut spare = self.spare.lock().await;
        let parameters: link::Parameters<'_> = &[&&hash[..], &body];
        spare.read("keep a module", &self.statements.put_module, parameters).await.map(drop)
    }

    /// The module with that SHA-256, or `None` if it is not kept.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn module(&self, hash: &[u8; 32]) -> Result<Option<Bytes>, LogError> {
        const WHAT: &str = "read a module";
        let mut spare = self.spare.lock().await;
        let rows = spare.read(WHAT, &self.statements.module, &[&&hash[..]]).await?;
        let body = |row: &Row| Ok(Bytes::copy_from_slice(link::column(row, 0)?));
        Ok(of_rows(WHAT, &rows, body)?.pop())
    }
}

/// What became of a claim of several parts.
#[derive(Debug)]
pub struct Claimed {
    /// Those that were claimed, in order.
    pub owned: Vec<OwnedPart>,
    /// Those that were not, and why the last try has failed. They may be claimed all the same, but nobody owns them by
    /// that.
    pub failed: Vec<(Part, Unsettled)>,
}

fn of_rows<T>(
    what: &'static str,
    rows: &[Row],
    one: impl Fn(&Row) -> Result<T, Unsettled>,
) -> Result<Vec<T>, LogError> {
    let all = rows.iter().map(one).collect::<Result<_, _>>();
    all.map_err(|why| LogError::Query { what, reason: why.to_string() })
}

/// How much a statement behind the fence has changed.
fn changed(what: &'static str, owner: &OwnedPart, rows: &[Row]) -> Result<u64, LogError> {
    let counts = |row: &Row| Ok((link::column::<i64>(row, 0)?, link::column::<i64>(row, 1)?));
    match of_rows(what, rows, counts)?[..] {
        [(0, _)] | [] => Err(LogError::Fenced { part: owner.part() }),
        [(_, changed), ..] => Ok(u64::try_from(changed).unwrap_or(0)),
    }
}
