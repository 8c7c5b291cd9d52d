//! Makes a module smaller: without debug information, and through `wasm-opt` where there is one.

use crate::terminal;
use anyhow::{Context, bail};
use bytesize::ByteSize;
use std::{
    path::Path,
    process::{Command, Stdio},
};
use wasmparser::{Parser, Payload};

/// The module without its DWARF sections. Names are kept: they make the backtraces of a trap.
pub(crate) fn without_debug_sections(module: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut kept = Vec::with_capacity(module.len());
    let mut copied = 0;
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.context("the module is not valid WebAssembly")?;
        let end = match &payload {
            Payload::Version { range, .. } => range.end,
            other => match other.as_section() {
                Some((_, range)) => range.end,
                None => continue,
            },
        };
        let is_debug = matches!(&payload, Payload::CustomSection(section) if section.name().starts_with(".debug_"));
        // Sections lie side by side: what lies between two ends is a section with its header.
        if !is_debug && let Some(section) = module.get(copied..end) {
            kept.extend_from_slice(section);
        }
        copied = end;
    }
    Ok(kept)
}

/// Optimises the module at `path` in its place, if `wasm-opt` is found. One that fails leaves the
/// module as it was.
pub(crate) fn optimize(path: &Path, level: &str) -> anyhow::Result<()> {
    let before = size(path)?;
    let optimized = path.with_extension("wasm-opt");
    let result = run_wasm_opt(path, &optimized, level);
    match result {
        Ok(Tool::Ran) => {
            std::fs::rename(&optimized, path)
                .with_context(|| format!("could not write {}", path.display()))?;
            terminal::say("Optimized", format!("{}: {before} -> {}", path.display(), size(path)?));
        }
        Ok(Tool::Missing) => {
            terminal::say(
                "Skipped",
                "wasm-opt, which is not installed; it makes modules smaller (package `binaryen`)",
            );
        }
        Err(error) => {
            let _ = std::fs::remove_file(&optimized);
            terminal::complain(
                "Warning",
                format!("{} is not optimised: {error:#}", path.display()),
            );
        }
    }
    Ok(())
}

enum Tool {
    Ran,
    Missing,
}

fn run_wasm_opt(from: &Path, to: &Path, level: &str) -> anyhow::Result<Tool> {
    // -g keeps the names. Which features are used, the module says in a section of its own.
    let output = Command::new("wasm-opt")
        .args([level, "-g"])
        .arg(from)
        .arg("-o")
        .arg(to)
        .stdin(Stdio::null())
        .output();
    match output {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Tool::Missing),
        Err(error) => Err(error).context("wasm-opt could not be run"),
        Ok(output) if output.status.success() => Ok(Tool::Ran),
        Ok(output) => bail!("wasm-opt: {}", String::from_utf8_lossy(&output.stderr).trim()),
    }
}

fn size(path: &Path) -> anyhow::Result<ByteSize> {
    let metadata = path.metadata().with_context(|| format!("could not read {}", path.display()))?;
    Ok(ByteSize(metadata.len()))
}
