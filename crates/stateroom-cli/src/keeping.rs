//! Where rooms are kept: from the settings to a store.

use crate::{
    failure::{Failure, not_opened},
    settings::DurabilitySettings,
};
use anyhow::Context;
use stateroom::StateroomServiceFactory;
use stateroom_room::RoomContext;
use stateroom_server::{Keeping, Survives};
use stateroom_store::{FileStore, ModuleHash, Store, StoreError};
use stateroom_wasm_host::{WasmEngine, WasmHostFactory};
use std::{
    fs::DirEntry,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The folder that rooms are kept in, unless another one is named.
const DATA_DIR: &str = ".stateroom";

/// The folder in it for those of `stateroom dev`.
const DEV: &str = "dev";

/// Whose rooms: those that everybody comes to, or those of whoever writes the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    Served,
    Dev,
}

/// The folder that rooms are kept in: the one that is named, or the one of these settings, which come
/// with `folder`. Those of `stateroom dev` are apart from the others, unless a folder is named for them.
pub(crate) fn data_dir(
    whose: Whose,
    named: Option<&Path>,
    (settings, folder): (&DurabilitySettings, &Path),
) -> PathBuf {
    if let Some(named) = named {
        return named.to_owned();
    }
    let shared = folder.join(settings.data_dir.as_deref().unwrap_or(Path::new(DATA_DIR)));
    match whose {
        Whose::Served => shared,
        Whose::Dev => shared.join(DEV),
    }
}

/// Where those of `stateroom dev` are, if there are some beside these.
pub(crate) fn dev_beside(data_dir: &Path) -> Option<PathBuf> {
    Some(data_dir.join(DEV)).filter(|folder| folder.is_dir())
}

/// Whether that is where those of `stateroom dev` are, beside others or alone.
pub(crate) fn is_of_dev(entry: &DirEntry) -> bool {
    entry.file_name() == DEV && entry.path().is_dir()
}

/// What holds for the rooms of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Durability {
    /// The folder that they are kept in; `None` when they are not.
    pub(crate) data_dir: Option<PathBuf>,
    survives: Survives,
    whose: Whose,
}

impl Durability {
    /// What holds: `stronger` over `weaker` over the defaults. A folder that `stronger` names is relative
    /// to the current one, others to `folder`, that of `weaker`.
    pub(crate) fn settle(
        whose: Whose,
        (weaker, folder): (&DurabilitySettings, &Path),
        stronger: &DurabilitySettings,
    ) -> anyhow::Result<Durability> {
        let data_dir = data_dir(whose, stronger.data_dir.as_deref(), (weaker, folder));
        let data_dir = std::path::absolute(&data_dir)
            .with_context(|| format!("there is no folder {}", data_dir.display()))?;
        let ephemeral = stronger.ephemeral.or(weaker.ephemeral).unwrap_or(false);
        let survives = stronger.survives.or(weaker.survives).map(Survives::from);
        let survives = survives.unwrap_or(match whose {
            Whose::Served => Survives::PowerLoss,
            Whose::Dev => Survives::Crash,
        });
        Ok(Durability { data_dir: (!ephemeral).then_some(data_dir), survives, whose })
    }

    /// Opens the store; `None` when rooms are not kept.
    pub(crate) fn open(
        &self,
        engine: &WasmEngine,
        factory: &WasmHostFactory,
    ) -> anyhow::Result<Option<Keeping<WasmHostFactory>>> {
        let Some(data_dir) = &self.data_dir else {
            tracing::info!("rooms are kept in memory only: all are lost when this ends");
            return Ok(None);
        };
        if let Err(reason) = factory.can_sleep() {
            return Err(anyhow::anyhow!(
                "the rooms of this module cannot be kept: {reason}. Change the module, or serve it \
                 with --ephemeral, which keeps nothing"
            )
            .context(Failure::Module));
        }
        let store = FileStore::open(data_dir, self.survives.durability()).map_err(not_opened)?;
        let what = match self.survives {
            Survives::Nothing => "a planned stop only",
            Survives::Crash => "crashes and kill -9",
            Survives::PowerLoss => "crashes, kill -9 and power loss",
        };
        let (rooms, with_older_code) = count(&store, factory).context(Failure::Store)?;
        tracing::info!(
            folder = %data_dir.display(), rooms, with_older_code,
            "rooms are kept, and survive {what}"
        );
        let engine = engine.clone();
        Ok(Some(Keeping {
            store: Box::new(store),
            survives: self.survives,
            load_code: Arc::new(move |bytes| {
                engine
                    .load_kept("a module from the store", bytes)
                    .map_err(|error| error.to_string())
            }),
            // Whoever writes the code wants to see it at work.
            starts_anew: self.whose == Whose::Dev,
        }))
    }
}

/// How many rooms there are, and how many of them have other code than new ones.
fn count(store: &impl Store, factory: &WasmHostFactory) -> Result<(u64, u64), StoreError> {
    let code = StateroomServiceFactory::<RoomContext>::version(factory).ok();
    let count = store.reader()?.count(code.map(|code| ModuleHash(code.0)).as_ref())?;
    Ok((count.rooms, count.with_other_code))
}
