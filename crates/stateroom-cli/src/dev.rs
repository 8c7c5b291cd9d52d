//! `stateroom dev`: serves the project here, and has every edit of its source take over.

use crate::{
    auth,
    cargo_build::cargo_build,
    client::build_client,
    config::Config,
    failure::{self, Failure},
    keeping::{Durability, Whose},
    options::DevOptions,
    project::Project,
    serving,
    terminal::{complain, say},
    toolchain::Target,
    types,
    watch::{PageWatcher, SourceWatcher},
};
use anyhow::Context;
use stateroom_server::{AllowedOrigin, ServerConfig, ServerHandle};
use stateroom_wasm_host::{WasmEngine, WasmHostFactory};
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::{Duration, Instant},
};

pub(crate) fn dev(options: &DevOptions) -> anyhow::Result<()> {
    let project = Project::open(&options.project)?;
    let static_path = project.static_files()?;
    Target::Service.require(&project.folder, options.project.yes)?;
    if project.config.client.is_some() {
        Target::Client.require(&project.folder, options.project.yes)?;
    }

    let defaults = ServerConfig {
        ip: Ipv4Addr::LOCALHOST.into(),
        static_path: static_path.clone(),
        live_pages: true,
        allowed_origins: vec![AllowedOrigin::SAME_HOST, AllowedOrigin::LOCALHOST],
        // Whoever writes a room sees what it does.
        log_rooms_every: Duration::ZERO,
        // Those of `stateroom load`.
        temporary_rooms: "load-{number}".parse().into_iter().collect(),
        ..ServerConfig::default()
    };
    let has_page = static_path.as_ref().is_some_and(|folder| folder.join("index.html").is_file());
    let (mut config, bounds) = serving::settle(defaults, &project.config, &options.settings)?;
    let weaker = (&project.config.durability, &*project.config_folder);
    let durability = Durability::settle(Whose::Dev, weaker, &options.settings.durability)?;
    let weaker = (project.config.auth.as_ref(), &*project.config_folder);
    config.auth = auth::load(Whose::Dev, weaker, &options.settings.auth)?;
    // A build may take minutes, after which it would be too late to say so.
    serving::try_address(&config)?;

    // Edits from before the first build has ended are noticed too.
    let mut watcher = SourceWatcher::new(static_path.iter().cloned().collect())?;
    watcher.follow(&[project.folder.clone()].into())?;
    let first = build(&project).context(Failure::Build)?;
    watcher.follow(&project.source_folders().context(Failure::Build)?)?;
    config.client_path.clone_from(&first.client);
    let engine =
        serving::engine(bounds, &config, &project.config.service, durability.data_dir.is_some())?;
    let factory = first.load(&engine).context(Failure::Module)?;

    let server = serving::bind(config, &durability, &engine, factory)?;
    if let Some(pages) = static_path {
        let (watcher, server) = (PageWatcher::new(&pages)?, server.handle());
        std::thread::Builder::new()
            .name("pages".to_owned())
            .spawn(move || watcher.run(|| server.reload_pages()))?;
    }
    let address = server.local_addr();
    let rebuilder =
        Rebuilder { project, watcher, engine, server: server.handle(), module: first.module };
    std::thread::Builder::new().name("rebuild".to_owned()).spawn(move || rebuilder.run())?;
    tell_addresses(address, has_page);
    server.run().map_err(failure::of_server)?;
    match &durability.data_dir {
        Some(folder) => say("Stopped", format!("the rooms are kept in {}", folder.display())),
        None => say("Stopped", "and the rooms are gone, as they were kept in memory only"),
    }
    Ok(())
}

/// Tells where everything is; what to open comes last, where it is seen.
fn tell_addresses(address: SocketAddr, has_page: bool) {
    let address = serving::reachable(address);
    say("Watching", "the sources; edit them and the rooms go on with the new code");
    say("Status", format!("http://{address}/status"));
    say("Rooms", format!("ws://{address}/ws/ROOM_ID"));
    match has_page {
        true => say("Open", format!("http://{address}/ in two windows; Ctrl-C stops")),
        false => say("Serving", format!("rooms at http://{address}, and no page; Ctrl-C stops")),
    }
}

/// What a build made.
struct Built {
    /// The bytes of the module: cargo will write over its file.
    module: Vec<u8>,
    name: String,
    client: Option<PathBuf>,
}

fn build(project: &Project) -> anyhow::Result<Built> {
    let profile = &project.config.service.dev_profile;
    let package = project.config.service.package.as_deref();
    let path = cargo_build(project, package, Target::Service, profile)?;
    let client = build_client(project, profile)?;
    let module =
        std::fs::read(&path).with_context(|| format!("could not read {}", path.display()))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Built { module, name, client })
}

impl Built {
    fn load(&self, engine: &WasmEngine) -> anyhow::Result<WasmHostFactory> {
        Ok(engine.load_bytes(&self.name, &self.module)?)
    }
}

/// Builds again after each edit, beside the running server.
struct Rebuilder {
    project: Project,
    watcher: SourceWatcher,
    engine: WasmEngine,
    server: ServerHandle<WasmHostFactory>,
    /// The module that is being served.
    module: Vec<u8>,
}

impl Rebuilder {
    fn run(mut self) {
        if self.project.types_file().is_some_and(|file| types::are_stale(&self.project, &file)) {
            self.write_types();
        }
        while let Ok(mut changed) = self.watcher.wait() {
            if changed.remove(&self.project.config_file) {
                match Config::read(&self.project.config_file) {
                    Ok(_) => say("Note", "the edited stateroom.toml takes effect after a restart"),
                    Err(error) => complain("Invalid", error),
                }
            }
            if changed.is_empty() {
                continue;
            }
            say("Rebuilding", changed_names(&changed));
            let started = Instant::now();
            match self.rebuild() {
                Ok(Change::Nothing) => say("Unchanged", "the module is the same"),
                Ok(Change::Swapped) => {
                    say("Swapped", took(started.elapsed()));
                    self.write_types();
                }
                Err(error) => {
                    complain("Failed", format!("{error:#}"));
                    complain("Kept", "the last good build; it goes on serving");
                }
            }
        }
    }

    /// Keeps the TypeScript types fresh, where the project has some.
    fn write_types(&self) {
        let Some(file) = self.project.types_file() else { return };
        match types::write(&self.project, &file) {
            Ok(true) => say("Types", file.display()),
            Ok(false) => {}
            Err(error) => complain("No types", format!("{error:#}")),
        }
    }

    fn rebuild(&mut self) -> anyhow::Result<Change> {
        let built = build(&self.project)?;
        if built.client.is_some() {
            self.server.reload_pages();
        }
        self.watcher.follow(&self.project.source_folders()?)?;
        if built.module == self.module {
            return Ok(Change::Nothing);
        }
        self.server.swap(built.load(&self.engine)?).map_err(anyhow::Error::msg)?;
        self.module = built.module;
        Ok(Change::Swapped)
    }
}

enum Change {
    Nothing,
    Swapped,
}

fn changed_names(changed: &std::collections::BTreeSet<PathBuf>) -> String {
    let names = changed.iter().filter_map(|path| path.file_name());
    let names: Vec<_> = names.map(|name| name.to_string_lossy()).collect();
    format!("because of {}", names.join(", "))
}

fn took(time: Duration) -> String {
    format!("the new code in, after {:.1} s", time.as_secs_f64())
}
