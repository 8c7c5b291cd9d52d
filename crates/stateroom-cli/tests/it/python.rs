//! The client of `docs/client.py`, run as a program, while the server is killed and while nobody can be reached.

use crate::{
    kept::{PATIENCE, Site},
    page::program,
    process::ends_with,
    project::BROADCASTING_ROOM,
    proxy::{Mishap, Proxy},
};
use std::{
    fs,
    io::{BufRead as _, BufReader, Read, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        OnceLock,
        mpsc::{Receiver, channel},
    },
};

const WEBSOCKETS: &str = "websockets==17.4";

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/client.py")
}

/// A Python that has what the client needs, installed once; `None` where there is no Python.
fn python() -> Option<&'static Path> {
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    let python = PYTHON.get_or_init(|| {
        let found = program("python3")?;
        let parent = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tests/python");
        let (folder, new) = (parent.join(WEBSOCKETS), parent.join(std::process::id().to_string()));
        if !folder.exists() {
            ends_with(0, Command::new(found).args(["-m", "venv"]).arg(&new));
            let install = ["-m", "pip", "install", "--quiet", WEBSOCKETS];
            ends_with(0, Command::new(new.join("bin/python")).args(install));
            // Whole, or not at all; another process may have been quicker.
            if fs::rename(&new, &folder).is_err() {
                fs::remove_dir_all(&new).unwrap();
            }
        }
        Some(folder.join("bin/python"))
    });
    python.as_deref()
}

/// The client, as it runs. It is killed when this is dropped.
struct Client {
    child: Child,
    stdin: Option<ChildStdin>,
    messages: Receiver<String>,
    events: Receiver<String>,
}

fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    lines
}

impl Client {
    /// One that has been welcomed.
    fn start(python: &Path, address: &str) -> Client {
        let mut command = Command::new(python);
        command.arg("-I").arg(source()).arg(format!("ws://{address}/ws/lobby"));
        command.env("no_proxy", "*");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take();
        let messages = lines(child.stdout.take().unwrap());
        let events = lines(child.stderr.take().unwrap());
        let mut client = Client { child, stdin, messages, events };
        assert_eq!(client.is_told(), "('welcome',)");
        client
    }

    fn says(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    fn hears(&mut self) -> String {
        self.messages.recv_timeout(PATIENCE).expect("something is said")
    }

    /// What it is told next of its session; not that it has lost a connection.
    fn is_told(&mut self) -> String {
        loop {
            let event = self.events.recv_timeout(PATIENCE).expect("it is told something");
            if !event.starts_with("('lost', ") {
                return event;
            }
        }
    }

    /// Has it leave once all that it said is durable; what it has heard until then that was not waited for.
    fn leaves(mut self) -> Vec<String> {
        drop(self.stdin.take());
        assert!(self.child.wait().unwrap().success());
        self.messages.iter().collect()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_clients_in_python_say_comes_once_and_in_order_though_the_server_is_killed() {
    let Some(python) = python() else { return };
    let site = Site::with(BROADCASTING_ROOM.as_bytes(), &["--session-grace", "1h"]);
    let (server, address) = site.serve();
    let mut server = Some(server);
    let proxy = Proxy::before(&address).await;
    let mut ada = Client::start(python, &proxy.address);
    let mut bob = Client::start(python, &proxy.address);
    let mut heard = Vec::new();
    for number in 0..300 {
        ada.says(&format!("ada {number}"));
        bob.says(&format!("bob {number}"));
        match number {
            // Some of it is on its way then, in either direction.
            100 | 200 => {
                heard.extend((0..50).map(|_| bob.hears()));
                drop(server.take());
            }
            150 | 250 => {
                let (next, address) = site.serve();
                proxy.lead_to(&address);
                server = Some(next);
                assert_eq!(bob.is_told(), "('welcome',)", "it has missed nothing");
                assert_eq!(ada.is_told(), "('welcome',)", "it has missed nothing");
            }
            _ => {}
        }
    }
    heard.extend((heard.len()..600).map(|_| bob.hears()));
    for name in ["ada", "bob"] {
        let said: Vec<_> = heard.iter().filter(|line| line.starts_with(name)).cloned().collect();
        assert_eq!(said, (0..300).map(|number| format!("{name} {number}")).collect::<Vec<_>>());
    }
    // It is set aside, and tells nobody else.
    ada.says("x");
    assert_eq!(ada.is_told(), "('skipped', '301', 'room failed: an error in its service')");
    ada.says("\0 and \0\0");
    assert_eq!(bob.hears(), "\0 and \0\0");
    heard.push("\0 and \0\0".to_owned());
    assert_eq!(ada.leaves(), heard);
    assert_eq!(bob.hears(), "!", "she has left at once");
    assert_eq!(bob.leaves(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stays_away_too_long_in_python_gets_back_what_nobody_may_have_heard() {
    let Some(python) = python() else { return };
    let site = Site::with(BROADCASTING_ROOM.as_bytes(), &["--session-grace", "300ms"]);
    let (_server, address) = site.serve();
    let proxy = Proxy::before(&address).await;
    let mut ada = Client::start(python, &proxy.address);
    let mut bob = Client::start(python, &address);
    // Nobody is where she is led to.
    proxy.lead_to("127.0.0.1:1");
    proxy.has(Mishap::Cut, 1);
    assert_eq!(bob.hears(), "!");
    ada.says("\0meanwhile");
    proxy.lead_to(&address);
    assert_eq!(ada.is_told(), r"('unsettled', ['\x00meanwhile'])");
    assert_eq!(ada.is_told(), "('welcome',)");
    ada.says("back");
    assert_eq!(bob.hears(), "back");
}

#[test]
fn the_client_in_python_has_a_hundred_lines_at_most() {
    let source = fs::read_to_string(source()).unwrap();
    assert!(source.lines().count() <= 100, "{} lines", source.lines().count());
}
