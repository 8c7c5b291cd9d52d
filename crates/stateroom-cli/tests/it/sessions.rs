//! Clients with sessions, while connections are cut and servers end: everything once, and in order.

use crate::{
    kept::{Member, Site},
    preload::{Fault, delay_flushes},
    process::{Running, get, stateroom, told, until_status},
    project::BROADCASTING_ROOM,
    proxy::{Mishap, Proxy},
};
use fastrand::Rng;
use futures_util::{SinkExt as _, StreamExt as _};
use stateroom_client::{Event, Message, Options, RoomClient, Status};
use stateroom_room::session::{Key, Life, Request};
use std::{
    collections::HashMap,
    fs,
    process::Command,
    time::{Duration, Instant},
};
use tokio::{
    io::AsyncWriteExt as _,
    net::TcpStream,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{self, client::IntoClientRequest as _},
};

const RECOVERED: Event = Event::Resumed { recovered: true, new_session: false };
const PATIENCE: Duration = Duration::from_secs(60);

fn client(address: &str, room: &str) -> RoomClient {
    RoomClient::connect(&format!("ws://{address}/ws/{room}"), Options::default()).unwrap()
}

/// Waits for an event, and tells nothing of those before.
async fn until(room: &mut RoomClient, wanted: impl Fn(&Event) -> bool) -> Event {
    let next = async {
        loop {
            let event = room.next().await.expect("it has not ended");
            if wanted(&event) {
                return event;
            }
        }
    };
    timeout(PATIENCE, next).await.expect("it comes")
}

fn text(text: &str) -> Event {
    Event::Message(Message::Text(text.to_owned()))
}

#[tokio::test]
async fn a_session_goes_on_after_a_kill_and_what_was_said_meanwhile_is_said_once() {
    let site = Site::with(BROADCASTING_ROOM.as_bytes(), &[]);
    let (server, address) = site.serve();
    let proxy = Proxy::before(&address).await;
    let (mut ada, mut bob) = (client(&proxy.address, "lobby"), client(&proxy.address, "lobby"));
    for room in [&mut ada, &mut bob] {
        until(room, |event| *event == Event::Opened).await;
    }
    ada.send("one").unwrap();
    timeout(PATIENCE, ada.settled()).await.unwrap().unwrap();
    drop(server);
    ada.send("two").unwrap();
    bob.send("\0three").unwrap();
    let (mut server, address) = site.serve();
    proxy.lead_to(&address);
    for room in [&mut ada, &mut bob] {
        until(room, |event| *event == RECOVERED).await;
    }
    for room in [&ada, &bob] {
        timeout(PATIENCE, room.settled()).await.unwrap().unwrap();
    }
    ada.send_binary(&[1, 2]).unwrap();
    let binary = Event::Message(Message::Binary(vec![1, 2]));
    let mut heard = Vec::new();
    while heard.last() != Some(&binary) {
        heard.push(until(&mut bob, |event| matches!(event, Event::Message(_))).await);
    }
    let two_first = [text("two"), text("\0three"), binary.clone()];
    let three_first = [text("\0three"), text("two"), binary];
    // What came before the kill was taken already.
    let heard = heard.strip_prefix(&[text("one")][..]).unwrap_or(&heard);
    assert!(heard == two_first || heard == three_first, "{heard:?}");
    assert!(!server.said().contains("!"), "nobody has left");
}

#[tokio::test]
async fn who_stays_away_too_long_has_left_and_begins_another_session() {
    let site = Site::with(BROADCASTING_ROOM.as_bytes(), &["--session-grace", "300ms"]);
    let (_server, address) = site.serve();
    let proxy = Proxy::before(&address).await;
    let (mut ada, mut bob) = (client(&proxy.address, "lobby"), client(&address, "lobby"));
    for room in [&mut ada, &mut bob] {
        until(room, |event| *event == Event::Opened).await;
    }
    // Nobody is where she is led to.
    proxy.lead_to("127.0.0.1:1");
    proxy.has(Mishap::Cut, 1);
    until(&mut bob, |event| *event == text("!")).await;
    proxy.lead_to(&address);
    until(&mut ada, |event| *event == Event::Resumed { recovered: false, new_session: true }).await;
    ada.send("back").unwrap();
    until(&mut bob, |event| *event == text("back")).await;
    // Who leaves for good has left at once.
    ada.close();
    until(&mut bob, |event| *event == text("!")).await;
}

