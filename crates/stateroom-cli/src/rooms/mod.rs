//! `stateroom rooms`: what is kept of rooms, for people to see and handle.

mod change;
mod list;
mod show;
mod transport;

use crate::{
    config::Config,
    failure::Failure,
    keeping,
    room_options::{RoomsCommand, RoomsOptions, StoreOptions},
    short,
};
use anyhow::{Context, anyhow};
use stateroom_store::{Durability, ExportedRoom, FileReader, FileStore, StoreError};
use std::path::PathBuf;

pub(crate) fn rooms(options: &RoomsOptions) -> anyhow::Result<()> {
    let place = Place::find(&options.store)?;
    match &options.command {
        None => list::list(&place, options.json),
        Some(RoomsCommand::Show(show)) => show::show(&place, show, options.json || show.json),
        Some(_) if options.json => {
            Err(anyhow!("--json is for the list of rooms and for show").context(Failure::Usage))
        }
        Some(RoomsCommand::Delete { rooms }) => change::delete(&place, rooms),
        Some(RoomsCommand::Restart(restart)) => change::restart(&place, restart),
        Some(RoomsCommand::Export { room, file }) => {
            transport::export(&place, room, file.as_deref())
        }
        Some(RoomsCommand::Import(import)) => transport::import(&place, import),
    }
}

pub(crate) use transport::read_file;

/// Where rooms are kept, and what `stateroom.toml` says.
pub(crate) struct Place {
    data_dir: PathBuf,
    pub(crate) config: Config,
}

impl Place {
    pub(crate) fn find(options: &StoreOptions) -> anyhow::Result<Place> {
        let current = std::env::current_dir().context("there is no current folder")?;
        let config = match &options.config {
            Some(file) => Config::read(file),
            None => Config::read_in(&current),
        }
        .context(Failure::Usage)?;
        let named = options.data_dir.as_ref();
        let data_dir =
            named.map_or_else(|| keeping::data_dir(&config.durability, &current), PathBuf::clone);
        Ok(Place { data_dir, config })
    }

    /// The store, to be read while whoever else writes.
    fn reader(&self) -> anyhow::Result<FileReader> {
        if !self.data_dir.is_dir() {
            let folder = self.data_dir.display();
            return Err(anyhow!(
                "there is no folder {folder}: name the one that rooms are kept in with --data-dir"
            )
            .context(Failure::Store));
        }
        FileStore::open_read_only(&self.data_dir).context(Failure::Store)
    }

    /// The store, for this process alone. It is made if there is none.
    fn store(&self) -> anyhow::Result<FileStore> {
        let store = FileStore::open(&self.data_dir, Durability::Synced);
        store.map_err(|error| match error {
            StoreError::InUse { folder, .. } => anyhow!(
                "a server runs on {}: stop it first, for rooms can be changed only while none does",
                folder.display()
            )
            .context(Failure::Store),
            error => anyhow::Error::new(error).context(Failure::Store),
        })
    }

    /// The room `id`, with all that is kept of it.
    pub(crate) fn room(&self, id: &str) -> anyhow::Result<ExportedRoom> {
        let found = ExportedRoom::read(&mut self.reader()?, id).context(Failure::Store)?;
        found.ok_or_else(|| self.no_such_room(id))
    }

    fn no_such_room(&self, id: &str) -> anyhow::Error {
        let (id, folder) = (short::name(id), self.data_dir.display());
        anyhow!("there is no room {id} in {folder}; `stateroom rooms` lists those that are")
            .context(Failure::Usage)
    }
}
