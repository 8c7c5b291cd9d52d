//! In a browser the client is the same: there it has to compile, with sockets and timers of the page.

use std::process::Command;

#[test]
fn it_compiles_for_browsers() {
    let cargo = env!("CARGO");
    let arguments = ["check", "--quiet", "--target", "wasm32-unknown-unknown"];
    let mut command = Command::new(cargo);
    command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
