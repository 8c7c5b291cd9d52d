//! Projects in temporary folders, outside of the repository.

use crate::process::{ends_with, stateroom};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A project that `stateroom new` made. The folder is removed when this is dropped.
pub(crate) struct Project {
    /// The project's folder.
    pub(crate) path: PathBuf,
    _parent: TempDir,
}

impl Project {
    /// Each project needs a name of its own, because they are built in one target folder.
    pub(crate) fn new(name: &str, template: &str) -> Project {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join(name);
        let mut command = stateroom(["new", "--template", template, name]);
        ends_with(0, command.current_dir(&parent));
        // The versions that the repository is tested with.
        let lock = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock");
        if Path::new(lock).exists() {
            std::fs::copy(lock, path.join("Cargo.lock")).unwrap();
        }
        Project { path, _parent: parent }
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        let file = self.path.join(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }

    pub(crate) fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.path.join(file)).unwrap()
    }
}

/// A room that says `greeting` to whoever comes, and answers each message with it in front.
pub(crate) fn greeter(greeting: &str) -> String {
    format!(
        r#"
use stateroom_wasm::prelude::*;

#[stateroom_wasm]
struct Greeter;

impl SimpleStateroomService for Greeter {{
    fn new(_: &str, _: &impl StateroomContext) -> Self {{
        Greeter
    }}
    fn connect(&mut self, client: ClientId, context: &impl StateroomContext) {{
        context.send_message(client, "{greeting}");
    }}
    fn message(&mut self, client: ClientId, message: &str, context: &impl StateroomContext) {{
        context.send_message(client, &format!("{greeting} {{message}}"));
    }}
}}
"#
    )
}

/// The smallest module that a server takes: a room that says nothing.
pub(crate) const SILENT_ROOM: &str = r#"(module
    (memory (export "memory") 1)
    (data (i32.const 8) "\01")
    (global (export "JAMSOCKET_API_VERSION") i32 (i32.const 8))
    (global (export "JAMSOCKET_API_PROTOCOL") i32 (i32.const 12))
    (func (export "jam_malloc") (param i32) (result i32) (i32.const 16))
    (func (export "jam_free") (param i32 i32))
    (func (export "initialize") (param i32 i32))
    (func (export "connect") (param i32))
    (func (export "disconnect") (param i32))
    (func (export "message") (param i32 i32 i32))
    (func (export "binary") (param i32 i32 i32))
    (func (export "timer")))"#;

/// A room that answers each message with the one before it, from whomever that was. After one that
/// begins with `t` it waits for 700 ms, and then sends everyone what it was told last.
pub(crate) const REMEMBERING_ROOM: &str = r#"(module
    (import "env" "send_message" (func $send (param i32 i32 i32)))
    (import "env" "send_binary" (func (param i32 i32 i32)))
    (import "env" "set_timer" (func $set_timer (param i32)))
    (memory (export "memory") 1)
    (data (i32.const 8) "\01")
    (global (export "JAMSOCKET_API_VERSION") i32 (i32.const 8))
    (global (export "JAMSOCKET_API_PROTOCOL") i32 (i32.const 12))
    (global $length (mut i32) (i32.const 0))
    (func (export "jam_malloc") (param i32) (result i32) (i32.const 1024))
    (func (export "jam_free") (param i32 i32))
    (func (export "initialize") (param i32 i32))
    (func (export "connect") (param i32))
    (func (export "disconnect") (param i32))
    (func (export "message") (param $client i32) (param $text i32) (param $bytes i32)
        (call $send (local.get $client) (i32.const 4096) (global.get $length))
        (memory.copy (i32.const 4096) (local.get $text) (local.get $bytes))
        (global.set $length (local.get $bytes))
        (if (i32.eq (i32.load8_u (local.get $text)) (i32.const 116))
            (then (call $set_timer (i32.const 700)))))
    (func (export "binary") (param i32 i32 i32))
    (func (export "timer") (call $send (i32.const 0) (i32.const 4096) (global.get $length))))"#;

/// A room that sends everyone what it is told, and fails at what begins with `x`. It says `!` when somebody leaves.
pub(crate) const BROADCASTING_ROOM: &str = r#"(module
    (import "env" "send_message" (func $send (param i32 i32 i32)))
    (import "env" "send_binary" (func $send_binary (param i32 i32 i32)))
    (import "env" "set_timer" (func (param i32)))
    (memory (export "memory") 40)
    (data (i32.const 8) "\01")
    (data (i32.const 16) "!")
    (global (export "JAMSOCKET_API_VERSION") i32 (i32.const 8))
    (global (export "JAMSOCKET_API_PROTOCOL") i32 (i32.const 12))
    (func (export "jam_malloc") (param i32) (result i32) (i32.const 1024))
    (func (export "jam_free") (param i32 i32))
    (func (export "initialize") (param i32 i32))
    (func (export "connect") (param i32))
    (func (export "disconnect") (param i32)
        (call $send (i32.const 0) (i32.const 16) (i32.const 1)))
    (func (export "message") (param $client i32) (param $text i32) (param $bytes i32)
        (if (i32.eq (i32.load8_u (local.get $text)) (i32.const 120)) (then (unreachable)))
        (call $send (i32.const 0) (local.get $text) (local.get $bytes)))
    (func (export "binary") (param $client i32) (param $text i32) (param $bytes i32)
        (call $send_binary (i32.const 0) (local.get $text) (local.get $bytes)))
    (func (export "timer")))"#;

/// A folder with a module in it.
pub(crate) struct Module {
    /// The module's file.
    pub(crate) path: PathBuf,
    _folder: TempDir,
}

impl Module {
    pub(crate) fn new(text: &str) -> Module {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("room.wat");
        std::fs::write(&path, text).unwrap();
        Module { path, _folder: folder }
    }
}
