//! What `cargo demo` runs: it says how long the first build takes, before that begins, and then has cargo
//! make the `stateroom` command and develop an example with it.

use std::{
    env, fs,
    path::Path,
    process::{Command, ExitCode},
    thread::available_parallelism,
};

/// How long cargo computes to make the command, in minutes of one core.
const CPU_MINUTES: usize = 11;

fn main() -> ExitCode {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut arguments: Vec<String> = env::args().skip(1).collect();
    let is_named = arguments.first().is_some_and(|first| !first.starts_with('-'));
    let example = if is_named { arguments.remove(0) } else { "whiteboard".to_owned() };
    let known = examples(&workspace.join("examples"));
    if !known.contains(&example) {
        eprintln!("error: there is no example {example}; there are {}", known.join(", "));
        return ExitCode::FAILURE;
    }
    let folder = Path::new("examples").join(&example);
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(&workspace).args(["run", "--profile", "demo", "--package"]);
    if workspace.join(&folder).join("src/main.rs").is_file() {
        if !arguments.is_empty() {
            eprintln!(
                "error: {example} is a program of its own, which takes no arguments; its port is the variable \
                 PORT"
            );
            return ExitCode::FAILURE;
        }
        cargo.arg(example);
    } else {
        tell_how_long(arguments.is_empty());
        cargo.args(["stateroom-cli", "--", "dev"]).arg(folder).args(arguments);
    }
    run(cargo)
}

/// The names of the examples, in order.
fn examples(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    // A client has nothing to show by itself.
    let is_service = |manifest: &str| !manifest.contains("stateroom-client");
    let examples = entries.filter(|entry| {
        fs::read_to_string(entry.path().join("Cargo.toml")).is_ok_and(|text| is_service(&text))
    });
    let mut names: Vec<String> =
        examples.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// Says how long it takes to build the command, unless that is done, and what comes then.
fn tell_how_long(is_usual_port: bool) {
    let built = env::current_exe().ok().and_then(|program| {
        Some(
            program
                .parent()?
                .parent()?
                .join("demo/stateroom")
                .with_extension(env::consts::EXE_EXTENSION),
        )
    });
    if built.is_some_and(|command| command.exists()) {
        return;
    }
    let cores = available_parallelism().map_or(1, usize::from);
    let minutes = CPU_MINUTES.div_ceil(cores.min(CPU_MINUTES));
    let then = match is_usual_port {
        true => "Then open http://localhost:8080",
        false => "Then open the address that it tells",
    };
    eprintln!(
        "The stateroom command is built from its source first, this once: that takes some {minutes} minutes \
         with {cores} cores. {then}."
    );
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
