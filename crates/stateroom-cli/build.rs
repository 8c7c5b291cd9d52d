//! Puts the crates that a service depends on into the command, for `stateroom new` to write into
//! projects. They lie beside this one in a checkout; where they do not, it was published and so were they.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

/// What a service depends on, itself or through another of them.
const CRATES: [&str; 3] = ["stateroom", "stateroom-wasm", "stateroom-wasm-macro"];

fn main() -> io::Result<()> {
    let command = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let checkout = command.join("../..");
    println!("cargo::rerun-if-changed=build.rs");

    let mut files = Vec::new();
    if CRATES.iter().all(|name| checkout.join("crates").join(name).join("Cargo.toml").is_file()) {
        for name in CRATES {
            let folder = checkout.join("crates").join(name);
            for part in ["Cargo.toml", "README.md", "src"] {
                println!("cargo::rerun-if-changed={}", folder.join(part).display());
                find(&folder.join(part), &format!("{name}/{part}"), &mut files)?;
            }
        }
        for file in ["Cargo.toml", "LICENSE-MIT", "LICENSE-APACHE"] {
            files.push((file.to_owned(), checkout.join(file)));
        }
    }
    files.sort();

    let mut code = String::from("&[\n");
    for (name, file) in files {
        code.push_str(&format!("    ({name:?}, include_str!({:?})),\n", file.canonicalize()?));
    }
    code.push(']');
    fs::write(out.join("service_crates.rs"), code)
}

/// The files at `path` and below it, each with the name that it has in the project.
fn find(path: &Path, name: &str, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    if !path.is_dir() {
        files.push((name.to_owned(), path.to_owned()));
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        find(&entry.path(), &format!("{name}/{}", entry.file_name().to_string_lossy()), files)?;
    }
    Ok(())
}
