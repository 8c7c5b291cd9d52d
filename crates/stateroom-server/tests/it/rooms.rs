//! What clients of rooms can rely on.

use crate::support::{heard, start, until_heard, within};
use futures_util::{SinkExt as _, StreamExt as _};
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt as _;
use tokio_tungstenite::tungstenite::Message;

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_one_room_hear_each_other_and_nobody_else() {
    let server = start(|_| {}).await;
    let mut ann = server.join("/ws/tea").await;
    let mut bob = server.join("/ws/tea").await;
    let mut eve = server.join("/ws/coffee").await;
    assert_eq!(ann.text().await, "you are 1 in tea");
    assert_eq!(bob.text().await, "you are 2 in tea");
    assert_eq!(eve.text().await, "you are 1 in coffee");
    ann.send("all hello").await;
    assert_eq!((ann.text().await, bob.text().await), ("hello".into(), "hello".into()));
    bob.send("others psst").await;
    assert_eq!(ann.text().await, "psst");
    assert_eq!(bob.ask("to myself").await, "to myself");
    assert_eq!(eve.ask("nothing before this?").await, "nothing before this?");
}

#[tokio::test(flavor = "multi_thread")]
async fn binary_and_empty_messages_arrive_as_they_were_sent() {
    let server = start(|_| {}).await;
    let mut client = server.join("/ws/binary").await;
    client.text().await;
    for payload in [vec![], vec![0, 255, 128], vec![7; 125], vec![7; 126], vec![7; 70_000]] {
        client.0.send(Message::binary(payload.clone())).await.unwrap();
        assert_eq!(client.next().await, Message::binary(payload));
    }
    assert_eq!(client.ask("").await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_messages_sent_at_once_arrive_whole_and_in_order() {
    let server = start(|_| {}).await;
    let mut client = server.join("/ws/order").await;
    client.text().await;
    for number in 0..1000 {
        client.0.feed(Message::text(format!("{number} {}", "x".repeat(number)))).await.unwrap();
    }
    client.0.flush().await.unwrap();
    for number in 0..1000 {
        assert_eq!(client.text().await, format!("{number} {}", "x".repeat(number)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_gives_a_returning_client_its_id_back() {
    let server = start(|_| {}).await;
    let mut first = server.join("/ws/token?token=s3cret").await;
    assert_eq!(first.text().await, "you are 1 in token");
    first.0.close(None).await.unwrap();
    until_heard("token", "disconnect 1").await;
    let mut other = server.join("/ws/token").await;
    assert_eq!(other.text().await, "you are 2 in token");
    let mut again = server.join("/ws/token?token=s3cret").await;
    assert_eq!(again.text().await, "you are 1 in token");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_used_twice_closes_the_older_connection() {
    let server = start(|_| {}).await;
    let mut older = server.join("/ws/twice?token=t").await;
    older.text().await;
    let mut newer = server.join("/ws/twice?token=t").await;
    assert_eq!(newer.text().await, "you are 1 in twice");
    assert_eq!(older.closed().await.0, 1008);
    assert_eq!(newer.ask("still here").await, "still here");
    assert_eq!(heard("twice"), ["connect 1", "disconnect 1", "connect 1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_client_disconnects_exactly_once_however_its_socket_ends() {
    let server = start(|_| {}).await;
    let mut witness = server.join("/ws/ends").await;
    witness.text().await;

    let mut polite = server.join("/ws/ends").await;
    polite.text().await;
    polite.0.close(None).await.unwrap();
    assert_eq!(witness.text().await, "2 left");

    let mut abrupt = server.join("/ws/ends").await;
    abrupt.text().await;
    drop(abrupt);
    assert_eq!(witness.text().await, "3 left");

    let mut reset = server.join("/ws/ends").await;
    reset.text().await;
    let tokio_tungstenite::MaybeTlsStream::Plain(stream) = reset.0.get_ref() else { panic!() };
    stream.set_zero_linger().unwrap();
    drop(reset);
    assert_eq!(witness.text().await, "4 left");

    assert_eq!(
        witness.ask("log").await,
        "connect 1,connect 2,disconnect 2,connect 3,disconnect 3,connect 4,disconnect 4"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clients_last_words_are_heard_before_its_disconnect() {
    let server = start(|_| {}).await;
    let mut witness = server.join("/ws/words").await;
    witness.text().await;
    let mut leaver = server.join("/ws/words").await;
    leaver.text().await;
    for word in ["all one", "all two"] {
        leaver.0.feed(Message::text(word)).await.unwrap();
    }
    leaver.0.close(None).await.unwrap();
    assert_eq!(witness.text().await, "one");
    assert_eq!(witness.text().await, "two");
    assert_eq!(witness.text().await, "2 left");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_timer_reaches_everyone_in_the_room() {
    let server = start(|_| {}).await;
    let mut ann = server.join("/ws/timer").await;
    let mut bob = server.join("/ws/timer").await;
    ann.text().await;
    bob.text().await;
    ann.send("timer 20").await;
    assert_eq!((ann.text().await, bob.text().await), ("timer".into(), "timer".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_room_lives_on_for_a_while_and_then_starts_anew() {
    let server = start(|config| config.empty_room_timeout = Duration::from_millis(300)).await;
    let mut first = server.join("/ws/empty").await;
    assert_eq!(first.text().await, "you are 1 in empty");
    drop(first);
    until_heard("empty", "disconnect 1").await;
    let mut second = server.join("/ws/empty").await;
    assert_eq!(second.text().await, "you are 2 in empty", "the room had not ended yet");
    drop(second);
    server.until_status(|status| status["rooms"] == 0).await;
    let mut third = server.join("/ws/empty").await;
    assert_eq!(third.text().await, "you are 1 in empty");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_room_closes_its_clients_and_the_next_client_gets_a_fresh_one() {
    let server = start(|_| {}).await;
    let mut ann = server.join("/ws/fails").await;
    let mut bob = server.join("/ws/fails").await;
    let mut neighbour = server.join("/ws/neighbour").await;
    ann.text().await;
    bob.text().await;
    neighbour.text().await;
    ann.0.feed(Message::text("all before")).await.unwrap();
    ann.send("panic").await;
    assert_eq!(bob.text().await, "before", "what was sent before the failure is delivered");
    for client in [&mut ann, &mut bob] {
        assert_eq!(client.closed().await, (1011, "room failed: the service panicked".to_owned()));
    }
    let mut fresh = server.join("/ws/fails").await;
    assert_eq!(fresh.text().await, "you are 1 in fails");
    assert_eq!(neighbour.ask("unharmed").await, "unharmed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_cannot_start_says_so_and_leaves_nothing_behind() {
    let server = start(|_| {}).await;
    for _ in 0..3 {
        let mut client = server.join("/ws/unstartable").await;
        let expected = (1011, "room failed: it could not start".to_owned());
        assert_eq!(client.closed().await, expected);
    }
    server.until_status(|status| status["rooms"] == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn swapping_the_service_keeps_sockets_and_ids() {
    let server = start(|_| {}).await;
    let mut ann = server.join("/ws/swap").await;
    let mut bob = server.join("/ws/swap").await;
    ann.text().await;
    bob.text().await;
    drop(ann);
    assert_eq!(bob.text().await, "1 left");
    server.handle.swap(crate::support::Factory::new()).unwrap();
    assert_eq!(bob.text().await, "you are 2 in swap", "the new service hears bob connect");
    assert_eq!(bob.ask("log").await, "connect 2");
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_peers_are_pinged_and_dead_ones_dropped() {
    let server = start(|config| {
        config.heartbeat_interval = Duration::from_millis(100);
        config.heartbeat_timeout = Duration::from_millis(600);
    })
    .await;
    let mut witness = server.join("/ws/heartbeat").await;
    witness.text().await;
    // This client's library answers pings only while it is polled, which nobody does.
    let mut dead = server.join("/ws/heartbeat").await;
    assert_eq!(dead.text().await, "you are 2 in heartbeat");
    let mut pings = 0;
    within(async {
        loop {
            match witness.0.next().await.unwrap().unwrap() {
                Message::Ping(_) => pings += 1,
                Message::Text(text) => break assert_eq!(text, "2 left"),
                other => panic!("{other:?}"),
            }
        }
    })
    .await;
    assert!(pings >= 3, "{pings} pings");
    assert_eq!(witness.ask("alive").await, "alive");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_busy_room_lends_its_thread_to_the_others() {
    let server = start(|_| {}).await;
    let mut busy = server.join("/ws/busy").await;
    let mut neighbour = server.join("/ws/not-busy").await;
    busy.text().await;
    neighbour.text().await;
    for round in 0..3 {
        busy.send("busy 600").await;
        let end = Instant::now() + Duration::from_millis(500);
        let mut echoes = 0;
        while Instant::now() < end {
            let sent = Instant::now();
            assert_eq!(neighbour.ask("hello").await, "hello");
            assert!(sent.elapsed() < Duration::from_millis(200), "{:?}", sent.elapsed());
            echoes += 1;
        }
        assert!(echoes > 50, "round {round}: {echoes} echoes");
        // Somebody new is let in as well.
        server.join("/ws/new").await.text().await;
        assert_eq!(busy.text().await, "done");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_flood_of_small_events_in_one_room_leaves_the_others_their_turn() {
    let server = start(|_| {}).await;
    let mut flooder = server.join("/ws/flooded").await;
    let mut neighbour = server.join("/ws/dry").await;
    flooder.text().await;
    neighbour.text().await;
    // One read brings all of these, which are half a second of work.
    for _ in 0..2500 {
        flooder.0.feed(Message::text("work 200")).await.unwrap();
    }
    flooder.send("done").await;
    let mut echoes = 0;
    let end = Instant::now() + Duration::from_millis(400);
    while Instant::now() < end {
        assert_eq!(neighbour.ask("hello").await, "hello");
        echoes += 1;
    }
    assert!(echoes > 20, "{echoes} echoes");
    assert_eq!(flooder.text().await, "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn times_may_be_as_long_as_can_be_said() {
    let mut server = start(|config| {
        config.empty_room_timeout = Duration::MAX;
        config.heartbeat_interval = Duration::MAX;
        config.heartbeat_timeout = Duration::MAX;
        config.sleep_after = Duration::MAX;
        config.shutdown_timeout = Duration::MAX;
    })
    .await;
    for id in 1..=2 {
        let mut client = server.join("/ws/for-ever").await;
        assert_eq!(client.text().await, format!("you are {id} in for-ever"));
        assert_eq!(client.ask("hello").await, "hello");
        client.0.close(None).await.unwrap();
        until_heard("for-ever", &format!("disconnect {id}")).await;
    }
    server.handle.shutdown();
    within(&mut server.ended).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_sends_much_writes_once_in_a_window() {
    const WINDOW: Duration = Duration::from_millis(20);
    const MESSAGES: usize = 300;
    let server = start(|config| config.flush_window = WINDOW).await;
    let mut sender = server.join("/ws/window").await;
    sender.text().await;
    let receiver = server.join("/ws/window").await;
    let tokio_tungstenite::MaybeTlsStream::Plain(mut receiver) = receiver.0.into_inner() else {
        panic!("not plain")
    };
    // One read has all that one write had, unless the receiver is late; then there are still fewer.
    let reading = tokio::spawn(async move {
        let (mut reads, mut heard, mut buffer) = (0, Vec::new(), vec![0; 65_536]);
        let mut bytes = Vec::new();
        while heard.len() < MESSAGES {
            let length = within(receiver.read(&mut buffer)).await.unwrap();
            assert_ne!(length, 0);
            reads += 1;
            bytes.extend_from_slice(&buffer[..length]);
            while let Some(frame) = whole_frame(&mut bytes) {
                if let Ok(number) = frame.parse::<usize>() {
                    assert_eq!(number, heard.len());
                    heard.push(Instant::now());
                }
            }
        }
        (reads, heard)
    });
    let start = Instant::now();
    let mut sent = Vec::new();
    for number in 0..MESSAGES {
        sent.push(Instant::now());
        sender.send(&format!("others {number}")).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (reads, heard) = reading.await.unwrap();
    let windows = start.elapsed().as_millis() / WINDOW.as_millis();
    assert!(reads <= windows + 3, "{reads} reads in {windows} windows");
    let mut late: Vec<Duration> =
        heard.iter().zip(&sent).map(|(heard, sent)| *heard - *sent).collect();
    late.sort_unstable();
    // The machine may be busy now and then, but not most of the time.
    assert!(late[MESSAGES / 2] <= WINDOW + Duration::from_millis(5), "{:?}", late[MESSAGES / 2]);
    assert!(late[MESSAGES - 1] <= Duration::from_secs(1), "{:?}", late[MESSAGES - 1]);
}

/// Takes a short frame from the front of `bytes`, if it is there whole.
fn whole_frame(bytes: &mut Vec<u8>) -> Option<String> {
    let end = 2 + usize::from(*bytes.get(1)?);
    let frame: Vec<u8> = (end <= bytes.len()).then(|| bytes.drain(..end).collect())?;
    Some(String::from_utf8_lossy(&frame[2..]).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_has_written_nothing_for_the_window_writes_at_once() {
    const WINDOW: Duration = Duration::from_secs(1);
    let server = start(|config| config.flush_window = WINDOW).await;
    let mut client = server.join("/ws/patient").await;
    client.text().await;
    tokio::time::sleep(WINDOW).await;
    // Neither a message without an answer nor a pong is the room's writing.
    client.send("quiet").await;
    client.0.send(Message::Ping("ping".into())).await.unwrap();
    assert_eq!(client.next().await, Message::Pong("ping".into()));
    let before = Instant::now();
    assert_eq!(client.ask("at once").await, "at once");
    assert!(before.elapsed() < WINDOW / 2, "it waited {:?}", before.elapsed());
    let before = Instant::now();
    assert_eq!(client.ask("with the next").await, "with the next");
    assert!(before.elapsed() >= WINDOW / 2, "it waited {:?}", before.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_crowd_that_joins_one_room_leaves_the_others_their_turn() {
    const CROWD: usize = 300;
    let server = start(|config| config.shards = 1).await;
    let mut neighbour = server.join("/ws/not-crowded").await;
    neighbour.text().await;
    // To let them in is 600 ms of work.
    let address = server.address;
    let crowd = tokio::spawn(async move {
        let url = format!("ws://{address}/ws/slow-to-let-in");
        let joins = (0..CROWD).map(|_| tokio_tungstenite::connect_async(&url));
        futures_util::future::try_join_all(joins).await.unwrap()
    });
    within(async {
        while heard("slow-to-let-in").is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut longest = Duration::ZERO;
    while heard("slow-to-let-in").len() < CROWD {
        let before = Instant::now();
        assert_eq!(neighbour.ask("hello").await, "hello");
        longest = longest.max(before.elapsed());
    }
    assert!(longest < Duration::from_millis(200), "an echo took {longest:?}");
    assert_eq!(within(crowd).await.unwrap().len(), CROWD);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_crowd_that_leaves_one_room_leaves_the_others_their_turn() {
    const CROWD: usize = 300;
    let server = start(|config| config.shards = 1).await;
    let mut neighbour = server.join("/ws/not-left").await;
    neighbour.text().await;
    let joins = (0..CROWD).map(|_| server.join("/ws/slow-to-let-go"));
    let crowd = futures_util::future::join_all(joins).await;
    server.until_status(|status| status["active_connections"] == CROWD + 1).await;
    // To let them go is 600 ms of work.
    drop(crowd);
    let mut longest = Duration::ZERO;
    while heard("slow-to-let-go").len() < 2 * CROWD {
        let before = Instant::now();
        assert_eq!(neighbour.ask("hello").await, "hello");
        longest = longest.max(before.elapsed());
    }
    assert!(longest < Duration::from_millis(200), "an echo took {longest:?}");
    server.until_status(|status| status["active_connections"] == 1).await;
    assert_eq!(
        server.join("/ws/slow-to-let-go").await.text().await,
        "you are 301 in slow-to-let-go"
    );
}
