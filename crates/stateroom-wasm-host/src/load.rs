//! Loads a module: reads it, checks it, compiles it, tries it, and makes the factory of its rooms.

use crate::{
    WasmEngine, bounds,
    cache::{Cache, Key},
    carry_over, check,
    config::HostConfig,
    engine::EngineInner,
    error::LoadError,
    factory::WasmHostFactory,
    features,
    image::Image,
    interface::{self, Generation},
    module::LoadedModule,
    precompiled, prepare, trial, wasi,
};
use sha2::{Digest, Sha256};
use stateroom::{CodeVersion, MemoryLimits};
use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};
use wasmtime::{Engine, Module};

/// Why a module is loaded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// So that rooms are born of it.
    New,
    /// So that its rooms come back.
    Kept,
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
        let generation = interface::check(name, &wasm)?;
        let prepared = prepare::read(&wasm).ok_or_else(|| LoadError::ForeignPrecompiled {
            module: name.into(),
            reason: "its rooms could not sleep".into(),
        })?;
        let mut linker = inner.linker.clone();
        // Whatever else a module may import is of WASI, see `interface`.
        wasi::define_missing(&mut linker, &wasm);
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
        trial::try_out(&mut module, self, name, limits, kept)?;
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
}
