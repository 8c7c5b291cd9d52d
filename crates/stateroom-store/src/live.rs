//! Reads a store in the process that writes it.

use crate::{
    ModuleHash, Quarantined, Reader, RoomCount, RoomSummary, StoreError, StoredRoom, Vitals,
    failure,
    log::segment::Segment,
    read_connection::ReadConnection,
    shared::{Shared, State},
    view::{ReadError, View},
};
use std::{collections::HashMap, fmt, sync::Arc};

/// How often something that looks damaged is looked at before it is called so: a large file may have gone
/// while it was read, since there is a newer state.
const LOOKS: usize = 2;

/// See the [module](self).
pub(crate) struct LiveReader {
    shared: Arc<Shared>,
    connection: ReadConnection,
}

impl fmt::Debug for LiveReader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LiveReader").finish_non_exhaustive()
    }
}

impl LiveReader {
    pub(crate) fn new(shared: Arc<Shared>) -> Result<Self, StoreError> {
        let mut connection = ReadConnection::default();
        connection.connect(&shared)?;
        Ok(LiveReader { shared, connection })
    }

    /// Reads what belongs together: `take` picks from the index what `read` then needs beside it.
    pub(crate) fn at_one_moment<K, T>(
        &mut self,
        take: impl Fn(&State) -> K,
        read: impl Fn(&View<'_>, &K) -> Result<T, ReadError>,
    ) -> Result<T, StoreError> {
        let mut looks = 0;
        loop {
            looks += 1;
            let result = self.look(&take, &read);
            let looks_damaged = matches!(
                result,
                Err(StoreError::Damaged { .. } | StoreError::DamagedModule { .. })
            );
            if !looks_damaged || looks >= LOOKS {
                return result;
            }
        }
    }

    fn look<K, T>(
        &mut self,
        take: impl Fn(&State) -> K,
        read: impl Fn(&View<'_>, &K) -> Result<T, ReadError>,
    ) -> Result<T, StoreError> {
        let shared = self.shared.clone();
        let state = shared.lock();
        let connection = self.connection.connect(&shared)?;
        let path = shared.database();
        let of_query = |error| failure::of_query(&path, &error);
        // The first read decides which moment the transaction sees; the checkpoint's thread forgets in
        // the index only what it has committed.
        let transaction = match connection {
            Some(connection) => {
                let transaction = connection.transaction().map_err(of_query)?;
                let pin = "SELECT applied FROM checkpoint";
                transaction.query_row(pin, (), |_| Ok(())).map_err(of_query)?;
                Some(transaction)
            }
            None => None,
        };
        let segments: Vec<Arc<Segment>> = state.segments.iter().cloned().collect();
        let taken = take(&state);
        drop(state);
        let view = View {
            files: &*shared.files,
            folder: &shared.folder,
            segments: &segments,
            connection: transaction.as_deref(),
        };
        read(&view, &taken).map_err(|error| told(&shared, error))
    }
}

/// What a failure to read means.
pub(crate) fn told(shared: &Shared, error: ReadError) -> StoreError {
    match error {
        ReadError::Store(error) => error,
        ReadError::Sqlite(error) => failure::of_query(&shared.database(), &error),
        ReadError::Io(error) => failure::of_reading(&shared.log_folder(), &error),
    }
}

/// All that the index has.
fn all(state: &State) -> HashMap<Arc<str>, crate::log::compose::Known> {
    state.index.rooms().map(|(room, known)| (room.clone(), known)).collect()
}

impl Reader for LiveReader {
    fn load(&mut self, room: &str) -> Result<Option<StoredRoom>, StoreError> {
        self.at_one_moment(|state| state.index.room(room), |view, known| view.load(room, *known))
    }

    fn list(&mut self) -> Result<Vec<RoomSummary>, StoreError> {
        self.at_one_moment(all, |view, known| view.list(known))
    }

    fn summary(&mut self, room: &str) -> Result<Option<RoomSummary>, StoreError> {
        self.at_one_moment(|state| state.index.room(room), |view, known| view.summary(room, *known))
    }

    fn count(&mut self, code: Option<&ModuleHash>) -> Result<RoomCount, StoreError> {
        self.at_one_moment(all, |view, known| view.count(known, code))
    }

    fn needing_attention(&mut self) -> Result<Vec<(Arc<str>, Vitals)>, StoreError> {
        self.at_one_moment(all, |view, known| view.needing_attention(known))
    }

    fn forgettable(&mut self, before: u64, most: usize) -> Result<Vec<Arc<str>>, StoreError> {
        self.at_one_moment(all, |view, known| view.forgettable(known, before, most))
    }

    fn quarantined(&mut self, room: &str) -> Result<Vec<Quarantined>, StoreError> {
        self.at_one_moment(
            |state| state.index.room(room),
            |view, known| view.quarantined(room, *known),
        )
    }

    fn module(&mut self, hash: &ModuleHash) -> Result<Option<Vec<u8>>, StoreError> {
        self.at_one_moment(
            |state| state.index.module(hash),
            |view, place| view.module(hash, *place),
        )
    }
}
