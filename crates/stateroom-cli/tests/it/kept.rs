//! Servers that keep their rooms, the guests that they run, and their clients.

use crate::process::{Running, stateroom};
use futures_util::{SinkExt as _, StreamExt as _};
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    time::{timeout, timeout_at},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message},
};

/// Longer than any answer takes, a restart with a pause of the room included.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A module of `tests/guests/examples`.
pub(crate) fn guest(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let target = workspace.join("target/guests");
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--release", "--target", "wasm32-wasip1"])
            .args(["-p", "test-guests", "--examples", "--target-dir"])
            .arg(&target)
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .current_dir(&workspace)
            .status()
            .unwrap();
        assert!(built.success());
        target.join("wasm32-wasip1/release/examples")
    });
    folder.join(format!("{name}.wasm"))
}

/// The ledger as its author deploys it for the `version`th time, at most 99.
pub(crate) fn ledger(version: usize) -> Vec<u8> {
    let mut module = std::fs::read(guest("ledger")).unwrap();
    let name = format!("version-{version:02}");
    let places: Vec<usize> = module
        .windows(name.len())
        .enumerate()
        .filter(|(_, bytes)| bytes == b"version-00")
        .map(|(place, _)| place)
        .collect();
    assert!(!places.is_empty());
    for place in places {
        module[place..place + name.len()].copy_from_slice(name.as_bytes());
    }
    module
}

/// A folder for rooms, with the module that a server is to run.
pub(crate) struct Site {
    pub(crate) folder: TempDir,
    pub(crate) arguments: Vec<String>,
}

impl Site {
    /// One with the ledger.
    pub(crate) fn new(arguments: &[&str]) -> Site {
        Site::with(&ledger(0), arguments)
    }

    pub(crate) fn with(module: &[u8], arguments: &[&str]) -> Site {
        let folder = tempfile::tempdir().unwrap();
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let site = Site { folder, arguments };
        site.deploy(module);
        site
    }

    pub(crate) fn module(&self) -> PathBuf {
        self.folder.path().join("room.wasm")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Puts another module in the place of the one that is there, at once.
    pub(crate) fn deploy(&self, module: &[u8]) {
        let new = self.folder.path().join("room.new");
        std::fs::write(&new, module).unwrap();
        std::fs::rename(&new, self.module()).unwrap();
    }

    /// The command that serves it.
    pub(crate) fn command(&self) -> Command {
        let mut command = stateroom(["serve", "--host", "127.0.0.1", "--port", "0", "--data-dir"]);
        command.arg(self.data()).args(&self.arguments).arg(self.module());
        command.env_remove("STATEROOM_EPHEMERAL");
        command
    }

    /// A server of it; and its address.
    pub(crate) fn serve(&self) -> (Running, String) {
        let mut server = Running::start(&mut self.command());
        let address = server.address();
        (server, address)
    }
}

/// A client.
pub(crate) struct Member {
    pub(crate) socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

/// How a connection has ended: with the code and the reason of the close frame, if there was one.
pub(crate) type End = Option<(u16, String)>;

impl Member {
    /// Joins a room, which need not be there; `room?token=...` has a token.
    pub(crate) async fn try_join(address: &str, room: &str) -> Result<Member, Error> {
        let (socket, _) = connect_async(format!("ws://{address}/ws/{room}")).await?;
        Ok(Member { socket })
    }

    pub(crate) async fn join(address: &str, room: &str) -> Member {
        Member::try_join(address, room).await.unwrap()
    }

    /// Joins a room of ledgers; and the id that it was given there.
    pub(crate) async fn enter(address: &str, room: &str) -> (Member, u32) {
        let mut member = Member::join(address, room).await;
        let welcome = member.hears("welcome").await;
        let id = welcome.split(' ').nth(1).unwrap().parse().unwrap();
        (member, id)
    }

    pub(crate) async fn says(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// What it is told next, or how the connection ended.
    pub(crate) async fn next(&mut self) -> Result<String, End> {
        // A ping is nothing that is said.
        let deadline = Instant::now() + PATIENCE;
        loop {
            let next = timeout_at(deadline.into(), self.socket.next()).await;
            let next = next.expect("nothing is said");
            match next {
                Some(Ok(Message::Text(text))) => return Ok(text.to_string()),
                Some(Ok(Message::Close(frame))) => {
                    // Answers it.
                    let _ = self.socket.flush().await;
                    return Err(frame.map(|frame| (frame.code.into(), frame.reason.to_string())));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// The next message that begins with `start`; what comes before it is passed over.
    pub(crate) async fn hears(&mut self, start: &str) -> String {
        loop {
            let text = match self.next().await {
                Ok(text) => text,
                Err(end) => panic!("waiting for `{start}`: the connection ended with {end:?}"),
            };
            if text.starts_with(start) {
                return text;
            }
        }
    }

    /// Whether what it is told next is a ping.
    pub(crate) async fn is_pinged(&mut self) -> bool {
        timeout(PATIENCE, self.socket.next()).await.unwrap().unwrap().unwrap().is_ping()
    }

    /// Asks for what the room answers under the same word.
    pub(crate) async fn ask(&mut self, word: &str) -> String {
        self.says(word).await;
        let answer = self.hears(word).await;
        answer.split_once(' ').map_or_else(String::new, |(_, rest)| rest.to_owned())
    }

    /// How the connection ends; what is said until then is passed over.
    pub(crate) async fn ends(&mut self) -> End {
        loop {
            if let Err(end) = self.next().await {
                return end;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_told_its_settings_from_the_start_and_when_they_have_changed() {
    let module = std::fs::read(guest("doorkeeper")).unwrap();
    let site = Site::with(&module, &["--survives", "crash"]);
    let file = site.folder.path().join("stateroom.toml");
    let start = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let mut server = Running::start(site.command().env("DOOR_KEY", "s3cret"));
        let address = server.address();
        (server, address)
    };
    let first =
        "[service.config]\nlimit = 3\ngreeting = \"hello\"\n[service.secrets]\nkey = \"DOOR_KEY\"";
    let (server, address) = start(first);
    let mut member = Member::join(&address, "lobby").await;
    for (name, value) in
        [("limit", "3"), ("greeting", "hello"), ("key", "s3cret"), ("no", "nothing")]
    {
        member.says(&format!("config {name}")).await;
        member.hears(value).await;
    }
    drop(server);
    // The same room, brought back under others, and then under none.
    for (text, value) in [(&*first.replace('3', "4"), "4"), ("", "nothing"), ("", "nothing")] {
        let (server, address) = start(text);
        let mut member = Member::join(&address, "lobby").await;
        member.says("config limit").await;
        member.hears(value).await;
        drop(member);
        server.terminate();
    }
}