#[tokio::test]
async fn what_a_room_has_not_heard_that_was_restarted_meanwhile_is_handed_back() {
    let site = Site::with(BROADCASTING_ROOM.as_bytes(), &[]);
    let (server, address) = site.serve();
    let proxy = Proxy::before(&address).await;
    let mut ada = client(&proxy.address, "lobby");
    until(&mut ada, |event| *event == Event::Opened).await;
    ada.send("heard").unwrap();
    timeout(PATIENCE, ada.settled()).await.unwrap().unwrap();
    drop(server);
    ada.send("one").unwrap();
    ada.send("two").unwrap();
    let settled = ada.settled();
    told(stateroom(["rooms", "restart", "lobby", "--data-dir"]).arg(site.data()));
    let (_server, address) = site.serve();
    proxy.lead_to(&address);
    let unsettled =
        until(&mut ada, |event| !matches!(event, Event::Status(_) | Event::Message(_))).await;
    let messages = ["one", "two"].map(|text| Message::Text(text.to_owned())).to_vec();
    assert_eq!(unsettled, Event::Unsettled { messages });
    timeout(PATIENCE, settled).await.unwrap().unwrap_err();
    let resumed = Event::Resumed { recovered: false, new_session: false };
    until(&mut ada, |event| *event == resumed).await;
    ada.send("three").unwrap();
    let said = until(&mut ada, |event| matches!(event, Event::Message(_))).await;
    assert_eq!(said, text("three"), "and nothing else was sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_back_while_the_server_is_full_keeps_everything_and_comes_later() {
    let site = Site::with(BROADCASTING_ROOM.as_bytes(), &["--max-clients", "1"]);
    let (_server, address) = site.serve();
    let proxy = Proxy::before(&address).await;
    let mut ada = client(&proxy.address, "lobby");
    until(&mut ada, |event| *event == Event::Opened).await;
    proxy.lead_to("127.0.0.1:1");
    proxy.has(Mishap::Cut, 1);
    until_status(&address, |status| status["active_connections"] == 0);
    let bob = Member::join(&address, "other").await;
    ada.send("kept").unwrap();
    proxy.lead_to(&address);
    // It was refused, and has not given up.
    let refused = "stateroom_refusals_total{reason=\"max_clients\"} ";
    let deadline = Instant::now() + PATIENCE;
    while !get(&address, "/metrics").contains(refused) {
        assert!(Instant::now() < deadline, "{}", get(&address, "/metrics"));
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(ada.status(), Status::Away);
    drop(bob);
    until_status(&address, |status| status["active_connections"] == 0);
    ada.wake();
    until(&mut ada, |event| *event == RECOVERED).await;
    until(&mut ada, |event| *event == text("kept")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_server_stands_still_nobody_has_been_away_for_too_long() {
    let site = Site::with(BROADCASTING_ROOM.as_bytes(), &["--session-grace", "2s"]);
    let (server, address) = site.serve();
    let proxy = Proxy::before(&address).await;
    let mut ada = client(&proxy.address, "lobby");
    until(&mut ada, |event| *event == Event::Opened).await;
    proxy.lead_to("127.0.0.1:1");
    proxy.has(Mishap::Cut, 1);
    until_status(&address, |status| status["active_connections"] == 0);
    server.signal("-STOP");
    sleep(Duration::from_secs(4)).await;
    server.signal("-CONT");
    until_status(&address, |status| status["active_connections"] == 0);
    proxy.lead_to(&address);
    ada.wake();
    until(&mut ada, |event| *event == RECOVERED).await;
}

#[tokio::test]
async fn a_message_that_the_room_fails_at_is_told_of_and_the_session_goes_on() {
    let site = Site::with(BROADCASTING_ROOM.as_bytes(), &[]);
    let (_server, address) = site.serve();
    let mut ada = client(&address, "lobby");
    for message in ["a", "x", "b"] {
        ada.send(message).unwrap();
    }
    let wanted = |event: &Event| matches!(event, Event::Message(_) | Event::Skipped { .. });
    assert_eq!(until(&mut ada, wanted).await, text("a"));
    let skipped = until(&mut ada, wanted).await;
    assert!(matches!(&skipped, Event::Skipped { number: 2, .. }), "{skipped:?}");
    assert_eq!(until(&mut ada, wanted).await, text("b"));
}

#[tokio::test]
async fn who_has_missed_more_than_is_kept_is_told_so() {
    let site = Site::with(BROADCASTING_ROOM.as_bytes(), &["--max-retained-bytes-per-room", "1KiB"]);
    let (_server, address) = site.serve();
    let proxy = Proxy::before(&address).await;
    let (mut ada, mut bob) = (client(&proxy.address, "lobby"), client(&address, "lobby"));
    for room in [&mut ada, &mut bob] {
        until(room, |event| *event == Event::Opened).await;
    }
    for (bytes, recovered) in [(500, true), (5_000, false)] {
        proxy.lead_to("127.0.0.1:1");
        proxy.has(Mishap::Cut, 1);
        until(&mut ada, |event| *event == Event::Status(Status::Away)).await;
        let message = "m".repeat(bytes);
        bob.send(&message).unwrap();
        until(&mut bob, |event| *event == text(&message)).await;
        proxy.lead_to(&address);
        until(&mut ada, |event| *event == Event::Resumed { recovered, new_session: false }).await;
        if recovered {
            until(&mut ada, |event| *event == text(&message)).await;
        }
    }
}

#[tokio::test]
async fn who_has_been_away_the_longest_makes_room_for_a_newcomer() {
    let site = Site::with(BROADCASTING_ROOM.as_bytes(), &["--max-clients-per-room", "3"]);
    let (_server, address) = site.serve();
    let proxy = Proxy::before(&address).await;
    let mut bob = client(&address, "lobby");
    until(&mut bob, |event| *event == Event::Opened).await;
    let mut away = Vec::new();
    for _ in 0..2 {
        let mut ada = client(&proxy.address, "lobby");
        until(&mut ada, |event| *event == Event::Opened).await;
        away.push(ada);
    }
    proxy.lead_to("127.0.0.1:1");
    proxy.has(Mishap::Cut, 1);
    for ada in &mut away {
        until(ada, |event| *event == Event::Status(Status::Away)).await;
    }
    until_status(&address, |status| status["active_connections"] == 1);
    let mut newcomer = client(&address, "lobby");
    until(&mut newcomer, |event| *event == Event::Opened).await;
    until(&mut bob, |event| *event == text("!")).await;
}

#[tokio::test]
async fn who_comes_when_too_many_do_comes_later() {
    let site = Site::with(BROADCASTING_ROOM.as_bytes(), &["--max-resumes-per-second", "1"]);
    let (_server, address) = site.serve();
    let mut rooms: Vec<_> = (0..3).map(|_| client(&address, "lobby")).collect();
    for room in &mut rooms {
        until(room, |event| *event == Event::Opened).await;
    }
}

#[tokio::test]
async fn sessions_and_plain_clients_are_in_one_room() {
    let site = Site::with(BROADCASTING_ROOM.as_bytes(), &[]);
    let (_server, address) = site.serve();
    let mut ada = client(&address, "lobby");
    until(&mut ada, |event| *event == Event::Opened).await;
    let mut bob = Member::join(&address, "lobby").await;
    bob.says("from bob").await;
    bob.hears("from bob").await;
    until(&mut ada, |event| *event == text("from bob")).await;
    ada.send("from ada").unwrap();
    bob.hears("from ada").await;
    drop(ada);
    bob.hears("!").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whose_room_was_put_back_to_an_earlier_state_is_told_so() {
    let site = Site::with(BROADCASTING_ROOM.as_bytes(), &[]);
    let (server, address) = site.serve();
    let proxy = Proxy::before(&address).await;
    let mut ada = client(&proxy.address, "lobby");
    ada.send("before").unwrap();
    until(&mut ada, |event| *event == text("before")).await;
    server.terminate();
    let shell = |command: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-euc", command]).current_dir(site.folder.path());
        assert!(shell.status().unwrap().success(), "{command}");
    };
    let rooms = |command: &str, more: &[&str]| {
        let mut rooms = stateroom(["rooms", command, "--data-dir"]);
        told(rooms.arg(site.data()).current_dir(site.folder.path()).args(more));
    };
    shell("cp -a data copy");
    rooms("export", &["lobby"]);
    // From a copy into the very files, and from an exported room; and with as many messages afterwards as there were.
    for (copies, says) in [(true, false), (true, true), (false, false), (false, true)] {
        let (server, address) = site.serve();
        proxy.lead_to(&address);
        until(&mut ada, |event| matches!(event, Event::Resumed { .. })).await;
        ada.send("lost").unwrap();
        until(&mut ada, |event| *event == text("lost")).await;
        proxy.lead_to("127.0.0.1:1");
        server.terminate();
        match copies {
            true => shell("rm -r data/log data/rooms.db* && cp -a copy/. data"),
            false => rooms("import", &["lobby.room", "--replace"]),
        }
        let (server, address) = site.serve();
        if says {
            let mut bob = Member::join(&address, "lobby").await;
            bob.says("another").await;
            bob.hears("another").await;
        }
        proxy.lead_to(&address);
        let resumed = until(&mut ada, |event| matches!(event, Event::Resumed { .. })).await;
        assert!(matches!(resumed, Event::Resumed { recovered: false, .. }), "{copies} {says}");
        ada.send("goes on").unwrap();
        until(&mut ada, |event| *event == text("goes on")).await;
        server.terminate();
    }
}

#[tokio::test]
async fn the_service_is_told_why_a_client_has_left() {
    let module = std::fs::read(crate::kept::guest("doorkeeper")).unwrap();
    for mode in [&["--session-grace", "200ms"][..], &["--session-grace", "200ms", "--ephemeral"]] {
        let site = Site::with(&module, mode);
        let (_server, address) = site.serve();
        let mut ada = Member::join(&address, "lobby").await;
        let lost = Member::join(&address, "lobby").await;
        ada.hears("here 1:? 2:?").await;
        drop(lost);
        ada.hears("2 left (Lost)").await;
        let mut closed = Member::join(&address, "lobby").await;
        closed.socket.close(None).await.unwrap();
        ada.hears("3 left (Closed)").await;
        let _older = Member::join(&address, "lobby?token=phone").await;
        let _newer = Member::join(&address, "lobby?token=phone").await;
        ada.hears("4 left (Replaced)").await;
        let mut broken = Member::join(&address, "lobby").await;
        broken.hears("here").await;
        // A client has to mask what it sends.
        let MaybeTlsStream::Plain(stream) = broken.socket.get_mut() else { panic!("not TLS") };
        stream.write_all(&[0x81, 0]).await.unwrap();
        ada.hears("5 left (TurnedOut)").await;
        let mut away = client(&address, "lobby");
        until(&mut away, |event| matches!(event, Event::Message(_))).await;
        drop(away);
        ada.hears("6 left (").await;
        ada.says("kick 4").await;
        ada.hears("4 left (Kicked)").await;
    }
}

#[tokio::test]
async fn whom_the_service_closes_gets_what_was_said_before_and_does_not_come_back() {
    let module = std::fs::read(crate::kept::guest("doorkeeper")).unwrap();
    let site = Site::with(&module, &[]);
    let (_server, address) = site.serve();
    let mut ada = client(&address, "lobby");
    until(&mut ada, |event| *event == text("here 1:?")).await;
    let mut bob = Member::join(&address, "lobby").await;
    bob.hears("here 1:? 2:?").await;
    let mut eve = client(&address, "lobby");
    until(&mut eve, |event| *event == text("here 1:? 2:? 3:?")).await;
    for (number, left) in [(2, "2 left (Kicked) 1:? 3:?"), (3, "3 left (Kicked) 1:?")] {
        ada.send(&format!("kick {number}")).unwrap();
        until(&mut ada, |event| *event == text(left)).await;
    }
    bob.hears("you have to go").await;
    assert_eq!(bob.ends().await, Some((4302, "told to go".to_owned())));
    until(&mut eve, |event| *event == text("you have to go")).await;
    let end = until(&mut eve, |event| !matches!(event, Event::Status(_))).await;
    assert!(
        matches!(&end, Event::Closed { code: 4302, reason } if reason == "told to go"),
        "{end:?}"
    );
}

#[tokio::test]
async fn who_was_away_when_the_service_closed_it_is_told_why_though_the_server_was_killed() {
    let module = std::fs::read(crate::kept::guest("doorkeeper")).unwrap();
    let site = Site::with(&module, &[]);
    let (server, address) = site.serve();
    let proxy = Proxy::before(&address).await;
    let mut ada = client(&address, "lobby");
    until(&mut ada, |event| *event == text("here 1:?")).await;
    let mut eve = client(&proxy.address, "lobby");
    until(&mut eve, |event| *event == text("here 1:? 2:?")).await;
    proxy.lead_to("127.0.0.1:1");
    proxy.has(Mishap::Cut, 1);
    ada.send("kick 2").unwrap();
    until(&mut ada, |event| *event == text("2 left (Kicked) 1:?")).await;
    drop(server);
    let (_server, address) = site.serve();
    proxy.lead_to(&address);
    until(&mut eve, |event| *event == text("you have to go")).await;
    let end = until(&mut eve, |event| matches!(event, Event::Closed { .. })).await;
    assert_eq!(end, Event::Closed { code: 4302, reason: "told to go".to_owned() });
}

/// One socket of a session, without the client that connects again.
struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    /// Asks for the session of this number; `room` may end with a token.
    async fn ask(
        address: &str,
        room: &str,
        number: u16,
        attempt: u64,
        life: Life,
    ) -> Result<Socket, tungstenite::Error> {
        let [first, second] = number.to_be_bytes();
        let mut key = [7; 16];
        (key[0], key[1]) = (first, second);
        let request = Request { key: Key::new(key), attempt, life, have: 0, acked: 0, sent: 0 };
        let offers = format!("stateroom.v1, {}", request.to_entry());
        let mut request = format!("ws://{address}/ws/{room}").into_client_request()?;
        request.headers_mut().insert("sec-websocket-protocol", offers.parse().unwrap());
        Ok(Socket(connect_async(request).await?.0))
    }

    /// The next text, or the code of the close.
    async fn hears(&mut self) -> Result<String, u16> {
        loop {
            match timeout(PATIENCE, self.0.next()).await.expect("something comes") {
                Some(Ok(tungstenite::Message::Text(text))) => return Ok(text.to_string()),
                Some(Ok(tungstenite::Message::Close(close))) => {
                    return Err(close.map_or(1005, |close| close.code.into()));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(1006),
            }
        }
    }

    /// The life of the room, from the welcome.
    async fn is_welcomed(&mut self) -> Life {
        let welcome = self.hears().await.unwrap();
        let mut words = welcome.strip_prefix("\0welcome ").expect(&welcome).split(' ');
        let mut next = || words.next().unwrap().parse().unwrap();
        Life { epoch: next(), incarnation: next() }
    }
}

/// How much memory a process has taken at most since `/proc/PID/clear_refs` was told 5.
#[cfg(target_os = "linux")]
fn most_memory(server: &Running) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_that_comes_back_at_once_gets_all_in_order_and_takes_little_memory() {
    const CROWD: u16 = 200;
    let arguments = ["--survives", "power-loss", "--max-retained-bytes-per-room", "512KiB"];
    let site = Site::with(BROADCASTING_ROOM.as_bytes(), &arguments);
    let mut command = site.command();
    // So long all wait together.
    delay_flushes(&mut command, &site.data(), 500);
    let mut server = Running::start(&mut command);
    let address = server.address();
    let mut life = Life::default();
    let first: Vec<_> =
        (0..CROWD).map(|number| Socket::ask(&address, "lobby", number, 1, life)).collect();
    let mut sockets = futures_util::future::try_join_all(first).await.unwrap();
    for socket in &mut sockets {
        life = socket.is_welcomed().await;
    }
    drop(sockets);
    until_status(&address, |status| status["active_connections"] == 0);
    let mut bob = Member::join(&address, "lobby").await;
    let mut said: Vec<_> =
        (0..8).map(|number| format!("{number} {}", "m".repeat(60_000))).collect();
    for message in &said {
        bob.says(message).await;
    }
    bob.hears("7 ").await;
    fs::write(format!("/proc/{}/clear_refs", server.id()), "5").unwrap();
    let before = most_memory(&server);
    bob.says("now").await;
    let again: Vec<_> =
        (0..CROWD).map(|number| Socket::ask(&address, "lobby", number, 2, life)).collect();
    let sockets = futures_util::future::try_join_all(again).await.unwrap();
    bob.says("after").await;
    said.extend(["now".to_owned(), "after".to_owned()]);
    let all = sockets.into_iter().map(|mut socket| {
        tokio::spawn(async move {
            socket.is_welcomed().await;
            let mut heard = Vec::new();
            while heard.len() < 10 {
                heard.push(socket.hears().await.unwrap());
            }
            heard
        })
    });
    for heard in all.collect::<Vec<_>>() {
        assert!(heard.await.unwrap() == said, "all, in order");
    }
    let more = (most_memory(&server) - before) >> 20;
    assert!(more < 40, "{more} MiB more, of {} MiB that were said", usize::from(CROWD) / 2);
}

#[tokio::test]
async fn whoever_comes_last_with_a_token_is_its_client_with_a_session_or_without() {
    let module = fs::read(crate::kept::guest("ledger")).unwrap();
    let site = Site::with(&module, &[]);
    let (_server, address) = site.serve();
    let room = "lobby?token=t";
    let (mut other, _) = Member::enter(&address, "lobby?token=other").await;
    let mut before: Option<Member> = None;
    for number in 1..4 {
        let mut session = Socket::ask(&address, room, number, 1, Life::default()).await.unwrap();
        session.is_welcomed().await;
        let greeting = session.hears().await.unwrap();
        assert!(greeting.starts_with("welcome 2 "), "{greeting}");
        if let Some(mut before) = before.take() {
            assert_eq!(before.ends().await.map(|(code, _)| code), Some(1008));
        }
        let (mut plain, id) = Member::enter(&address, room).await;
        assert_eq!(id, 2);
        assert_eq!(session.hears().await, Err(4300));
        plain.ask("log").await;
        before = Some(plain);
    }
    other.ask("log").await;
}

#[tokio::test]
async fn into_a_full_room_come_those_whom_it_knows_beside_their_own_dead_sockets() {
    let module = fs::read(crate::kept::guest("doorkeeper")).unwrap();
    let site = Site::with(&module, &["--max-clients-per-room", "2"]);
    let (_server, address) = site.serve();
    let first = Life::default();
    let ask = |number, attempt, life| Socket::ask(&address, "lobby", number, attempt, life);
    let mut bob = Member::join(&address, "lobby").await;
    bob.hears("here 1:?").await;
    let mut dead = ask(1, 1, first).await.unwrap();
    let life = dead.is_welcomed().await;
    assert_eq!(dead.hears().await.unwrap(), "here 1:? 2:?");
    for attempt in 2..5 {
        let mut stranger = ask(1 + attempt as u16, 1, first).await.unwrap();
        assert_eq!(stranger.hears().await, Err(4100), "it is full");
        let refused = Member::try_join(&address, "lobby").await;
        assert!(refused.is_err(), "plain clients are told so at once");
        drop(stranger);
        until_status(&address, |status| status["active_connections"] == 2);
        let mut again = ask(1, attempt, life).await.unwrap();
        assert_eq!(again.is_welcomed().await, life);
        assert_eq!(again.hears().await.unwrap(), "here 1:? 2:?");
        assert_eq!(dead.hears().await, Err(4300));
        dead = again;
        until_status(&address, |status| status["active_connections"] == 2);
    }
    // Who is away makes room also for plain clients.
    drop(dead);
    until_status(&address, |status| status["active_connections"] == 1);
    let mut eve = Member::join(&address, "lobby").await;
    eve.hears("here 1:? 3:?").await;
    bob.hears("2 left").await;
}

/// Comes to a room that fails each time, for two seconds; how often, and how often the log tells it.
async fn comes_again_and_again(mut server: Running, address: &str, line: &str) -> (usize, usize) {
    let end = Instant::now() + Duration::from_secs(2);
    let mut times = 0;
    while Instant::now() < end {
        let mut socket = Socket::ask(address, "lobby", 1, 1, Life::default()).await.unwrap();
        assert!(socket.hears().await.is_err(), "the room fails");
        times += 1;
    }
    server.hears(line);
    (times, server.said().matches(line).count())
}

#[tokio::test]
async fn who_comes_again_and_again_to_a_room_that_cannot_be_kept_or_opened_fills_no_log() {
    let site = Site::with(BROADCASTING_ROOM.as_bytes(), &[]);
    let fault = Fault::new(&site.data(), &site.folder.path().join("fault"), 1, "enospc").sticky();
    fault.lift();
    let mut command = site.command();
    fault.put_on(&mut command);
    let mut server = Running::start(&mut command);
    let address = server.address();
    fault.arm();
    let kept = comes_again_and_again(server, &address, "the room could not be kept").await;
    let initialize = r#"(func (export "initialize") (param i32 i32) (unreachable))"#;
    let broken =
        BROADCASTING_ROOM.replace(r#"(func (export "initialize") (param i32 i32))"#, initialize);
    let site = Site::with(broken.as_bytes(), &[]);
    let (server, address) = site.serve();
    let opened = comes_again_and_again(server, &address, "the room could not be opened").await;
    for (times, lines) in [kept, opened] {
        assert!(times > 10 && lines <= 4, "{lines} lines of {times} times");
    }
}

#[tokio::test]
async fn whose_key_the_room_knows_is_not_kept_away_for_others_at_its_address() {
    let site = Site::with(BROADCASTING_ROOM.as_bytes(), &[]);
    let (_server, address) = site.serve();
    let first = Life::default();
    let mut bob = Socket::ask(&address, "lobby", 1, 1, first).await.unwrap();
    let life = bob.is_welcomed().await;
    drop(bob);
    until_status(&address, |status| status["active_connections"] == 0);
    for _ in 0..3 {
        let mut mallory = Member::join(&address, "lobby").await;
        mallory.says("x").await;
        assert_eq!(mallory.ends().await.map(|(code, _)| code), Some(1011));
    }
    let mut mallory = Member::join(&address, "lobby").await;
    assert_eq!(mallory.ends().await.map(|(code, _)| code), Some(1008), "it is kept away");
    let mut stranger = Socket::ask(&address, "lobby", 2, 1, first).await.unwrap();
    assert_eq!(stranger.hears().await, Err(4100), "and whoever else comes from there");
    let mut bob = Socket::ask(&address, "lobby", 1, 2, life).await.unwrap();
    assert_eq!(bob.is_welcomed().await, life);
    // Its own offences do keep it away.
    for number in 1..4 {
        bob.0.send(tungstenite::Message::text("x")).await.unwrap();
        let skipped = format!("\0skipped {number} ");
        while !bob.hears().await.unwrap().starts_with(&skipped) {}
    }
    assert_eq!(bob.hears().await, Err(4100));
    let mut bob = Socket::ask(&address, "lobby", 1, 3, life).await.unwrap();
    assert_eq!(bob.hears().await, Err(4100));
}

#[tokio::test]
async fn a_handshake_that_is_malformed_is_told_of_in_the_log_and_no_key_is() {
    let site = Site::with(BROADCASTING_ROOM.as_bytes(), &["--log", "trace"]);
    let (mut server, address) = site.serve();
    let key = "q83vEjRWeJCrze8SNFZ4kA";
    let mut request = format!("ws://{address}/ws/lobby").into_client_request().unwrap();
    let offers = format!("stateroom.v1, s.{key}.0.0.0.0.0.0");
    request.headers_mut().insert("sec-websocket-protocol", offers.parse().unwrap());
    assert!(connect_async(request).await.is_err());
    server.hears("the session in the handshake is malformed: it must be");
    assert!(!server.said().contains(key));
}

/// One client of the storm: says its numbers, and tells all that it has heard.
fn says_and_listens(
    mut room: RoomClient,
    name: String,
    says: usize,
    hears: usize,
    pause: u64,
) -> JoinHandle<Vec<String>> {
    tokio::spawn(async move {
        let mut rng = Rng::with_seed(name.bytes().map(u64::from).sum());
        let (mut said, mut heard) = (0, Vec::new());
        while heard.len() < hears || said < says {
            let pause = Duration::from_micros(rng.u64(0..pause));
            tokio::select! {
                () = sleep(pause), if said < says => {
                    if room.send(&format!("{name} {said}")).is_ok() {
                        said += 1;
                    }
                }
                event = room.next() => match event.expect("it has not ended") {
                    Event::Message(Message::Text(text)) => heard.push(text),
                    Event::Resumed { recovered, .. } => assert!(recovered, "{name} has missed something"),
                    Event::Unsettled { messages } => panic!("{name}: {messages:?}"),
                    Event::Closed { code, reason } => panic!("{name}: {code} {reason}"),
                    _ => {}
                },
            }
        }
        timeout(PATIENCE, room.settled()).await.expect("it is settled").expect("it is heard");
        heard
    })
}

struct Storm {
    rooms: usize,
    /// In each room.
    clients: usize,
    /// How much each of them says.
    says: usize,
    mishaps: usize,
    seed: u64,
}

/// The storm of this run: `STORM_MISHAPS=300` and so on make it a longer one.
fn storm() -> Storm {
    let number = |name: &str, or: u64| std::env::var(name).map_or(or, |text| text.parse().unwrap());
    let size = |name: &str, or: u64| number(name, or) as usize;
    Storm {
        rooms: size("STORM_ROOMS", 3),
        clients: size("STORM_CLIENTS", 4),
        says: size("STORM_MESSAGES", 400),
        mishaps: size("STORM_MISHAPS", 25),
        seed: number("STORM_SEED", 7),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_storm_everything_comes_once_and_in_order() {
    let Storm { rooms, clients, says, mishaps, seed } = storm();
    // So that somebody says something as long as there are mishaps; two of these are 135 ms apart.
    let pause = 270_000 * mishaps as u64 / says as u64;
    for arguments in [&[][..], &["--survives", "power-loss"]] {
        let quick = ["--sleep-after", "50ms", "--hibernate-after", "50ms"];
        let retained = ["--max-retained-bytes-per-room", "8MiB"];
        let arguments = [arguments, &quick, &retained].concat();
        let site = Site::with(BROADCASTING_ROOM.as_bytes(), &arguments);
        let (server, address) = site.serve();
        let mut server: Option<Running> = Some(server);
        let proxy = Proxy::before(&address).await;
        let mut all = Vec::new();
        for room in 0..rooms {
            let mut members = Vec::new();
            for name in 0..clients {
                let mut member = client(&proxy.address, &format!("room-{room}"));
                until(&mut member, |event| *event == Event::Opened).await;
                members.push((format!("client-{room}-{name}"), member));
            }
            for (name, member) in members {
                all.push((
                    room,
                    name.clone(),
                    says_and_listens(member, name, says, clients * says, pause),
                ));
            }
        }
        let mut rng = Rng::with_seed(seed);
        for _ in 0..mishaps {
            sleep(Duration::from_millis(rng.u64(20..250))).await;
            match rng.u32(0..10) {
                0..=3 => proxy.has(Mishap::Cut, rng.u32(1..5)),
                4 | 5 => proxy.has(Mishap::HalfClose, rng.u32(1..5)),
                6 | 7 => proxy.has(Mishap::HoldUp(rng.u64(1..400)), rng.u32(1..5)),
                8 => {
                    drop(server.take());
                    let (next, address) = site.serve();
                    proxy.lead_to(&address);
                    server = Some(next);
                }
                _ => {
                    server.take().unwrap().terminate();
                    let (next, address) = site.serve();
                    proxy.lead_to(&address);
                    server = Some(next);
                }
            }
        }
        let mut first: HashMap<usize, Vec<String>> = HashMap::new();
        for (room, name, client) in all {
            let heard = timeout(PATIENCE, client).await.expect("it hears everything").unwrap();
            let own: Vec<_> =
                heard.iter().filter(|text| text.starts_with(&format!("{name} "))).collect();
            assert_eq!(
                own,
                (0..says)
                    .map(|number| format!("{name} {number}"))
                    .collect::<Vec<_>>()
                    .iter()
                    .collect::<Vec<_>>()
            );
            let others = first.entry(room).or_insert_with(|| heard.clone());
            assert_eq!(*others, heard, "all in a room have heard the same");
        }
        drop(server);
    }
}
