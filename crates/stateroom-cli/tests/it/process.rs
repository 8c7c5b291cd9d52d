//! Runs the command as a person would, and reads what it says.

use futures_util::{SinkExt, StreamExt};
use std::{
    ffi::OsStr,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};
use tokio_tungstenite::{connect_async, tungstenite::Message};

/// Long enough for cargo on a busy machine, short enough not to hang a test run.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// The command with `arguments`, in a world without settings in the environment.
pub(crate) fn stateroom<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stateroom"));
    command.args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("STATEROOM_") {
            command.env_remove(name);
        }
    }
    // Where rooms are kept is for the tests of that.
    command.env("STATEROOM_EPHEMERAL", "true");
    command.env("CARGO_TARGET_DIR", target_folder());
    command
}

/// Where the projects of these tests are built: one folder, so that each crate is built once.
pub(crate) fn target_folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_TARGET_TMPDIR"), "/projects"))
}

/// Runs to the end and checks the exit code; returns what was said on stderr.
pub(crate) fn ends_with(code: i32, command: &mut Command) -> String {
    let mut running = Running::start(command);
    let deadline = Instant::now() + PATIENCE;
    while let Ok(line) =
        running.lines.recv_timeout(deadline.saturating_duration_since(Instant::now()))
    {
        running.heard.push(line);
    }
    let said = running.heard.join("\n");
    assert!(Instant::now() < deadline, "{command:?} goes on; it said\n{said}");
    let status = running.child.wait().unwrap();
    assert_eq!(status.code(), Some(code), "{command:?} said\n{said}");
    said + "\n"
}

/// A command that goes on, such as a server; it is killed when this is dropped.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    heard: Vec<String>,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Running {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Running { child, lines, heard: Vec::new() }
    }

    /// Waits for a line with `text`, after those that were waited for before.
    pub(crate) fn hears(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("`{text}` was not said, but\n{}", self.heard.join("\n"));
            };
            self.heard.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Waits for the server and tells its address, as in `127.0.0.1:40123`.
    pub(crate) fn address(&mut self) -> String {
        let line = self.hears("http://");
        let (_, address) = line.split_once("http://").unwrap();
        address.split(['/', '"', ' ']).next().unwrap().to_owned()
    }

    /// The address, or `None` if it ended, or did not serve in time.
    pub(crate) fn try_address(&mut self, patience: Duration) -> Option<String> {
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).ok()?;
            self.heard.push(line.clone());
            if let Some((_, address)) = line.split_once("http://") {
                return address.split(['/', '"', ' ']).next().map(str::to_owned);
            }
        }
    }

    /// How it has ended, if it does in time.
    pub(crate) fn ends_within(&mut self, patience: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + patience;
        loop {
            match self.child.try_wait().unwrap() {
                None if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                status => return status,
            }
        }
    }

    /// The process's number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How long the process has computed so far.
    #[cfg(target_os = "linux")]
    pub(crate) fn cpu_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // After the name: the 12th and 13th field, in hundredths of a second.
        let fields = stat.rsplit(')').next().unwrap().split_whitespace().skip(11).take(2);
        Duration::from_millis(10 * fields.map(|field| field.parse::<u64>().unwrap()).sum::<u64>())
    }

    /// Asks it to end, and tells how it did.
    pub(crate) fn terminate(mut self) -> Option<i32> {
        self.signal("-TERM");
        self.child.wait().unwrap().code()
    }

    /// Sends it a signal, such as `-HUP`.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().unwrap().success();
        assert!(sent, "there is no process to send {signal} to");
    }

    /// What it has said so far that was not waited for.
    pub(crate) fn said(&mut self) -> String {
        self.heard.extend(self.lines.try_iter());
        self.heard.join("\n")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The body that a server at `address` answers for `path`.
pub(crate) fn get(address: &str, path: &str) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(socket, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// The status and the body that a server at `address` answers for `path`, if it does.
pub(crate) fn try_get(address: &str, path: &str) -> Option<(u16, String)> {
    let mut socket = TcpStream::connect(address).ok()?;
    socket.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    write!(socket, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.get(9..12)?.parse().ok()?, body.to_owned()))
}

/// What the server at `address` tells of itself.
pub(crate) fn status(address: &str) -> serde_json::Value {
    serde_json::from_str(&get(address, "/status")).unwrap()
}

/// Waits until `/status` shows what is wanted.
pub(crate) fn until_status(address: &str, wanted: impl Fn(&serde_json::Value) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let status = status(address);
        if wanted(&status) {
            return;
        }
        assert!(Instant::now() < deadline, "{status}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// What the command says on stdout; it must succeed.
pub(crate) fn told(command: &mut Command) -> String {
    let output = command.stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} said\n{said}");
    String::from_utf8(output.stdout).unwrap()
}

/// A client in a room.
pub(crate) struct Client {
    runtime: tokio::runtime::Runtime,
    socket: tokio_tungstenite::WebSocketStream<
        tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>,
    >,
}

impl Client {
    /// In the room `test`.
    pub(crate) fn connect(address: &str) -> Client {
        Client::join(address, "test")
    }

    /// `room` may end with a token, as in `lobby?token=secret`.
    pub(crate) fn join(address: &str, room: &str) -> Client {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (socket, _) =
            runtime.block_on(connect_async(format!("ws://{address}/ws/{room}"))).unwrap();
        Client { runtime, socket }
    }

    pub(crate) fn says(&mut self, text: &str) {
        self.runtime.block_on(self.socket.send(Message::text(text))).unwrap();
    }

    /// The next text message.
    pub(crate) fn hears(&mut self) -> String {
        let next = async {
            loop {
                if let Message::Text(text) = self.socket.next().await.unwrap().unwrap() {
                    return text.to_string();
                }
            }
        };
        self.runtime.block_on(async { tokio::time::timeout(PATIENCE, next).await }).unwrap()
    }

    /// Waits until the connection ends; what is said until then is passed over.
    #[cfg(unix)]
    pub(crate) fn is_closed(&mut self) {
        let end = async { while let Some(Ok(_)) = self.socket.next().await {} };
        self.runtime.block_on(async { tokio::time::timeout(PATIENCE, end).await }).unwrap();
    }
}

/// Writes a script that can be run. Another process does it: one that this process starts meanwhile, for another
/// test, would have the file open to write for a moment, and a file that is cannot be run.
#[cfg(unix)]
pub(crate) fn write_program(file: &Path, script: &str) {
    let mut shell = Command::new("sh");
    shell.args(["-c", "cat > \"$0\" && chmod 755 \"$0\""]).arg(file).stdin(Stdio::piped());
    let mut writing = shell.spawn().unwrap();
    writing.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(writing.wait().unwrap().success());
}
