//! A PostgreSQL of a test's own, in a temporary folder and on 127.0.0.1.

use std::{
    fs::File,
    net::TcpListener,
    os::unix::{
        fs::{MetadataExt, chown},
        process::CommandExt,
    },
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

/// How long it may take to start, on a machine that is busy.
const START_LIMIT: Duration = Duration::from_secs(60);

const HOW_TO_GET_IT: &str = "these tests need PostgreSQL 14 or newer: `apt-get install postgresql`, or name the folder of \
                             its programs with PG_BIN=/usr/lib/postgresql/15/bin";

pub(crate) struct Server {
    folder: TempDir,
    pub(crate) port: u16,
    process: Option<Child>,
    /// Who it runs as, if we are root: it refuses to be that.
    user: Option<(u32, u32)>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let mut server = Server::without_data();
        server
            .command("initdb")
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync", "-D"])
            .arg(server.data())
            .succeeds();
        server.start_again().await;
        server.client().await.batch_execute("create database rooms").await.expect("made");
        server
    }

    /// One that is a copy of this one, and that this one waits for from now on.
    pub(crate) async fn standby(&self) -> Self {
        let mut standby = Server::without_data();
        let primary =
            format!("host=127.0.0.1 port={} user=postgres application_name=standby", self.port);
        standby
            .command("pg_basebackup")
            .args(["--checkpoint=fast", "--no-sync", "--write-recovery-conf", "-d", &primary, "-D"])
            .arg(standby.data())
            .succeeds();
        standby.start_again().await;
        let client = self.client().await;
        let set = "alter system set synchronous_standby_names = 'standby'";
        client.batch_execute(set).await.expect("set");
        client.batch_execute("select pg_reload_conf()").await.expect("reloaded");
        until(&client, "select 1 from pg_stat_replication where sync_state = 'sync'").await;
        standby
    }

    /// Has a standby take the place of its primary.
    pub(crate) async fn promote(&self) {
        self.client().await.batch_execute("select pg_promote()").await.expect("promoted");
    }

    /// Has it take encrypted connections, too. Gives the certificate, which vouches for itself.
    #[cfg(feature = "rustls")]
    pub(crate) async fn encrypt(&self) -> Vec<u8> {
        let [key, certificate] =
            ["key.pem", "certificate.pem"].map(|it| self.folder.path().join(it));
        let mut make = Command::new("openssl");
        make.args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test",
        ])
        .args(["-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate);
        if let Some((uid, gid)) = self.user {
            make.uid(uid).gid(gid);
        }
        make.succeeds();
        let client = self.client().await;
        for (name, value) in [("key", &key), ("cert", &certificate)] {
            let set = format!("alter system set ssl_{name}_file = '{}'", value.display());
            client.batch_execute(&set).await.expect("set");
        }
        client.batch_execute("alter system set ssl = on").await.expect("set");
        client.batch_execute("select pg_reload_conf()").await.expect("reloaded");
        until(&client, "select 1 where current_setting('ssl') = 'on'").await;
        std::fs::read(certificate).expect("a certificate")
    }

    fn without_data() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let is_root = folder.path().metadata().expect("it is there").uid() == 0;
        let user = is_root.then(|| (id("-u"), id("-g")));
        if let Some((uid, gid)) = user {
            chown(folder.path(), Some(uid), Some(gid)).expect("given to postgres");
        }
        Server { folder, port: 0, process: None, user }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(programs().join(program));
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command.current_dir(self.folder.path());
        command
    }

    /// Starts it, and waits until it lets somebody in.
    pub(crate) async fn start_again(&mut self) {
        let until = Instant::now() + START_LIMIT;
        while Instant::now() < until {
            if self.process.as_mut().is_none_or(|it| it.try_wait().expect("asked").is_some()) {
                // Not while what was killed is not quite gone, or somebody else has taken the port.
                if self.port == 0 {
                    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
                    self.port = free.local_addr().expect("bound").port();
                }
                let messages = self.folder.path().join("messages");
                let log = File::options().append(true).create(true).open(messages);
                let log = log.expect("a file");
                let process = self
                    .command("postgres")
                    .arg("-D")
                    .arg(self.data())
                    .args(["-p", &self.port.to_string()])
                    .args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="])
                    .args(["-c", "shared_buffers=16MB"])
                    .stdin(Stdio::null())
                    .stdout(log.try_clone().expect("a file"))
                    .stderr(log)
                    .spawn();
                self.process = Some(process.expect(HOW_TO_GET_IT));
            }
            if self.try_client("postgres").await.is_some() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        let messages = std::fs::read_to_string(self.folder.path().join("messages"));
        panic!("PostgreSQL does not start: {}", messages.unwrap_or_default());
    }

    /// Kills it at once. What it has started notices by itself.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("killed");
            process.wait().expect("gone");
        }
    }

    /// A connection that is not the log's.
    pub(crate) async fn client(&self) -> Client {
        match self.try_client("rooms").await {
            Some(client) => client,
            None => self.try_client("postgres").await.expect("a connection"),
        }
    }

    async fn try_client(&self, database: &str) -> Option<Client> {
        let address = format!("postgres://postgres@127.0.0.1:{}/{database}", self.port);
        let (client, connection) = tokio_postgres::connect(&address, NoTls).await.ok()?;
        tokio::spawn(connection);
        Some(client)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut stop = self.command("pg_ctl");
        stop.args(["stop", "-m", "immediate", "-D"]).arg(self.data());
        // A test that has killed it has nothing to stop.
        let _ = stop.stdout(Stdio::null()).stderr(Stdio::null()).status();
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

trait Succeeds {
    fn succeeds(&mut self);
}

impl Succeeds for Command {
    fn succeeds(&mut self) {
        let output = self.output().expect(HOW_TO_GET_IT);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Waits until something is so: until a statement gives a row.
pub(crate) async fn until(client: &Client, sql: &str) {
    while client.query(sql, &[]).await.expect("asked").is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The address of the database that is reached at a port.
pub(crate) fn address(port: u16) -> String {
    format!("postgres://postgres@127.0.0.1:{port}/rooms")
}

/// The folder of the programs: where Debian has the newest, or wherever `postgres` is found.
fn programs() -> PathBuf {
    if let Some(folder) = std::env::var_os("PG_BIN") {
        return folder.into();
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions.map(|entry| entry.path()).max_by_key(number);
    let newest = newest.map(|folder| folder.join("bin")).filter(|bin| bin.join("initdb").exists());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = || std::env::split_paths(&path).find(|folder| folder.join("initdb").exists());
    newest.or_else(found).expect(HOW_TO_GET_IT)
}

fn id(of: &str) -> u32 {
    let output = Command::new("id").args([of, "postgres"]).output().expect("id");
    let text = String::from_utf8_lossy(&output.stdout).trim().parse();
    text.expect("PostgreSQL does not run as root, and there is no user postgres: apt-get install postgresql")
}
