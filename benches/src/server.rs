//! The server under measurement, as a process of its own.

use anyhow::{Context as _, bail, ensure};
use std::{
    env, fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};
use tokio::{net::TcpStream, process::Child};

/// A `stateroom serve` process; it ends when this is dropped.
pub struct Server {
    process: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Server {
    /// Serves `module` with the `stateroom` command that was built beside this program. Rooms are not
    /// kept.
    ///
    /// # Errors
    /// When the command is not there, or does not come to listen.
    pub async fn start(module: &Path) -> anyhow::Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = tokio::process::Command::new(stateroom_command()?);
        command.arg("serve").arg(module).arg("--ephemeral");
        command.args(["--host", "127.0.0.1", "--log", "off", "--port", &port.to_string()]);
        let process = command.stdout(Stdio::null()).kill_on_drop(true).spawn()?;
        let server = Server { process, address: ([127, 0, 0, 1], port).into() };
        for _ in 0..1000 {
            if TcpStream::connect(server.address).await.is_ok() {
                return Ok(server);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("the server does not listen on {} after 20 s", server.address)
    }

    /// The memory that the process has resident, in bytes.
    ///
    /// # Errors
    /// Where the system has no `/proc`, or the process has ended.
    pub fn resident_bytes(&self) -> anyhow::Result<u64> {
        let pid = self.process.id().context("the server has ended")?;
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|line| line.split_whitespace().next());
        Ok(kibibytes.context("no VmRSS in /proc")?.parse::<u64>()? * 1024)
    }
}

/// The `stateroom` command in the target folder that this program was built in.
///
/// # Errors
/// When it is not there.
pub fn stateroom_command() -> anyhow::Result<PathBuf> {
    let program = env::current_exe()?;
    let folders = program.ancestors().skip(1).take(2);
    let found = folders.map(|folder| folder.join("stateroom")).find(|path| path.is_file());
    found.context("build the command first: cargo build -p stateroom-cli, with the same profile")
}

/// Builds the service that is measured, and returns the path of its module.
///
/// # Errors
/// When it does not compile.
pub fn build_guest() -> anyhow::Result<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no workspace")?;
    let target = workspace.join("target/guests");
    let status = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(workspace)
        .args(["build", "--quiet", "--profile", "dist", "--package", "bench-guest"])
        .args(["--target", "wasm32-wasip1", "--target-dir"])
        .arg(&target)
        .status()?;
    ensure!(status.success(), "the measured service does not compile");
    Ok(target.join("wasm32-wasip1/dist/bench_guest.wasm"))
}
