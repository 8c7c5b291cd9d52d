//! Caddy and nginx in front, as the page configures them.

use super::{
    block,
    machine::Machine,
    tls::{self, Openssl},
};
use crate::{
    kept::{End, PATIENCE},
    page::program,
    process::{Running, get},
};
use futures_util::{SinkExt as _, StreamExt as _};
use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    process::Command,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::{net::UnixStream, time::timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest as _},
};

/// For how long nothing may go over a connection through nginx, in these tests.
const TIMEOUT: Duration = Duration::from_secs(2);

/// What makes a file that stands for itself of the page's part of nginx's configuration.
const NGINX: &str = "daemon off;
master_process off;
pid nginx.pid;
error_log stderr;
events {}
http {
    client_body_temp_path temporary;
    proxy_temp_path temporary;
    fastcgi_temp_path temporary;
    uwsgi_temp_path temporary;
    scgi_temp_path temporary;
";

/// What Caddy needs to be told where it is not on its machine's port 443 and knows no authority.
const CADDY: &str = "{
	admin off
	auto_https disable_redirects
	storage file_system caddy
}
";

#[derive(Clone, Copy)]
enum Kind {
    Caddy,
    Nginx,
}

/// A proxy that passes on to a server.
struct Proxy {
    port: u16,
    folder: TempDir,
    _process: Running,
}

impl Proxy {
    /// `None` where there is no such proxy.
    fn start(kind: Kind, server: &str) -> Option<Proxy> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        tls::make_certificate(path);
        let port = free_port();
        let mut command = match kind {
            Kind::Caddy => caddy(path, port, server),
            Kind::Nginx => nginx(path, port, server),
        }?;
        let process = Running::start(command.current_dir(path));
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "the proxy does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(Proxy { port, folder, _process: process })
    }

    async fn get(&self, path: &str) -> String {
        let answer = tls::get(self.port, self.folder.path(), path);
        timeout(PATIENCE, answer).await.unwrap_or_else(|_| panic!("no answer to {path}"))
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The text with each of these replaced, all of which must be in it.
fn replaced(text: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "there is no {from} in\n{text}");
        text.replace(from, to)
    })
}

fn caddy(folder: &Path, port: u16, server: &str) -> Option<Command> {
    let program = program("caddy")?;
    let site = format!("https://localhost:{port} {{\n\ttls cert.pem key.pem");
    let changes = [("rooms.example.com {", &*site), ("127.0.0.1:8080", server)];
    let text = replaced(&block("caddyfile", "reverse_proxy"), &changes);
    fs::write(folder.join("Caddyfile"), format!("{CADDY}{text}")).unwrap();
    let mut command = Command::new(program);
    command.args(["run", "--config", "Caddyfile", "--adapter", "caddyfile"]);
    // Where it writes to.
    command.env("HOME", folder).env_remove("XDG_DATA_HOME").env_remove("XDG_CONFIG_HOME");
    Some(command)
}

fn nginx(folder: &Path, port: u16, server: &str) -> Option<Command> {
    let program = program("nginx")?;
    let changes = [
        ("listen 443", &*format!("listen 127.0.0.1:{port}")),
        ("    listen [::]:443 ssl http2;\n", ""),
        ("rooms.example.com;", "localhost;"),
        ("/etc/letsencrypt/live/rooms.example.com/fullchain.pem", "cert.pem"),
        ("/etc/letsencrypt/live/rooms.example.com/privkey.pem", "key.pem"),
        ("/var/log/nginx/rooms.log", "rooms.log"),
        ("127.0.0.1:8080", server),
        ("75s", &format!("{}s", TIMEOUT.as_secs())),
    ];
    let text = replaced(&block("nginx", "proxy_pass"), &changes);
    let file = folder.join("nginx.conf");
    fs::write(&file, format!("{NGINX}{text}}}\n")).unwrap();
    let command = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        command.arg("-p").arg(folder).arg("-c").arg(&file).args(arguments);
        command
    };
    let tested = command(&["-t"]).output().unwrap();
    assert!(tested.status.success(), "{}", String::from_utf8_lossy(&tested.stderr));
    Some(command(&[]))
}

/// Somebody in a room, through a proxy.
struct Visitor {
    socket: WebSocketStream<UnixStream>,
    _openssl: Openssl,
}

impl Visitor {
    /// Comes from one of this machine's addresses, and may claim to come from elsewhere.
    async fn join(proxy: &Proxy, room: &str, from: &str, claim: Option<&str>) -> Visitor {
        let (stream, openssl) = tls::connect(proxy.port, proxy.folder.path(), from);
        let mut request = format!("wss://localhost/ws/{room}").into_client_request().unwrap();
        // As a browser does for the page that the proxy serves.
        let origin = format!("https://localhost:{}", proxy.port);
        request.headers_mut().insert("origin", origin.parse().unwrap());
        if let Some(claim) = claim {
            request.headers_mut().insert("x-forwarded-for", claim.parse().unwrap());
        }
        let joined = timeout(PATIENCE, client_async(request, stream)).await;
        let (socket, _) = joined.expect("no answer").unwrap();
        Visitor { socket, _openssl: openssl }
    }

