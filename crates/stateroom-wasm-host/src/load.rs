//! Loads a module: reads it, checks it, compiles it, tries it, and makes the factory of its rooms.

use crate::{
    WasmEngine,
    bounds::{self, PAGE_BYTES},
    cache::{Cache, Key},
    can_sleep::CannotSleep,
    carry_over,
    check::{self, Generation},
    config::HostConfig,
    engine::EngineInner,
    error::{LoadError, StartError},
    features,
    host_state::HostState,
    image::Image,
    precompiled, prepare,
    room::WasmHost,
    saved_state::Wanted,
    wasi,
};
use sha2::{Digest, Sha256};
use stateroom::{
    Birth, CodeVersion, MemoryLimits, RestoreFailure, StateroomContext, StateroomServiceFactory,
};
use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};
use wasmtime::{Engine, ExternType, InstancePre, MemoryType, Module, ModuleExport};

/// Pages of memory that there can be.
const MOST_PAGES: u64 = bounds::MOST.memory_bytes / PAGE_BYTES;

/// Why a module is loaded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// So that rooms are born of it.
    New,
    /// So that its rooms come back.
    Kept,
}

/// Builds the rooms of one module. Cloning it gives another handle to the same module.
#[derive(Clone)]
pub struct WasmHostFactory {
    pub(crate) engine: WasmEngine,
    pub(crate) module: Arc<LoadedModule>,
}

/// A module that can be instantiated.
pub(crate) struct LoadedModule {
    pub(crate) instance: InstancePre<HostState>,
    pub(crate) generation: Generation,
    /// What to run before anything else when a room starts, and never when it wakes.
    pub(crate) start: Option<ModuleExport>,
    /// The mutable globals, or why rooms can't sleep.
    pub(crate) globals: Result<Vec<ModuleExport>, CannotSleep>,
    /// The memory that a room starts with, and its size.
    pub(crate) image: Image,
    pub(crate) memory_bytes: usize,
    /// Whether rooms hand over their state, and take one over.
    pub(crate) carries_over: bool,
    /// The SHA-256 of the file, as it was given.
    pub(crate) version: CodeVersion,
    /// What was loaded.
    code: Arc<[u8]>,
}

impl WasmEngine {
    /// Loads the module in the file at `path`: a `.wasm`, its text form `.wat`, or, when
    /// [`HostConfig::trust_precompiled`] is set, what [`WasmEngine::precompile`] made. What it is
    /// is told by the content, not by the name.
    ///
    /// # Errors
    /// When the file cannot be read, and for all that [`WasmEngine::load_bytes`] finds.
    pub fn load(&self, path: impl AsRef<Path>) -> Result<WasmHostFactory, LoadError> {
        let path = path.as_ref();
        let bytes = std::fs::read(path)
            .map_err(|source| LoadError::Read { path: path.to_owned(), source })?;
        self.load_bytes(&path.display().to_string(), &bytes)
    }

    /// Loads a module from memory, as [`WasmEngine::load`] does; `name` is what errors call it.
    ///
    /// # Errors
    /// When it is no WebAssembly, does not follow the guest interface, needs more than the limits
    /// allow, or fails as it starts.
    pub fn load_bytes(&self, name: &str, bytes: &[u8]) -> Result<WasmHostFactory, LoadError> {
        self.load_for(Purpose::New, name, bytes)
    }

    /// Loads a module of which there are rooms already, so that they can be brought back: it was loaded
    /// once, under the limits of that time, so that those of today refuse it nothing.
    ///
    /// # Errors
    /// When it is no WebAssembly, does not follow the guest interface, or fails as it starts.
    pub fn load_kept(&self, name: &str, bytes: &[u8]) -> Result<WasmHostFactory, LoadError> {
        self.load_for(Purpose::Kept, name, bytes)
    }

