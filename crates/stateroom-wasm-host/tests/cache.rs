//! The cache of compiled modules: it saves compiling, and is never what goes wrong.

#![cfg(unix)]

use sha2::{Digest, Sha256};
use stateroom_wasm_host::{HostConfig, WasmEngine};
use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

const MODULE: &str = r#"(module
    (memory (export "memory") 1)
    (data (i32.const 8) "\01")
    (global (export "JAMSOCKET_API_VERSION") i32 (i32.const 8))
    (global (export "JAMSOCKET_API_PROTOCOL") i32 (i32.const 12))
    (func (export "jam_malloc") (param i32) (result i32) (i32.const 16))
    (func (export "jam_free") (param i32 i32))
    (func (export "initialize") (param i32 i32))
    (func (export "connect") (param i32)) (func (export "disconnect") (param i32))
    (func (export "message") (param i32 i32 i32)) (func (export "timer"))
    (func (export "binary") (param i32 i32 i32)))"#;

#[track_caller]
fn load(cache_dir: &Path) {
    let cache_dir = Some(cache_dir.to_owned());
    let config = HostConfig { max_rooms: Some(1), cache_dir, ..HostConfig::default() };
    let factory = WasmEngine::new(config).unwrap().load_bytes("test", MODULE.as_bytes()).unwrap();
    factory.can_sleep().unwrap();
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_module_is_compiled_once() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("made/by itself");
    load(&cache);
    let [entry] = &entries(&cache)[..] else { panic!("{:?}", entries(&cache)) };
    let file = fs::metadata(entry).unwrap();
    assert_eq!(file.mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(&cache).unwrap().mode() & 0o777, 0o700);

    load(&cache);
    assert_eq!(entries(&cache), std::slice::from_ref(entry));
    assert_eq!(fs::metadata(entry).unwrap().ino(), file.ino(), "it was written again");
}

#[test]
fn what_is_damaged_or_foreign_is_written_again() {
    let folder = tempfile::tempdir().unwrap();
    load(folder.path());
    let entry = entries(folder.path()).remove(0);
    let whole = fs::read(&entry).unwrap();

    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    let nonsense = b"no machine code".as_slice();
    let foreign = [Sha256::digest(nonsense).as_slice(), nonsense].concat();
    for bytes in [damaged, whole[..100].to_vec(), Vec::new(), foreign] {
        fs::write(&entry, bytes).unwrap();
        load(folder.path());
        assert!(fs::read(&entry).unwrap() == whole, "it was not written again");
    }
}

#[test]
fn a_folder_that_others_can_write_to_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    load(&cache);
    let entry = entries(&cache).remove(0);
    fs::write(&entry, b"as somebody else might").unwrap();

    for (open, mode) in [(&cache, 0o770), (&cache, 0o707), (&folder.path().to_owned(), 0o777)] {
        let was = fs::metadata(open).unwrap().permissions();
        fs::set_permissions(open, Permissions::from_mode(mode)).unwrap();
        load(&cache);
        assert_eq!(fs::read(&entry).unwrap(), b"as somebody else might", "{open:?} {mode:o}");
        fs::set_permissions(open, was).unwrap();
    }
    load(&cache);
    assert_ne!(fs::read(&entry).unwrap(), b"as somebody else might");
}

#[test]
fn a_folder_that_cannot_be_made_is_done_without() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a file");
    fs::write(&file, "").unwrap();
    load(&file.join("cache"));
}
