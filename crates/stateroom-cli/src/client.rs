//! Builds a client for browsers: cargo makes the module, wasm-bindgen its JavaScript side.

use crate::{cargo_build::cargo_build, project::Project, toolchain::Target};
use anyhow::{Context, anyhow};
use std::path::{Path, PathBuf};
use wasm_bindgen_cli_support::Bindgen;

/// Builds the client that the project has, if it has one, and tells in which folder it is: the
/// one that is served at `/client`.
pub(crate) fn build_client(project: &Project, profile: &str) -> anyhow::Result<Option<PathBuf>> {
    let Some(client) = &project.config.client else { return Ok(None) };
    let module = cargo_build(project, Some(&client.package), Target::Client, profile)?;
    let folder = project
        .metadata()?
        .target_directory
        .join("stateroom-client")
        .join(&client.package)
        .into_std_path_buf();
    generate(&module, &folder)
        .with_context(|| format!("the client `{}` has no JavaScript side", client.package))?;
    Ok(Some(folder))
}

/// Writes what a page loads into `folder`: for `my_client.wasm`, `my_client.js` and its parts.
fn generate(module: &Path, folder: &Path) -> anyhow::Result<()> {
    Bindgen::new()
        .input_path(module)
        .web(true)?
        .emit_start(false)
        .typescript(true)
        .generate(folder)
        .map_err(tell_the_fix)
}

/// A client must be built with the version of wasm-bindgen that this command has built in.
fn tell_the_fix(error: anyhow::Error) -> anyhow::Error {
    let text = format!("{error:#}");
    let Some((_, theirs)) = text.split_once("rust Wasm file schema version: ") else {
        return error;
    };
    let theirs = theirs.lines().next().unwrap_or_default().trim().to_owned();
    let ours = wasm_bindgen_shared::version();
    anyhow!(
        "it is built with wasm-bindgen {theirs}, and this `stateroom` understands {ours}; run\n\n    \
         cargo update -p wasm-bindgen --precise {ours}\n\n\
         and, if a Cargo.toml pins another version, set it to wasm-bindgen = \"={ours}\" there first"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module as wasm-bindgen 0.2.84 leaves it: it starts its section with its version.
    fn module_of_another_wasm_bindgen() -> Vec<u8> {
        let version = br#"{"schema_version":"0.2.84","version":"0.2.84 (ceaec0e42)"}"#;
        let name = b"__wasm_bindgen_unstable";
        let mut section = vec![u8::try_from(name.len()).unwrap()];
        section.extend_from_slice(name);
        section.extend_from_slice(&u32::try_from(version.len()).unwrap().to_le_bytes());
        section.extend_from_slice(version);
        let mut module = b"\0asm\x01\0\0\0\0".to_vec();
        module.push(u8::try_from(section.len()).unwrap());
        module.extend(section);
        module
    }

    #[test]
    fn a_client_of_another_wasm_bindgen_is_told_the_command_that_fixes_it() {
        let folder = tempfile::tempdir().unwrap();
        let module = folder.path().join("client.wasm");
        std::fs::write(&module, module_of_another_wasm_bindgen()).unwrap();
        let error = format!("{:#}", generate(&module, folder.path()).unwrap_err());
        let fix =
            format!("cargo update -p wasm-bindgen --precise {}", wasm_bindgen_shared::version());
        assert!(error.contains("0.2.84"), "{error}");
        assert!(error.contains(&fix), "{error}");
    }
}
