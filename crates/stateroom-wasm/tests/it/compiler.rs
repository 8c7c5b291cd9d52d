//! Compiles one file as a crate of its own that depends on `stateroom-wasm`.
//!
//! The compiler is called directly, not through Cargo: that takes a tenth of a second a file, so
//! each is tried in every edition, and for every target.

use serde_json::Value;
use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

pub(crate) const EDITIONS: [&str; 3] = ["2018", "2021", "2024"];

/// Where a service is compiled for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Target {
    /// This machine, where services are tested.
    Native,
    /// A module, which alone has exports.
    Module,
}

pub(crate) const TARGETS: [Target; 2] = [Target::Native, Target::Module];

const MODULE: &str = "wasm32-wasip1";

/// The crates that a service depends on, built for one target.
struct Libraries {
    stateroom: PathBuf,
    stateroom_wasm: PathBuf,
    serde: PathBuf,
    folders: Vec<PathBuf>,
}

impl Target {
    fn libraries(self) -> &'static Libraries {
        static NATIVE: OnceLock<Libraries> = OnceLock::new();
        static WASM: OnceLock<Libraries> = OnceLock::new();
        match self {
            Target::Native => NATIVE.get_or_init(|| Libraries::build(&[])),
            Target::Module => WASM.get_or_init(|| Libraries::build(&["--target", MODULE])),
        }
    }
}

impl Libraries {
    /// Builds them where the workspace builds, so most often they are there already. The chat brings
    /// the `serde` of a service that derives its traits.
    fn build(options: &[&str]) -> Libraries {
        let output = Command::new(env!("CARGO"))
            .args(["build", "--message-format=json", "--package=stateroom-wasm", "--package=chat"])
            .args(options)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "`stateroom-wasm` does not compile {options:?}; `rustup toolchain install` in the \
             project's folder brings the targets that `rust-toolchain.toml` names"
        );
        let messages: Vec<Value> = serde_json::Deserializer::from_slice(&output.stdout)
            .into_iter()
            .collect::<Result<_, _>>()
            .unwrap();
        let file = |name: &str| {
            let message = messages.iter().find(|message| message["target"]["name"] == name);
            let file = &message.unwrap_or_else(|| panic!("no {name}"))["filenames"][0];
            PathBuf::from(file.as_str().unwrap())
        };
        let stateroom = file("stateroom");
        let stateroom_wasm = file("stateroom_wasm");
        let serde = file("serde");
        let macros = file("stateroom_wasm_macro").parent().unwrap().to_owned();
        let folders = vec![stateroom_wasm.parent().unwrap().join("deps"), macros];
        Libraries { stateroom, stateroom_wasm, serde, folders }
    }
}

/// What to compile, and how.
pub(crate) struct Fixture<'a> {
    pub(crate) file: &'a Path,
    pub(crate) target: Target,
    pub(crate) edition: &'a str,
    /// `rustc`, or `clippy-driver`, which takes the same options and knows more lints.
    pub(crate) compiler: &'a str,
}

impl Fixture<'_> {
    /// Type-checks the file, with what `options` adds.
    pub(crate) fn check<S: AsRef<OsStr>>(&self, options: impl IntoIterator<Item = S>) -> Output {
        let folder = scratch().join(format!("{:?}-{}", self.target, self.edition));
        std::fs::create_dir_all(&folder).unwrap();
        let libraries = self.target.libraries();
        let mut command = Command::new(self.compiler);
        command
            .arg(self.file)
            .args(["--edition", self.edition, "--emit=metadata", "--out-dir"])
            .arg(folder)
            .arg(with_path("--extern=stateroom_wasm=", &libraries.stateroom_wasm))
            .arg(with_path("--extern=stateroom=", &libraries.stateroom))
            .arg(with_path("--extern=serde=", &libraries.serde))
            .args(libraries.folders.iter().map(|folder| with_path("-Ldependency=", folder)))
            .args(options)
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        if self.target == Target::Module {
            command.args(["--target", MODULE]);
        }
        command.output().unwrap_or_else(|error| panic!("{}: {error}", self.compiler))
    }

    /// Fails the test when the file does not compile.
    pub(crate) fn passes<S: AsRef<OsStr>>(&self, options: impl IntoIterator<Item = S>) {
        let output = self.check(options);
        assert!(
            output.status.success(),
            "{} is refused for {:?}, edition {}:\n{}",
            self.file.display(),
            self.target,
            self.edition,
            stderr(&output)
        );
    }
}

/// A folder for what the compiler writes.
pub(crate) fn scratch() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("stateroom-wasm-it")
}

fn with_path(option: &str, path: &Path) -> std::ffi::OsString {
    let mut option = std::ffi::OsString::from(option);
    option.push(path);
    option
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The Rust files of a folder under `tests/ui`, in order.
pub(crate) fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui").join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}
