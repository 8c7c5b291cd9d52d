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
use std::{fs, path::PathBuf};

pub(crate) use carry_out::rooms;
pub(crate) use transport::read_file;

/// Where rooms are kept, and what `stateroom.toml` says.
pub(crate) struct Place {
    data_dir: PathBuf,
    /// Whether the command line names that folder.
    is_named: bool,
    whose: Whose,
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
        Ok(Place { data_dir, is_named: named.is_some(), whose, config })
    }

    /// Whether there is a folder for rooms, whatever is in it.
    pub(crate) fn exists(&self) -> bool {
        self.data_dir.is_dir()
    }

    /// What to tell where no room was ever kept, and nothing else either; `None` if something is there.
    pub(crate) fn nothing_yet(&self) -> Option<String> {
        if self.exists() {
            let mut entries = fs::read_dir(&self.data_dir).ok()?;
            if !entries.all(|entry| entry.is_ok_and(|entry| keeping::is_of_dev(&entry))) {
                return None;
            }
        } else if self.is_named || self.data_dir.exists() {
            return None;
        }
        let command = match self.whose {
            Whose::Served => "serve",
            Whose::Dev => "dev",
        };
        let dev = match (self.is_named, keeping::dev_beside(&self.data_dir)) {
            (false, Some(_)) => "; `stateroom rooms --dev` lists those of `stateroom dev`",
            _ => "",
        };
        Some(format!("no rooms of `stateroom {command}` here yet{dev}"))
    }

    /// What is wrong with a name that is no file's, and no room's either as there is no folder for rooms.
    pub(crate) fn neither_file_nor_room(&self, name: &str) -> anyhow::Error {
        let (name, folder) = (short::name(name), self.data_dir.display());
        let nothing = self.nothing_yet();
        match nothing {
            Some(nothing) => anyhow!("there is no file {name}, and no room of that id: {nothing}"),
            None => anyhow!(
            "there is no file {name}, and no room of that id, as there is no folder {folder}: name the one \
             that rooms are kept in with --data-dir"
            ),
        }
        .context(Failure::Usage)
    }

    /// The store, to be read while whoever else writes.
    fn reader(&self) -> anyhow::Result<FileReader> {
        if let Some(nothing) = self.nothing_yet() {
            return Err(anyhow!(nothing).context(Failure::Usage));
        }
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
