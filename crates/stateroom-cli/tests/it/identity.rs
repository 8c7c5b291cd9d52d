//! What `docs/identity.md` says, tried with its own files and commands; and that no token is in the log.

use crate::{
    page::{block, program},
    process::{Client, Running, ends_with, stateroom, until_status},
    project::{Module, REMEMBERING_ROOM},
};
use futures_util::{SinkExt as _, StreamExt as _};
use stateroom_client::{Event, Message as ClientMessage, Options, RoomClient, Token};
use std::{
    fs,
    future::ready,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::Command,
    time::Duration,
};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest as _},
};

/// What a command of the page prints, without the end of the line.
fn told(command: &str, folder: &Path, secret: &str) -> String {
    let mut shell = Command::new("sh");
    shell.args(["-eu", "-c", command]).current_dir(folder).env("JWT_SECRET", secret);
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// A server with this configuration, on a free port.
fn serve(folder: &Path, module: &Path, secret: &str, more: &[&str]) -> Command {
    let mut command = stateroom(["serve", "--host", "127.0.0.1", "--port", "0", "--log", "trace"]);
    let config = folder.join("stateroom.toml");
    command.args(more).arg("--config").arg(config).arg(module).env("JWT_SECRET", secret);
    command.current_dir(folder);
    command
}

/// Opens a room as a browser does, with these subprotocols and from a page of this origin. The subprotocol that was
/// answered, or the status and the body of the refusal.
fn open(address: &str, path: &str, protocols: &str, origin: &str) -> Result<String, (u16, String)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut request = format!("ws://{address}/ws/{path}").into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", protocols.parse().unwrap());
    request.headers_mut().insert("origin", origin.parse().unwrap());
    match runtime.block_on(connect_async(request)) {
        Ok((_, answer)) => {
            Ok(answer.headers()["sec-websocket-protocol"].to_str().unwrap().to_owned())
        }
        Err(Error::Http(answer)) => {
            let body = answer.body().clone().unwrap_or_default();
            Err((answer.status().as_u16(), String::from_utf8(body).unwrap()))
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_token_made_as_the_page_says_leads_into_its_rooms_and_into_no_log() {
    let (Some(_), Some(_)) = (program("node"), program("openssl")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let module = Module::new(REMEMBERING_ROOM);
    fs::write(folder.path().join("stateroom.toml"), block("identity.md", "toml", "[auth]"))
        .unwrap();
    fs::write(folder.path().join("token.mjs"), block("identity.md", "js", "// token.mjs")).unwrap();
    let commands = block("identity.md", "sh", "export JWT_SECRET");
    let (export, _) = commands.split_once("stateroom serve").unwrap();
    let secret = told(&format!("{export}echo $JWT_SECRET"), folder.path(), "");
    let token = told(&block("identity.md", "sh", "token.mjs"), folder.path(), &secret);

    let more = ["--jwt-query-parameter", "jwt", "--log-format", "human"];
    let mut server = Running::start(&mut serve(folder.path(), &module.path, &secret, &more));
    server.hears("only pages of these origins may open rooms allowed_origins=\"same-host\"");
    server.hears("clients come in with tokens (JWT) anonymous=false");
    let address = server.address();
    let page = format!("http://{address}");
    let protocols = format!("chat, bearer.{token}");
    for room in ["lobby", "team-7"] {
        assert_eq!(open(&address, room, &protocols, &page).unwrap(), "chat", "{room}");
    }
    let (status, body) = open(&address, "other", &protocols, &page).unwrap_err();
    assert_eq!((status, body.contains("`rooms` has to name it")), (403, true), "{body}");
    let (status, body) = open(&address, "lobby", "chat", &page).unwrap_err();
    assert_eq!((status, body.contains("a token is needed")), (401, true), "{body}");
    let (status, body) = open(&address, "lobby", &protocols, "https://evil.example").unwrap_err();
    assert_eq!((status, body.contains("may not open rooms here")), (403, true), "{body}");
    let mut client = Client::join(&address, &format!("lobby?jwt={token}"));
    client.says("hello");
    client.hears();

    // Whatever is wrong with it, and whatever it is asked for with.
    let changed = format!("{}x", token);
    for path in [
        format!("lobby?jwt={changed}"),
        format!("other?jwt={token}"),
        format!("lobby?token={token}"),
    ] {
        open(&address, &path, "chat", &page).unwrap_err();
    }
    for path in [
        format!("/ws/lobby?jwt={token}"),
        format!("/missing?jwt={token}"),
        format!("/?jwt={token}"),
    ] {
        crate::process::try_get(&address, &path);
    }
    drop(client);
    server.signal("-TERM");
    server.hears("stopped");
    let said = server.said();
    assert!(said.contains("a client may not come in"), "{said}");
    for part in token.split('.') {
        assert!(!said.contains(part), "{part} is in the log:\n{said}");
    }
    assert!(!said.contains(&secret), "the secret is in the log");
}

#[test]
fn the_public_part_of_a_key_pair_is_what_the_server_takes() {
    if program("openssl").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let module = Module::new(REMEMBERING_ROOM);
    told(&block("identity.md", "sh", "ed25519"), folder.path(), "");
    let config = |text: &str| fs::write(folder.path().join("stateroom.toml"), text).unwrap();
    let start = || serve(folder.path(), &module.path, "too short", &[]);
    config("[auth]\njwt_public_key_file = \"public.pem\"\nanonymous = true");
    let mut server = Running::start(&mut start());
    server.hears("\"anonymous\":true");
    Client::connect(&server.address()).says("I have no token");

    for (text, what, why) in [
        ("", "[auth] has no key to check tokens with", ""),
        ("anonymous = true", "[auth] has no key to check tokens with", ""),
        ("jwt_public_key_file = \"private.pem\"", "private.pem cannot", "this is a private key"),
        ("jwt_public_key_file = \"absent.pem\"", "absent.pem cannot", "No such file"),
        ("jwt_secret_file = \"public.pem\"", "public.pem cannot", "this is no secret"),
        ("jwks_file = \"public.pem\"", "public.pem cannot", "this is no JWKS"),
        (
            "jwt_secret_variable = \"JWT_SECRET\"",
            "JWT_SECRET cannot",
            "must have at least 32 bytes",
        ),
        ("jwt_secret_variable = \"NO_SUCH\"", "NO_SUCH cannot", "it is not set"),
        ("issuer = \"me\"", "unknown key `issuer`", "did you mean `jwt_issuer`"),
    ] {
        config(&format!("[auth]\n{text}"));
        let said = ends_with(2, &mut start());
        assert!(said.contains(what) && said.contains(why), "{text}: {said}");
    }
}

#[test]
fn the_origins_of_the_page_are_those_that_may_open_rooms() {
    let folder = tempfile::tempdir().unwrap();
    let module = Module::new(REMEMBERING_ROOM);
    let config = block("identity.md", "toml", "allowed_origins");
    fs::write(folder.path().join("stateroom.toml"), config).unwrap();
    let mut server = Running::start(&mut serve(folder.path(), &module.path, "", &[]));
    server.hears("same-host, https://app.example.com, https://*.example.org");
    let address = server.address();
    for (origin, may) in [
        (&*format!("http://{address}"), true),
        ("https://app.example.com", true),
        ("https://a.b.example.org", true),
        ("https://example.org", false),
        ("http://app.example.com", false),
        ("null", false),
    ] {
        assert_eq!(open(&address, "lobby", "chat", origin).is_ok(), may, "{origin}");
    }
}

#[test]
fn a_service_knows_who_has_logged_in_and_refuses_whom_it_will() {
    if program("node").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let text = "[auth]\njwt_secret_variable = \"JWT_SECRET\"\njwt_rooms_claim = \"rooms\"";
    fs::write(folder.path().join("stateroom.toml"), text).unwrap();
    let maker = block("identity.md", "js", "// token.mjs");
    let secret = "s".repeat(32);
    let token = |user: &str| {
        fs::write(
            folder.path().join("token.mjs"),
            maker.replace("\"ada\"", &format!("\"{user}\"")),
        )
        .unwrap();
        told("node token.mjs", folder.path(), &secret)
    };
    let module = crate::kept::guest("doorkeeper");
    let mut server = Running::start(&mut serve(folder.path(), &module, &secret, &[]));
    let address = server.address();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let enter = |user: &str, more: &str| {
        let mut request = format!("ws://{address}/ws/lobby{more}").into_client_request().unwrap();
        let protocols = format!("chat, bearer.{}", token(user)).parse().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", protocols);
        runtime.block_on(connect_async(request)).unwrap().0
    };
    let mut ada = enter("ada", "");
    let said = |client: &mut _| {
        let client: &mut tokio_tungstenite::WebSocketStream<_> = client;
        let message = runtime.block_on(client.next()).unwrap().unwrap();
        message.into_text().unwrap().to_string()
    };
    assert_eq!(said(&mut ada), "here 1:ada");
    let _phone = enter("ada", "?token=phone");
    assert_eq!(said(&mut ada), "here 1:ada 2:ada");
    let mut mallory = enter("mallory", "");
    let end = runtime.block_on(mallory.next()).unwrap().unwrap();
    let Message::Close(Some(frame)) = end else { panic!("{end:?}") };
    assert_eq!((u16::from(frame.code), frame.reason.as_str()), (4301, "you are not welcome here"));
    assert_eq!(said(&mut ada), "here 1:ada 2:ada");
    assert_eq!(said(&mut ada), "3 left (Kicked) 1:ada 2:ada");
}

#[test]
fn a_service_is_told_the_claims_that_it_may_ask_for_also_after_a_kill() {
    if program("node").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let text = "[auth]\njwt_secret_variable = \"JWT_SECRET\"\njwt_claims = [\"role\", \"teams\"]";
    fs::write(folder.path().join("stateroom.toml"), text).unwrap();
    let maker = block("identity.md", "js", "// token.mjs");
    let secret = "s".repeat(32);
    let token = |more: &str| {
        let maker = maker.replace("sub: \"ada\"", &format!("sub: \"ada\", {more}"));
        fs::write(folder.path().join("token.mjs"), maker).unwrap();
        told("node token.mjs", folder.path(), &secret)
    };
    let module = crate::kept::guest("doorkeeper");
    let more = ["--data-dir", "rooms", "--survives", "crash"];
    let start = || {
        let mut command = serve(folder.path(), &module, &secret, &more);
        let mut server = Running::start(command.env_remove("STATEROOM_EPHEMERAL"));
        let address = server.address();
        (server, address)
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let enter = |address: &str, token: &str| {
        let mut request = format!("ws://{address}/ws/lobby").into_client_request().unwrap();
        let protocols = format!("chat, bearer.{token}").parse().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", protocols);
        runtime.block_on(connect_async(request)).unwrap().0
    };
    let is = |address: &str, token: &str, name: &str, value: &str| {
        let mut client = enter(address, token);
        let ask = Message::text(format!("claim {name}"));
        runtime.block_on(client.send(ask)).unwrap();
        let next = || runtime.block_on(client.next()).unwrap().unwrap().into_text().unwrap();
        let said = std::iter::repeat_with(next).find(|said| !said.contains(":ada"));
        assert_eq!(said.unwrap().as_str(), value, "{name}");
        client
    };
    let moderator = token(r#"role: "moderator", teams: ["a", "b"], secret: "x""#);
    let (server, address) = start();
    let _stays = is(&address, &moderator, "role", "moderator");
    let _stays = is(&address, &moderator, "teams", r#"["a","b"]"#);
    let _stays = is(&address, &moderator, "secret", "nothing");
    drop(server);
    let (_server, address) = start();
    let _stays = is(&address, &moderator, "role", "moderator");
    is(&address, &token(r#"role: "guest""#), "role", "guest");
    is(&address, &token(r#"name: "Ada""#), "role", "nothing");

    let asked = |name: &str| {
        let mut socket = TcpStream::connect(&address).unwrap();
        let head =
            format!("GET /rooms/lobby/{name} HTTP/1.1\r\nhost: {address}\r\nconnection: close");
        write!(socket, "{head}\r\nauthorization: Bearer {moderator}\r\n\r\n").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    };
    assert_eq!(asked("role"), "moderator");
    assert_eq!(asked("teams"), r#"["a","b"]"#);
    assert_eq!(asked("secret"), "nothing");
}

/// As the client of the page does it; meanwhile its room has gone to disk.
#[test]
fn whoever_is_closed_with_4201_comes_back_with_a_new_token_to_a_room_that_is_kept() {
    let client = block("identity.md", "js", "onclose");
    assert!(client.contains("event.code === 4201 && join()"), "{client}");
    assert!(client.contains("[\"chat\", `bearer.${token}`]"), "{client}");
    if program("node").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let module = Module::new(REMEMBERING_ROOM);
    let text = "[auth]\njwt_secret_variable = \"JWT_SECRET\"\njwt_leeway = \"0s\"\njwt_rooms_claim = \"rooms\"";
    fs::write(folder.path().join("stateroom.toml"), text).unwrap();
    let maker = block("identity.md", "js", "// token.mjs");
    let token = |seconds: &str| {
        let maker = maker.replace("+ 3600", seconds);
        fs::write(folder.path().join("token.mjs"), maker).unwrap();
        told("node token.mjs", folder.path(), &"s".repeat(32))
    };
    let secret = "s".repeat(32);
    let more = [
        "--data-dir",
        "rooms",
        "--survives",
        "crash",
        "--sleep-after",
        "100ms",
        "--hibernate-after",
        "100ms",
    ];
    let mut command = serve(folder.path(), &module.path, &secret, &more);
    let mut server = Running::start(command.env_remove("STATEROOM_EPHEMERAL"));
    let address = server.address();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let enter = |token: String| {
        let mut request = format!("ws://{address}/ws/lobby").into_client_request().unwrap();
        let protocols = format!("chat, bearer.{token}").parse().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", protocols);
        runtime.block_on(connect_async(request)).unwrap().0
    };
    let mut client = enter(token("+ 5"));
    runtime.block_on(client.send(Message::text("first"))).unwrap();
    runtime.block_on(client.next()).unwrap().unwrap();
    until_status(&address, |status| status["rooms_on_disk"] == 1);
    let end = runtime.block_on(client.next()).unwrap().unwrap();
    let Message::Close(Some(frame)) = end else { panic!("{end:?}") };
    assert_eq!(
        (u16::from(frame.code), frame.reason.as_str()),
        (4201, "the token has expired: log in again")
    );
    let mut client = enter(token("+ 3600"));
    runtime.block_on(client.send(Message::text("second"))).unwrap();
    let answer = runtime.block_on(client.next()).unwrap().unwrap();
    assert_eq!(answer.into_text().unwrap(), "first");
}

#[test]
fn a_session_outlives_its_tokens_and_its_room_hears_of_nothing() {
    if program("node").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let text = "[auth]\njwt_secret_variable = \"JWT_SECRET\"\njwt_leeway = \"0s\"";
    fs::write(folder.path().join("stateroom.toml"), text).unwrap();
    let maker = block("identity.md", "js", "// token.mjs").replace("+ 3600", "+ 2");
    fs::write(folder.path().join("token.mjs"), maker).unwrap();
    let secret = "s".repeat(32);
    let module = crate::kept::guest("doorkeeper");
    let more = ["--data-dir", "rooms", "--survives", "crash"];
    let mut command = serve(folder.path(), &module, &secret, &more);
    let mut server = Running::start(command.env_remove("STATEROOM_EPHEMERAL"));
    let address = server.address();
    let path = folder.path().to_owned();
    let token = Token::from_fn(move || ready(told("node token.mjs", &path, &secret)));
    let options = Options { token: Some(token), ..Options::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut room = RoomClient::connect(&format!("ws://{address}/ws/lobby"), options).unwrap();
        let mut ticks = tokio::time::interval(Duration::from_millis(50));
        let (mut asked, mut greetings, mut answers, mut renewals) = (0, 0, 0, 0);
        while renewals < 2 || answers < asked {
            let event = tokio::select! {
                _ = ticks.tick(), if renewals < 2 => {
                    room.send("what time is it?").unwrap();
                    asked += 1;
                    continue;
                }
                event = room.next() => event.expect("it has not ended"),
            };
            match event {
                Event::Message(ClientMessage::Text(text)) if text.starts_with("here") => {
                    greetings += 1;
                }
                Event::Message(ClientMessage::Text(text)) => {
                    assert!(text.parse::<u64>().is_ok(), "{text}");
                    answers += 1;
                }
                Event::Resumed { recovered: true, new_session: false } => renewals += 1,
                Event::Opened | Event::Status(_) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((greetings, answers), (1, asked));
    });
}