    fn load_for(
        &self,
        purpose: Purpose,
        name: &str,
        bytes: &[u8],
    ) -> Result<WasmHostFactory, LoadError> {
        let kept = purpose == Purpose::Kept;
        let limits = if kept { bounds::MOST } else { self.inner.config.limits.memory() };
        let inner = &self.inner;
        let wasm = if Engine::detect_precompiled(bytes).is_some() {
            if !inner.config.trust_precompiled {
                return Err(LoadError::Untrusted { module: name.into() });
            }
            precompiled::deserialize(&inner.engine, name, bytes)?
        } else {
            let binary = prepared_binary(name, bytes, limits)?;
            self.compile(&binary).map_err(|error| not_compiled(name, &binary, &error))?
        };
        let generation = check::check_interface(name, &wasm)?;
        let prepared = prepare::read(&wasm).ok_or_else(|| LoadError::ForeignPrecompiled {
            module: name.into(),
            reason: "its rooms could not sleep".into(),
        })?;
        let mut linker = inner.linker.clone();
        // Whatever else a module may import is of WASI, see `check`.
        linker.define_unknown_imports_as_traps(&wasm).map_err(|error| not_wasm(name, &error))?;
        let instance =
            linker.instantiate_pre(&wasm).map_err(|error| LoadError::WrongSignature {
                module: name.into(),
                item: wasi::MODULE.into(),
                wanted: "the functions of WASI preview 1".into(),
                found: format!("{error:#}"),
            })?;
        let mut module = LoadedModule {
            instance,
            generation,
            start: prepared.start,
            globals: prepared.globals,
            image: Image::of(&[]),
            memory_bytes: 0,
            carries_over: generation == Generation::NamedFunctions && carry_over::is_offered(&wasm),
            version: CodeVersion(Sha256::digest(bytes).into()),
            code: bytes.into(),
        };
        module.try_out(self, name, limits, kept)?;
        Ok(WasmHostFactory { engine: self.clone(), module: Arc::new(module) })
    }

    /// Compiles a prepared module, or takes it from the cache.
    fn compile(&self, binary: &[u8]) -> wasmtime::Result<Module> {
        let EngineInner { engine, config, .. } = &*self.inner;
        let Some(cache) = config.cache_dir.as_deref().and_then(Cache::open) else {
            return Module::from_binary(engine, binary);
        };
        let key = Key::of(engine, binary);
        if let Some(module) =
            cache.get(&key).and_then(|code| precompiled::deserialize_cached(engine, &code))
        {
            return Ok(module);
        }
        let module = Module::from_binary(engine, binary)?;
        cache.put(&key, &module.serialize()?);
        Ok(module)
    }

    /// Compiles a module to machine code, which loads in a fraction of a millisecond where
    /// [`HostConfig::trust_precompiled`] is set. It fits only this version of this crate, on this
    /// kind of processor.
    ///
    /// # Errors
    /// When `bytes` is no WebAssembly (or text form of it) that can run here.
    pub fn precompile(&self, bytes: &[u8]) -> Result<Vec<u8>, LoadError> {
        let name = "the module to precompile";
        let binary = prepared_binary(name, bytes, self.inner.config.limits.memory())?;
        let compiled = self.inner.engine.precompile_module(&binary);
        compiled.map_err(|error| not_compiled(name, &binary, &error))
    }
}

impl LoadedModule {
    /// What the state of a room of this module is like, unless its rooms have none that can be
    /// saved.
    pub(crate) fn wanted_state(&self) -> Result<Wanted<'_>, CannotSleep> {
        let globals = self.globals.as_ref().map_err(|reason| *reason)?;
        let memory = self.instance.module().get_export("memory");
        let memory = memory.as_ref().and_then(ExternType::memory);
        let least = memory.map_or(0, MemoryType::minimum);
        let most = memory.and_then(MemoryType::maximum).unwrap_or(MOST_PAGES).min(MOST_PAGES);
        Ok(Wanted {
            version: self.version,
            image: &self.image,
            globals: globals.len(),
            memory_pages: (least, most),
        })
    }
}

fn prepared_binary(name: &str, bytes: &[u8], limits: MemoryLimits) -> Result<Vec<u8>, LoadError> {
    let refused = |reason| LoadError::NotWasm { module: name.into(), reason };
    if bytes.trim_ascii().is_empty() {
        return Err(refused("it is empty".into()));
    }
    if bytes.starts_with(b"\x7fELF") {
        let reason = "it is machine code, but not, or not all of, what `precompile` makes";
        return Err(refused(reason.into()));
    }
    let binary = wat::parse_bytes(bytes).map_err(|error| {
        // The lines after the first two show the place in the text.
        let told = error.to_string();
        let told = told.lines().take(2).map(str::trim).collect::<Vec<_>>().join(" ");
        let told = told.replace("--> <anon>:", "at ");
        refused(format!("it is neither the binary nor the text form: {told}"))
    })?;
    check::check_binary(name, &binary, limits)?;
    prepare::prepare(name, &binary)
}

