//! A module is compiled once, and its machine code kept where the user keeps such things.

use crate::{
    process::{Client, Running, stateroom},
    project::{Module, REMEMBERING_ROOM},
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Serves a module, talks with a room of it, and ends; returns the entries of the cache.
fn serve(module: &Module, caches: &Path) -> Vec<PathBuf> {
    let mut command = stateroom(["serve", "--host", "127.0.0.1", "--port", "0"]);
    let mut server = Running::start(command.arg(&module.path).env("XDG_CACHE_HOME", caches));
    let mut client = Client::connect(&server.address());
    client.says("hello");
    assert_eq!(client.hears(), "");
    client.says("again");
    assert_eq!(client.hears(), "hello");
    drop(client);
    assert_eq!(server.terminate(), Some(0));
    let entries = fs::read_dir(caches.join("stateroom/modules")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn the_second_start_finds_what_the_first_has_compiled() {
    let module = Module::new(REMEMBERING_ROOM);
    let caches = tempfile::tempdir().unwrap();
    let entries = serve(&module, caches.path());
    let [entry] = &entries[..] else { panic!("{entries:?}") };
    let modified = || fs::metadata(entry).unwrap().modified().unwrap();
    let (code, written) = (fs::read(entry).unwrap(), modified());

    assert_eq!(serve(&module, caches.path()), entries);
    assert_eq!(modified(), written, "it was written again");

    let mut damaged = code.clone();
    damaged[code.len() / 2] ^= 1;
    for bytes in [damaged, code[..code.len() / 2].to_vec(), Vec::new()] {
        fs::write(entry, bytes).unwrap();
        assert_eq!(serve(&module, caches.path()), entries);
        assert!(fs::read(entry).unwrap() == code, "it was not written again");
    }

    // Another module is another entry.
    let other = Module::new(&REMEMBERING_ROOM.replace("700", "800"));
    assert_eq!(serve(&other, caches.path()).len(), 2);
}
