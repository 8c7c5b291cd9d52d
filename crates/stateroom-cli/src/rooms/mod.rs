//! `stateroom rooms`: what is kept of rooms, for people to see and handle.

mod backup;
mod carry_out;
mod change;
mod list;
mod show;
mod transport;

use crate::{
    config::Config,
    failure::Failure,
    keeping::{self, Whose},
    room_options::StoreOptions,
    short,
};
use anyhow::{Context, anyhow};
use stateroom_store::{Durability, ExportedRoom, FileReader, FileStore, StoreError};
use std::path::PathBuf;

pub(crate) use carry_out::rooms;
pub(crate) use transport::read_file;

/// Where rooms are kept, and what `stateroom.toml` says.
pub(crate) struct Place {
    data_dir: PathBuf,
    pub(crate) config: Config,
}

impl Place {
    pub(crate) fn find(options: &StoreOptions) -> anyhow::Result<Place> {
        let current = std::env::current_dir().context("there is no current folder")?;
        let (config, folder) =
            Config::find(options.config.as_deref(), &current).context(Failure::Usage)?;
        let whose = if options.dev { Whose::Dev } else { Whose::Served };
        let named = options.data_dir.as_deref();
        let data_dir = keeping::data_dir(whose, named, (&config.durability, &folder));
        Ok(Place { data_dir, config })
    }

    /// Whether there is a folder for rooms, whatever is in it.
    pub(crate) fn exists(&self) -> bool {
        self.data_dir.is_dir()
    }

    /// What is wrong with a name that is no file's, and no room's either as there is no folder for rooms.
    pub(crate) fn neither_file_nor_room(&self, name: &str) -> anyhow::Error {
        let (name, folder) = (short::name(name), self.data_dir.display());
        anyhow!(
            "there is no file {name}, and no room of that id, as there is no folder {folder}: name the one \
             that rooms are kept in with --data-dir"
        )
        .context(Failure::Usage)
    }

    /// The store, to be read while whoever else writes.
    fn reader(&self) -> anyhow::Result<FileReader> {
        if !self.exists() {
            let folder = self.data_dir.display();
            return Err(anyhow!(
                "there is no folder {folder}: name the one that rooms are kept in with --data-dir"
            )
            .context(Failure::Store));
        }
        FileStore::open_read_only(&self.data_dir).map_err(|error| {
            let error = anyhow::Error::new(error);
            match keeping::dev_beside(&self.data_dir) {
                Some(dev) => error.context(format!(
                    "the rooms of `stateroom dev` are in {}: --dev is for those",
                    dev.display()
                )),
                None => error,
            }
            .context(Failure::Store)
        })
    }

    /// The store, for this process alone. It is made if there is none.
    fn store(&self) -> anyhow::Result<FileStore> {
        let store = FileStore::open(&self.data_dir, Durability::Synced);
        store.map_err(|error| {
            let in_use = matches!(error, StoreError::InUse { .. });
            let error = anyhow::Error::new(error);
            let error = if in_use {
                error.context(format!(
                    "a server runs on {}: stop it first, for rooms can be changed only while none does",
                    self.data_dir.display()
                ))
            } else {
                error
            };
            error.context(Failure::Store)
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
