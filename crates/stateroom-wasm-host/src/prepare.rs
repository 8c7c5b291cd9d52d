//! Prepares a module for rooms that sleep: what its state is made of becomes reachable, and what
//! was found out about it is written into the module itself, so that its machine code carries it.
//!
//! A prepared module differs from the one given in its exports and in nothing that it does:
//!
//! | export | is |
//! | --- | --- |
//! | `stateroom:prepared:1` | the memory; says that this was done, and by which rules |
//! | `stateroom:global:N` | the mutable globals, from 0 |
//! | `stateroom:start` | the start function, which the module no longer has as such: a room that wakes must not run it again |
//! | `stateroom:cannot-sleep:WORD` | the memory; says why rooms of this module can't sleep |

use crate::{
    can_sleep::{CannotSleep, examine},
    error::LoadError,
};
use wasm_encoder::{ExportKind, ExportSection, RawSection};
use wasmtime::{
    Module, ModuleExport,
    wasmparser::{BinaryReaderError, ExternalKind, Parser, Payload, TypeRef},
};

/// What begins the names that a module may not use itself.
const RESERVED: &str = "stateroom:";
const PREPARED: &str = "stateroom:prepared:1";
const START: &str = "stateroom:start";
const GLOBAL: &str = "stateroom:global:";
const CANNOT_SLEEP: &str = "stateroom:cannot-sleep:";

/// Gives `binary` the exports above. A module without a memory or exports stays as it is, for
/// [`interface`](crate::interface) to say what it lacks.
pub(crate) fn prepare(module: &str, binary: &[u8]) -> Result<Vec<u8>, LoadError> {
    let not_wasm = |reason: String| LoadError::NotWasm { module: module.into(), reason };
    let found = find(binary).map_err(|error| not_wasm(error.to_string()))?;
    if let Some(name) = found.reserved {
        return Err(not_wasm(format!(
            "it exports `{name}`, and names that begin with `{RESERVED}` belong to the host"
        )));
    }
    if !found.has_memory {
        return Ok(binary.to_vec());
    }
    rewrite(binary, &found).map_err(|error| not_wasm(error.to_string()))
}

/// What is to be known of a module before it is rewritten.
#[derive(Default)]
struct Found<'a> {
    reserved: Option<&'a str>,
    has_memory: bool,
    start: Option<u32>,
    mutable_globals: Vec<u32>,
    cannot_sleep: Option<CannotSleep>,
}

fn find(binary: &[u8]) -> Result<Found<'_>, BinaryReaderError> {
    let mut found = Found::default();
    let mut imported_globals = 0;
    for payload in Parser::new(0).parse_all(binary) {
        match payload? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    match import?.ty {
                        TypeRef::Global(_) => imported_globals += 1,
                        TypeRef::Memory(_) => found.has_memory = true,
                        _ => {}
                    }
                }
            }
            Payload::MemorySection(section) => found.has_memory |= section.count() > 0,
            Payload::GlobalSection(section) => {
                for (index, global) in (imported_globals..).zip(section) {
                    let ty = global?.ty;
                    if ty.mutable && ty.content_type.is_reference_type() {
                        found.cannot_sleep = Some(CannotSleep::ReferenceGlobal);
                    } else if ty.mutable {
                        found.mutable_globals.push(index);
                    }
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let name = export?.name;
                    if name.starts_with(RESERVED) {
                        found.reserved = Some(name);
                    }
                }
            }
            Payload::StartSection { func, .. } => found.start = Some(func),
            Payload::CodeSectionEntry(body) if found.cannot_sleep.is_none() => {
                found.cannot_sleep = examine(&body)?;
            }
            _ => {}
        }
    }
    if found.mutable_globals.len() > CannotSleep::MOST_GLOBALS {
        found.cannot_sleep = Some(CannotSleep::TooManyGlobals);
    }
    Ok(found)
}

/// Copies every section as it is, but for the exports and the start.
fn rewrite(binary: &[u8], found: &Found<'_>) -> Result<Vec<u8>, BinaryReaderError> {
    let mut module = wasm_encoder::Module::new();
    for payload in Parser::new(0).parse_all(binary) {
        let payload = payload?;
        match payload {
            Payload::ExportSection(section) => {
                let mut exports = ExportSection::new();
                for export in section {
                    let export = export?;
                    exports.export(export.name, kind(export.kind), export.index);
                }
                add_exports(&mut exports, found);
                module.section(&exports);
            }
            Payload::StartSection { .. } => {}
            _ => {
                if let Some((id, range)) = payload.as_section() {
                    let data = binary.get(range).unwrap_or_default();
                    module.section(&RawSection { id, data });
                }
            }
        }
    }
    Ok(module.finish())
}

fn add_exports(exports: &mut ExportSection, found: &Found<'_>) {
    exports.export(PREPARED, ExportKind::Memory, 0);
    if let Some(start) = found.start {
        exports.export(START, ExportKind::Func, start);
    }
    if let Some(reason) = found.cannot_sleep {
        exports.export(&format!("{CANNOT_SLEEP}{}", reason.word()), ExportKind::Memory, 0);
        return;
    }
    for (number, index) in found.mutable_globals.iter().enumerate() {
        exports.export(&format!("{GLOBAL}{number}"), ExportKind::Global, *index);
    }
}

fn kind(kind: ExternalKind) -> ExportKind {
    match kind {
        ExternalKind::Func | ExternalKind::FuncExact => ExportKind::Func,
        ExternalKind::Table => ExportKind::Table,
        ExternalKind::Memory => ExportKind::Memory,
        ExternalKind::Global => ExportKind::Global,
        ExternalKind::Tag => ExportKind::Tag,
    }
}

/// What a prepared module tells of itself.
pub(crate) struct Prepared {
    /// The function to run once, when a room starts.
    pub(crate) start: Option<ModuleExport>,
    /// The mutable globals, or why rooms can't sleep.
    pub(crate) globals: Result<Vec<ModuleExport>, CannotSleep>,
}

/// Reads what [`prepare`] has written, or `None` when `wasm` was not prepared by these rules.
pub(crate) fn read(wasm: &Module) -> Option<Prepared> {
    wasm.get_export_index(PREPARED)?;
    let refusal = wasm.exports().find_map(|export| export.name().strip_prefix(CANNOT_SLEEP));
    let globals = match refusal {
        Some(word) => Err(CannotSleep::from_word(word)?),
        None => Ok(globals(wasm)),
    };
    Some(Prepared { start: wasm.get_export_index(START), globals })
}

fn globals(wasm: &Module) -> Vec<ModuleExport> {
    let count = wasm.exports().filter(|export| export.name().starts_with(GLOBAL)).count();
    (0..count).filter_map(|number| wasm.get_export_index(&format!("{GLOBAL}{number}"))).collect()
}