    async fn says(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// The next message that begins with `start`, or how the connection ended.
    async fn hears(&mut self, start: &str) -> Result<String, End> {
        loop {
            match timeout(PATIENCE, self.socket.next()).await.expect("nothing is said") {
                Some(Ok(Message::Text(text))) if text.starts_with(start) => {
                    return Ok(text.to_string());
                }
                Some(Ok(Message::Close(frame))) => {
                    return Err(frame.map(|frame| (frame.code.into(), frame.reason.to_string())));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// Says nothing for this long, but answers pings.
    async fn is_silent_for(&mut self, time: Duration) {
        let end = timeout(time, self.hears("nothing begins like this")).await;
        assert!(end.is_err(), "{end:?}");
    }
}

async fn pages_and_rooms_are_passed_on_and_nothing_else(kind: Kind) {
    let machine = Machine::new();
    let mut command = machine.command();
    let mut server = Running::start(command.args(["--heartbeat-interval", "500ms"]));
    let address = server.address();
    let Some(proxy) = Proxy::start(kind, &address) else { return };

    let page = proxy.get("/").await;
    assert!(page.starts_with("HTTP/1.1 200") && page.ends_with("one"), "{page}");
    for path in ["/metrics", "/status", "/healthz"] {
        get(&address, path);
        let (_, name) = path.split_at(1);
        let others = [format!("//{name}"), format!("/%{:x}{}", name.as_bytes()[0], &name[1..])];
        for path in [path.to_owned(), format!("{path}?"), format!("{path}/")].iter().chain(&others)
        {
            let answer = proxy.get(path).await;
            assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
        }
    }

    let mut visitor = Visitor::join(&proxy, "lobby?token=a-secret", "127.0.0.1", None).await;
    visitor.says("add 1").await;
    assert_eq!(visitor.hears("added").await.unwrap(), "added 1");
    visitor.is_silent_for(TIMEOUT * 2).await;
    visitor.says("add 2").await;
    assert_eq!(visitor.hears("added").await.unwrap(), "added 2");
    drop(visitor);
    if matches!(kind, Kind::Nginx) {
        let log = || fs::read_to_string(proxy.folder.path().join("rooms.log")).unwrap();
        let deadline = Instant::now() + PATIENCE;
        while !log().contains("\"GET /ws/lobby\" 101") {
            assert!(Instant::now() < deadline, "{}", log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(!log().contains("secret"), "{}", log());
    }
}

#[tokio::test]
async fn caddy_passes_pages_and_rooms_on_and_nothing_else() {
    pages_and_rooms_are_passed_on_and_nothing_else(Kind::Caddy).await;
}

#[tokio::test]
async fn nginx_passes_pages_and_rooms_on_and_nothing_else() {
    pages_and_rooms_are_passed_on_and_nothing_else(Kind::Nginx).await;
}

#[tokio::test]
async fn nginx_ends_a_connection_that_is_pinged_too_seldom() {
    let machine = Machine::new();
    let (_server, address) = machine.start();
    let Some(proxy) = Proxy::start(Kind::Nginx, &address) else { return };
    let mut visitor = Visitor::join(&proxy, "lobby", "127.0.0.1", None).await;
    assert_eq!(visitor.hears("nothing begins like this").await, Err(None));
}

/// Has three messages of somebody fail, and tells how they are received then.
async fn offend(proxy: &Proxy, from: &str) -> Result<String, End> {
    for number in 0..3 {
        let claim = format!("198.51.100.{number}");
        let mut offender = Visitor::join(proxy, "lobby", from, Some(&claim)).await;
        offender.says("trap 2").await;
        let end = offender.hears("nothing begins like this").await.unwrap_err();
        assert_eq!(end.map(|(code, _)| code), Some(1011));
    }
    let claim = Some("198.51.100.77");
    Visitor::join(proxy, "lobby", from, claim).await.hears("welcome").await
}

async fn real_addresses_reach_the_server(kind: Kind) {
    let machine = Machine::new();
    let (_server, address) = machine.start();
    let Some(proxy) = Proxy::start(kind, &address) else { return };
    let end = offend(&proxy, "127.0.0.2").await.unwrap_err();
    assert_eq!(end.map(|(code, _)| code), Some(1008), "whatever it claims");
    let mut other = Visitor::join(&proxy, "lobby", "127.0.0.3", None).await;
    other.hears("welcome").await.unwrap();
}

#[tokio::test]
async fn behind_caddy_who_is_kept_away_is_told_from_others_by_address() {
    real_addresses_reach_the_server(Kind::Caddy).await;
}

#[tokio::test]
async fn behind_nginx_who_is_kept_away_is_told_from_others_by_address() {
    real_addresses_reach_the_server(Kind::Nginx).await;
}

#[tokio::test]
async fn behind_a_proxy_that_is_not_trusted_all_are_one() {
    let machine = Machine::new();
    let mut server = Running::start(machine.command().env_remove("STATEROOM_TRUSTED_PROXIES"));
    let Some(proxy) = Proxy::start(Kind::Nginx, &server.address()) else { return };
    offend(&proxy, "127.0.0.2").await.unwrap_err();
    let mut other = Visitor::join(&proxy, "lobby", "127.0.0.3", None).await;
    assert_eq!(other.hears("welcome").await.unwrap_err().map(|(code, _)| code), Some(1008));
}