/// Why the compiler takes no `binary` like this one: where that is a proposal, by its name.
fn not_compiled(name: &str, binary: &[u8], error: &wasmtime::Error) -> LoadError {
    let proposals = features::not_allowed(binary);
    if proposals.is_empty() {
        return not_wasm(name, error);
    }
    LoadError::NotAllowed { module: name.into(), proposals }
}

fn not_wasm(name: &str, error: &wasmtime::Error) -> LoadError {
    LoadError::NotWasm { module: name.into(), reason: format!("{error:#}") }
}

impl WasmHostFactory {
    /// Loads the module at `path` into an engine with the default configuration, which all
    /// factories made so share.
    ///
    /// # Errors
    /// As [`WasmEngine::new`] and [`WasmEngine::load`].
    pub fn new(path: impl AsRef<Path>) -> Result<Self, LoadError> {
        static DEFAULT_ENGINE: Mutex<Option<WasmEngine>> = Mutex::new(None);
        let engine = {
            let mut engine = DEFAULT_ENGINE.lock().unwrap_or_else(PoisonError::into_inner);
            match &*engine {
                Some(engine) => engine.clone(),
                None => engine.insert(WasmEngine::new(HostConfig::default())?).clone(),
            }
        };
        engine.load(path)
    }

    /// The engine its rooms run in.
    #[must_use]
    pub fn engine(&self) -> &WasmEngine {
        &self.engine
    }

    /// Whether the rooms of this module can sleep.
    ///
    /// # Errors
    /// Why they cannot, in which case they stay awake.
    pub fn can_sleep(&self) -> Result<(), CannotSleep> {
        self.module.globals.as_ref().map(|_| ()).map_err(|reason| *reason)
    }
}

impl<C: StateroomContext + Send + 'static> StateroomServiceFactory<C> for WasmHostFactory {
    type Service = WasmHost;
    type Error = StartError;

    fn build(&self, room_id: &str, context: C) -> Result<WasmHost, StartError> {
        WasmHost::start(self, room_id, Box::new(context))
    }

    /// The limits of `birth` hold as far as there can be so much: 4 GiB of memory, in whole pages of
    /// 64 KiB, and 100,000 elements of a table.
    fn build_at(&self, room_id: &str, context: C, birth: &Birth) -> Result<WasmHost, StartError> {
        WasmHost::start_at(self, room_id, Box::new(context), birth, false)
    }

    fn build_again(
        &self,
        room_id: &str,
        context: C,
        birth: &Birth,
    ) -> Result<WasmHost, StartError> {
        WasmHost::start_at(self, room_id, Box::new(context), birth, true)
    }

    /// Those of [`HostConfig::limits`].
    fn limits(&self) -> MemoryLimits {
        self.engine.inner.config.limits.memory()
    }

    /// The SHA-256 of the file that was loaded, byte by byte: a module and what was precompiled of
    /// it have different versions.
    fn version(&self) -> Result<CodeVersion, String> {
        match self.can_sleep() {
            Ok(()) => Ok(self.module.version),
            Err(reason) => Err(reason.to_string()),
        }
    }

    fn code(&self) -> Option<Arc<[u8]>> {
        Some(self.module.code.clone())
    }

    /// The room has the limits of memory and table that it had, whatever those of today are.
    fn restore(&self, room_id: &str, context: C, state: &[u8]) -> Result<WasmHost, RestoreFailure> {
        WasmHost::restore(self, room_id, Box::new(context), state)
    }

    /// Whether the service of the module has opted in with `#[stateroom_wasm(carry_over)]`.
    fn takes_over(&self) -> bool {
        self.module.carries_over
    }

    /// Starts a room with the state of one of other code. It is an event like any other: bounded in
    /// time and memory, and what the service says against the state is the reason of the failure.
    fn take_over(
        &self,
        room_id: &str,
        context: C,
        birth: &Birth,
        state: &[u8],
    ) -> Result<WasmHost, RestoreFailure> {
        WasmHost::take_over(self, room_id, Box::new(context), birth, state)
    }
}
