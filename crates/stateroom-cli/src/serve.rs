//! `stateroom serve`: serves a module that is built already, and loads it again when told to.

use crate::{
    auth,
    config::{Config, FILE_NAME},
    failure::{self, Failure},
    keeping::{Durability, Whose},
    options::ServeOptions,
    output::{MODULE, STATIC},
    serving,
};
use anyhow::{Context, anyhow};
use stateroom_server::{ServerConfig, ServerHandle};
use stateroom_wasm_host::{WasmEngine, WasmHostFactory};
use std::path::{Path, PathBuf};

pub(crate) fn serve(options: &ServeOptions) -> anyhow::Result<()> {
    let (module, folder) = locate(&options.path)?;
    let named = options.config.as_deref();
    let (file, config_folder) = Config::find(named, &folder).context(Failure::Usage)?;
    let defaults = ServerConfig {
        static_path: Some(folder.join(STATIC))
            .filter(|path| options.path.is_dir() && path.is_dir()),
        client_path: None, // it is part of the static files
        ..ServerConfig::default()
    };
    let (mut config, bounds) = serving::settle(defaults, &file, &options.settings)?;
    let home = match named {
        Some(_) => config_folder,
        None => {
            let home = home(&options.path, &folder)?;
            warn_of_older_settings(&folder, &home);
            home
        }
    };
    let weaker = (&file.durability, &*home);
    let durability = Durability::settle(Whose::Served, weaker, &options.settings.durability)?;
    config.auth = auth::load(Whose::Served, (file.auth.as_ref(), &home), &options.settings.auth)?;
    let engine = serving::engine(bounds, &config, &file.service, durability.data_dir.is_some())?;
    let factory = engine.load(&module).context(Failure::Module)?;

    let server = serving::bind(config, &durability, &engine, factory)?;
    reload_on_hangup(module.clone(), engine, server.handle())?;
    let address = serving::reachable(server.local_addr());
    tracing::info!(module = %module.display(), "serving http://{address}");
    server.run().map_err(failure::of_server)?;
    match &durability.data_dir {
        Some(folder) => tracing::info!(folder = %folder.display(), "stopped; the rooms are kept"),
        None => tracing::info!("stopped; the rooms were kept in memory only, and are gone"),
    }
    Ok(())
}

/// Has the rooms go on with the code that is in the module's file by then, whenever SIGHUP comes.
#[cfg(unix)]
fn reload_on_hangup(
    module: PathBuf,
    engine: WasmEngine,
    server: ServerHandle<WasmHostFactory>,
) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // From now on, so that no early signal ends the process.
    let mut hangups = {
        let _inside = runtime.enter();
        signal(SignalKind::hangup()).context("SIGHUP cannot be heard")?
    };
    let reload = move || {
        while runtime.block_on(hangups.recv()).is_some() {
            let loaded = engine.load(&module).map_err(|error| error.to_string());
            match loaded.and_then(|factory| server.swap(factory)) {
                Ok(()) => tracing::info!(
                    module = %module.display(),
                    "the module was loaded again; the rooms take it over"
                ),
                Err(reason) => tracing::error!(
                    module = %module.display(), reason,
                    "the module could not be loaded again; the rooms go on with the one before"
                ),
            }
        }
    };
    std::thread::Builder::new().name("reload".to_owned()).spawn(reload)?;
    Ok(())
}

#[cfg(not(unix))]
fn reload_on_hangup(
    _: PathBuf,
    _: WasmEngine,
    _: ServerHandle<WasmHostFactory>,
) -> anyhow::Result<()> {
    Ok(())
}

/// The folder that the data folder is relative to: that of `stateroom.toml`. For a folder that `stateroom
/// build` made it is the project's, if it lies in one, since the next build makes that folder anew. Without
/// a `stateroom.toml` it is the current folder.
fn home(path: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
    let unusable = || format!("the folder {} cannot be used", folder.display());
    // A module that is named without a folder lies in the current one.
    let folder = Path::new(".").join(folder).canonicalize().with_context(unusable)?;
    let project = folder.parent().filter(|_| path.is_dir());
    let has_config = |folder: &&Path| folder.join(FILE_NAME).is_file();
    match project.filter(has_config).or(Some(&*folder).filter(has_config)) {
        Some(home) => Ok(home.to_owned()),
        None => std::env::current_dir().context("there is no current folder"),
    }
}

/// Says that the settings that are served with are not those of the project any more: `stateroom build` makes
/// a copy of them.
fn warn_of_older_settings(folder: &Path, home: &Path) {
    let (served, edited) = (folder.join(FILE_NAME), home.join(FILE_NAME));
    let read = |file: &Path| std::fs::read(file).ok();
    if let Some(edited_text) = read(&edited)
        && read(&served).as_ref() != Some(&edited_text)
    {
        tracing::warn!(
            served = %served.display(),
            edited = %edited.display(),
            "the settings that are served with are not those of the project: `stateroom build` copies them"
        );
    }
}

/// The module that `path` means, and the folder that it belongs to.
fn locate(path: &Path) -> anyhow::Result<(PathBuf, PathBuf)> {
    if path.is_dir() {
        let module = path.join(MODULE);
        if module.is_file() {
            return Ok((module, path.to_owned()));
        }
        let problem = anyhow!(
            "{} has no {MODULE}: give a folder that `stateroom build` made, or a module (.wasm or .wat)",
            path.display()
        );
        return Err(problem.context(Failure::Usage));
    }
    if !path.is_file() {
        return Err(
            anyhow!("there is no file or folder {}", path.display()).context(Failure::Usage)
        );
    }
    let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
    Ok((path.to_owned(), folder))
}
