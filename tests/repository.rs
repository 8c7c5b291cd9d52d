//! Where the files of the repository are.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The repository's folder.
#[must_use]
pub fn root() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests)
}

/// All Rust source files below the repository's `folders`, without what was built or installed.
///
/// # Errors
/// When a folder cannot be read.
pub fn rust_files(folders: &[&str]) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut waiting: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let skipped = ["target", "node_modules"].iter().any(|name| path.ends_with(name));
            if path.is_dir() && !skipped {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}
