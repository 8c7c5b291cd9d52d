//! What `cargo demo` runs: it says how long the first build takes, before that begins, and then has cargo
//! make the `stateroom` command and develop an example with it.

use std::{
    env,
    path::Path,
    process::{Command, ExitCode},
    thread::available_parallelism,
};

/// How long cargo computes to make the command, in minutes of one core.
const CPU_MINUTES: usize = 11;

fn main() -> ExitCode {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let example = env::args().nth(1).unwrap_or_else(|| "whiteboard".to_owned());
    let built = env::current_exe().ok().and_then(|program| {
        Some(
            program
                .parent()?
                .parent()?
                .join("demo/stateroom")
                .with_extension(env::consts::EXE_EXTENSION),
        )
    });
    if !built.is_some_and(|command| command.exists()) {
        let cores = available_parallelism().map_or(1, usize::from);
        let minutes = CPU_MINUTES.div_ceil(cores.min(CPU_MINUTES));
        eprintln!(
            "The stateroom command is built from its source first, this once: that takes some {minutes} \
             minutes with {cores} cores."
        );
    }
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(&workspace)
        .args(["run", "--profile", "demo", "--package", "stateroom-cli", "--", "dev"])
        .arg(Path::new("examples").join(example));
    run(cargo)
}

/// Becomes that command, so that Ctrl-C is for it alone.
#[cfg(unix)]
fn run(mut command: Command) -> ExitCode {
    use std::os::unix::process::CommandExt as _;
    let error = command.exec();
    eprintln!("error: cargo could not be run: {error}");
    ExitCode::FAILURE
}

#[cfg(not(unix))]
fn run(mut command: Command) -> ExitCode {
    match command.status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: cargo could not be run: {error}");
            ExitCode::FAILURE
        }
    }
}
