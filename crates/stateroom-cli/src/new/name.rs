//! What a project may be called.

use anyhow::anyhow;
use std::{
    io,
    path::{Path, PathBuf},
};

/// The name of a project in `folder`: that of the folder itself, also where it is given as `.`.
pub(super) fn of_folder(folder: &Path) -> io::Result<String> {
    let whole = match folder.canonicalize() {
        Ok(whole) => whole,
        Err(_) => std::path::absolute(folder)?,
    };
    let name = whole.file_name().map(PathBuf::from).unwrap_or_default();
    Ok(name.to_string_lossy().into_owned())
}

/// Cargo's rules for the name of a package, and what this project needs besides.
pub(super) fn check(name: &str) -> anyhow::Result<()> {
    const TAKEN: [&str; 9] = [
        "stateroom",
        "stateroom-wasm",
        "stateroom-wasm-macro",
        "serde",
        "serde_json",
        "std",
        "core",
        "alloc",
        "test",
    ];
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let goes_on_well = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if !starts_well || !goes_on_well {
        return Err(anyhow!(
            "`{name}` cannot be the name of a project: use ASCII letters, digits, - and _, starting with a letter; a folder of another name takes one with --name my-room"
        ));
    }
    if TAKEN.iter().any(|taken| taken.replace('-', "_") == name.replace('-', "_")) {
        return Err(anyhow!(
            "`{name}` is the name of a crate that the project uses; choose another"
        ));
    }
    if KEYWORDS.contains(&name) {
        return Err(anyhow!(
            "`{name}` is a keyword of Rust; choose another name, such as my-{name}"
        ));
    }
    Ok(())
}

/// The keywords of Rust in all its editions, those reserved for later included.
const KEYWORDS: [&str; 52] = [
    "Self", "abstract", "as", "async", "await", "become", "box", "break", "const", "continue",
    "crate", "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if",
    "impl", "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub",
    "ref", "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];
