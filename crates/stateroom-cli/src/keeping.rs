//! Where rooms are kept: from the settings to a store.

use crate::{failure::Failure, settings::DurabilitySettings};
use anyhow::Context;
use clap::ValueEnum;
use serde::Deserialize;
use stateroom_server::{Keeping, Survives};
use stateroom_store::FileStore;
use stateroom_wasm_host::{WasmEngine, WasmHostFactory};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// The folder that rooms are kept in, unless another one is named.
pub(crate) const DATA_DIR: &str = ".stateroom";

/// What rooms survive, as it is named on the command line and in `stateroom.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SurvivesOption {
    /// A planned stop, and no more.
    Nothing,
    /// The end of the process, in whatever way.
    Crash,
    /// Power loss.
    PowerLoss,
}

impl From<SurvivesOption> for Survives {
    fn from(option: SurvivesOption) -> Self {
        match option {
            SurvivesOption::Nothing => Survives::Nothing,
            SurvivesOption::Crash => Survives::Crash,
            SurvivesOption::PowerLoss => Survives::PowerLoss,
        }
    }
}

/// The folder that rooms are kept in by these settings, which come with `folder`.
pub(crate) fn data_dir(settings: &DurabilitySettings, folder: &Path) -> PathBuf {
    folder.join(settings.data_dir.as_deref().unwrap_or(Path::new(DATA_DIR)))
}

/// What holds for the rooms of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Durability {
    /// The folder that they are kept in; `None` when they are not.
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) survives: Survives,
    /// Whether rooms start anew with new code that does not take over their state.
    pub(crate) starts_anew: bool,
}

impl Durability {
    /// What holds: `stronger` over `weaker` over the default for `survives`. Paths are relative to
    /// the folder that each comes with.
    pub(crate) fn settle(
        survives: Survives,
        (weaker, folder): (&DurabilitySettings, &Path),
        (stronger, current): (&DurabilitySettings, &Path),
    ) -> Durability {
        let named = stronger.data_dir.as_ref().map(|data_dir| current.join(data_dir));
        let data_dir = named.unwrap_or_else(|| data_dir(weaker, folder));
        let ephemeral = stronger.ephemeral.or(weaker.ephemeral).unwrap_or(false);
        let survives = stronger.survives.or(weaker.survives).map_or(survives, Survives::from);
        Durability { data_dir: (!ephemeral).then_some(data_dir), survives, starts_anew: false }
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
        let store =
            FileStore::open(data_dir, self.survives.durability()).context(Failure::Store)?;
        let what = match self.survives {
            Survives::Nothing => "a planned stop only",
            Survives::Crash => "crashes and kill -9",
            Survives::PowerLoss => "crashes, kill -9 and power loss",
        };
        tracing::info!(folder = %data_dir.display(), "rooms are kept, and survive {what}");
        let engine = engine.clone();
        Ok(Some(Keeping {
            store: Box::new(store),
            survives: self.survives,
            load_code: Arc::new(move |bytes| {
                engine
                    .load_bytes("a module from the store", bytes)
                    .map_err(|error| error.to_string())
            }),
            starts_anew: self.starts_anew,
        }))
    }
}
