//! A server under measurement: what it is, how it is started on a core of its own, and what it uses.

use anyhow::{Context as _, bail, ensure};
use std::{
    env,
    fs::{self, File},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// The core that servers run on; the load generator has `LOAD_CORE`.
pub const SERVER_CORE: &str = "0";
/// The core that this program runs on, once it measures.
const LOAD_CORE: &str = "1";
/// In which unit `/proc` tells CPU time: Linux has told all programs the same for decades.
const TICKS_PER_SECOND: f64 = 100.0;
/// How long a server may take to listen.
const START: Duration = Duration::from_secs(30);

/// What a process, with its children, had used at some moment.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// When that was.
    pub at: Instant,
    /// CPU time so far in seconds, to 10 ms.
    cpu: f64,
    /// CPU time of the threads that there are, to the nanosecond.
    cpu_of_threads: f64,
    /// Memory that is resident, in bytes.
    pub resident: f64,
}

impl Usage {
    /// CPU time used since `earlier`, in seconds.
    pub fn cpu_since(self, earlier: Usage) -> f64 {
        let coarse = self.cpu - earlier.cpu;
        let fine = self.cpu_of_threads - earlier.cpu_of_threads;
        // Where a thread has ended, its time is missing in the finer figure.
        if (fine - coarse).abs() <= 2.0 / TICKS_PER_SECOND { fine } else { coarse }
    }
}

/// A server that runs; it ends when this is dropped.
#[derive(Debug)]
pub struct Running {
    command: Command,
    child: Child,
    log: PathBuf,
    /// Where it listens.
    pub address: SocketAddr,
    /// The folder that it keeps its files in.
    pub folder: PathBuf,
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

/// Binds this process to the core of the load generator. The threads that come later inherit it.
///
/// # Errors
/// Where there is no `taskset`, or no such core.
pub fn pin_this_process() -> anyhow::Result<()> {
    let process = std::process::id().to_string();
    let status = Command::new("taskset")
        .args(["-cp", LOAD_CORE, &process])
        .stdout(Stdio::null())
        .status()
        .context("taskset is needed (Debian: util-linux)")?;
    ensure!(status.success(), "taskset could not pin this program to core {LOAD_CORE}");
    Ok(())
}

/// A port that is free.
///
/// # Errors
/// When there is none.
pub fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

impl Running {
    /// Starts `command`, on `core` alone where one is named, and waits until it listens on `port`. What
    /// it prints goes to the file `log`.
    ///
    /// # Errors
    /// When it cannot be started, or does not come to listen.
    pub fn start(
        command: &Command,
        core: Option<&str>,
        port: u16,
        log: &Path,
    ) -> anyhow::Result<Self> {
        let mut pinned = Command::new(core.map_or(command.get_program(), |_| "taskset".as_ref()));
        if let Some(core) = core {
            pinned.args(["-c", core]).arg(command.get_program());
        }
        pinned.args(command.get_args());
        // It makes our server note a backtrace for whatever goes wrong in a room.
        pinned.env_remove("RUST_BACKTRACE");
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                pinned.env(name, value);
            }
        }
        let folder = command.get_current_dir().unwrap_or(Path::new(".")).to_owned();
        pinned.current_dir(&folder);
        let output = File::create(log)?;
        pinned.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child = pinned.spawn().context("taskset is needed (Debian: util-linux)")?;
        let address = ([127, 0, 0, 1], port).into();
        let mut server = Running { command: pinned, child, log: log.to_owned(), address, folder };
        server.wait_until_it_listens()?;
        Ok(server)
    }

    /// Ends it as `kill -9` does.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again on the files that it has left behind.
    ///
    /// # Errors
    /// When it does not come to listen again.
    pub fn start_again(&mut self) -> anyhow::Result<()> {
        self.kill();
        self.child = self.command.spawn()?;
        self.wait_until_it_listens()
    }

    fn wait_until_it_listens(&mut self) -> anyhow::Result<()> {
        let start = Instant::now();
        while start.elapsed() < START {
            if let Some(status) = self.child.try_wait()? {
                let said = fs::read_to_string(&self.log).unwrap_or_default();
                bail!("it ended with {status}: {}", said.trim());
            }
            if TcpStream::connect(self.address).is_ok() {
                return Ok(());
            }
            sleep(Duration::from_millis(1));
        }
        bail!("it does not listen after {} s", START.as_secs())
    }

    /// How many bytes it has had written to disks so far, in whole pages, as the kernel counts it.
    ///
    /// # Errors
    /// When it has ended.
    pub fn written_bytes(&self) -> anyhow::Result<f64> {
        let counts = fs::read_to_string(format!("/proc/{}/io", self.child.id()))?;
        let count = counts.lines().find_map(|line| line.strip_prefix("write_bytes: "));
        Ok(count.context("no write_bytes in /proc/PID/io")?.trim().parse()?)
    }

    /// What it has used so far, with its children.
    ///
    /// # Errors
    /// When it has ended.
    pub fn usage(&self) -> anyhow::Result<Usage> {
        let mut usage = Usage { at: Instant::now(), cpu: 0.0, cpu_of_threads: 0.0, resident: 0.0 };
        let mut waiting = vec![self.child.id()];
        while let Some(process) = waiting.pop() {
            let folder = PathBuf::from(format!("/proc/{process}"));
            // A child may end while this looks; the server itself may not.
            let Ok(stat) = fs::read_to_string(folder.join("stat")) else {
                ensure!(process != self.child.id(), "the server has ended");
                continue;
            };
            usage.cpu += cpu_seconds(&stat).context("/proc/PID/stat makes no sense")?;
            usage.resident += resident_bytes(&folder).unwrap_or(0.0);
            for thread in fs::read_dir(folder.join("task")).into_iter().flatten().flatten() {
                let read = |name| fs::read_to_string(thread.path().join(name)).unwrap_or_default();
                usage.cpu_of_threads += thread_seconds(&read("schedstat"));
                let children = read("children");
                waiting.extend(children.split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
            }
        }
        Ok(usage)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The CPU time that a process and its ended children have used, from `/proc/PID/stat`.
fn cpu_seconds(stat: &str) -> Option<f64> {
    // The second field is the program's name, which may contain anything.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11..15)?.iter().map(|field| field.parse::<f64>().ok());
    Some(ticks.sum::<Option<f64>>()? / TICKS_PER_SECOND)
}

/// The CPU time that a thread has used, from `/proc/PID/task/TID/schedstat`.
fn thread_seconds(schedstat: &str) -> f64 {
    let nanos = schedstat.split_whitespace().next().and_then(|field| field.parse::<f64>().ok());
    nanos.unwrap_or_default() / 1e9
}

fn resident_bytes(folder: &Path) -> Option<f64> {
    let status = fs::read_to_string(folder.join("status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_whitespace().next()?.parse::<f64>().ok()? * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_found_behind_any_name() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 1 2 3 4 150 50 30 20 20 0 1 0 100 5 6";
        assert_eq!(cpu_seconds(stat), Some(2.5));
        assert_eq!(cpu_seconds("nonsense"), None);
        assert_eq!(thread_seconds("1500000000 7 9"), 1.5);
    }

    #[test]
    fn cpu_time_is_the_finer_figure_unless_a_thread_has_ended() {
        let usage =
            |cpu, cpu_of_threads| Usage { at: Instant::now(), cpu, cpu_of_threads, resident: 0.0 };
        assert_eq!(usage(1.0, 1.0078125).cpu_since(usage(0.5, 0.5)), 0.5078125);
        assert_eq!(usage(1.0, 0.25).cpu_since(usage(0.5, 0.5)), 0.5);
    }
}
