//! Finds whatever is wrong with the memory and the table of a module when it is loaded, rather than when a
//! user connects.

use crate::{bounds::MOST, error::LoadError};
use stateroom::MemoryLimits;
use wasmtime::wasmparser::{Encoding, MemoryType, Parser, Payload, TypeRef};

/// Looks at the memories and tables of the `binary`, which must be one that a room with these limits
/// can have.
pub(crate) fn check_binary(
    module: &str,
    binary: &[u8],
    limits: MemoryLimits,
) -> Result<(), LoadError> {
    let problem = |problem: String| LoadError::Memory { module: module.into(), problem };
    let not_wasm = |reason: String| LoadError::NotWasm { module: module.into(), reason };
    let mut memories = 0;
    let mut tables = 0;
    for payload in Parser::new(0).parse_all(binary) {
        match payload.map_err(|error| not_wasm(error.to_string()))? {
            Payload::Version { encoding: Encoding::Component, .. } => {
                return Err(not_wasm("it is a component, not a core module".into()));
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports().flatten() {
                    if let TypeRef::Memory(_) = import.ty {
                        return Err(problem(format!(
                            "it imports its memory, `{}.{}`, where a room has its own: build it \
                             without the linker's option --import-memory",
                            import.module, import.name
                        )));
                    }
                }
            }
            Payload::MemorySection(section) => {
                for memory in section.into_iter().flatten() {
                    memories += 1;
                    check_memory(&memory, limits).map_err(problem)?;
                }
            }
            Payload::TableSection(section) => {
                for table in section.into_iter().flatten() {
                    tables += 1;
                    check_table(table.ty.initial, limits).map_err(problem)?;
                }
            }
            _ => {}
        }
    }
    if memories > 1 {
        return Err(problem(format!(
            "it has {memories} memories, and a room has one: build it without multi-memory"
        )));
    }
    if tables > 1 {
        return Err(problem(format!(
            "it has {tables} tables, and a room has one: build it without further tables"
        )));
    }
    Ok(())
}

fn check_table(elements: u64, limits: MemoryLimits) -> Result<(), String> {
    let most = limits.table_elements;
    if elements > MOST.table_elements {
        return Err(format!(
            "its table starts with {elements} elements, of which no room can have more than {}: \
             build it in parts, or with fewer functions that are called indirectly",
            MOST.table_elements
        ));
    }
    if elements > most {
        return Err(format!(
            "its table starts with {elements} elements, of which a room may have {most}: raise the \
             limit `table_elements`"
        ));
    }
    Ok(())
}

fn check_memory(memory: &MemoryType, limits: MemoryLimits) -> Result<(), String> {
    if memory.memory64 {
        return Err("its memory has 64-bit addresses: build it for wasm32, not wasm64".into());
    }
    if memory.shared {
        return Err("its memory is shared between threads, which a room does not have: build it \
                    without threads (the feature `atomics`)"
            .into());
    }
    let page = 1_u64 << memory.page_size_log2.unwrap_or(16).min(16);
    let (starts_with, most) = (memory.initial.saturating_mul(page), limits.memory_bytes);
    if starts_with > most {
        return Err(format!(
            "its memory starts with {starts_with} bytes, of which a room may have {most}: make its \
             static data smaller or raise the limit `memory_bytes`"
        ));
    }
    Ok(())
}
