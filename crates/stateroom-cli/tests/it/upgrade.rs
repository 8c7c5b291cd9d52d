//! `stateroom serve` is given new code while people are in its rooms.

use crate::{
    kept::{Member, Site, guest, ledger},
    process::{Running, until_status},
    project::REMEMBERING_ROOM,
};
use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::time::{sleep, timeout};

const CLIENTS: usize = 100;
const ROOMS: usize = 10;
const SWAPS: usize = 20;

fn reload(server: &mut Running) {
    server.signal("-HUP");
    server.hears("the module was loaded again");
}

/// Waits until a room of ledgers runs this version.
async fn until_version(member: &mut Member, version: usize) {
    let wanted = format!("version-{version:02}");
    let asked = async {
        loop {
            member.says("version").await;
            if member.hears("version").await == wanted {
                return;
            }
        }
    };
    timeout(Duration::from_secs(20), asked).await.unwrap_or_else(|_| panic!("no {wanted}"));
}

#[tokio::test]
async fn new_code_tells_everybody_that_it_has_taken_over_and_goes_on_with_the_timers() {
    let mut module = std::fs::read(guest("alarms")).unwrap();
    let site = Site::with(&module, &[]);
    let (mut server, address) = site.serve();
    let mut member = Member::join(&address, "test").await;
    for message in ["schedule far 3600000", "schedule old 1000", "timer 500"] {
        member.says(message).await;
    }
    // A section that nobody reads makes it other code.
    module.extend([0, 2, 1, b'2']);
    site.deploy(&module);
    reload(&mut server);
    let mut heard = HashSet::new();
    while heard.len() < 4 {
        heard.insert(member.hears("").await);
    }
    let all = ["new code", "the timer", "new", "old"];
    assert_eq!(heard, all.map(str::to_owned).into());

    // Where it fails at that, the old code goes on.
    member.says("stay").await;
    module.extend([0, 2, 1, b'3']);
    site.deploy(&module);
    server.signal("-HUP");
    server.hears("the old code is to stay; in");
    member.says("schedule still 1").await;
    assert_eq!(member.hears("").await, "still");
}

#[tokio::test]
async fn a_hundred_clients_go_on_talking_while_the_module_is_replaced_twenty_times() {
    let versions = [ledger(1), ledger(2)];
    let site = Site::with(&versions[0], &["--sleep-after", "100ms", "--hibernate-after", "100ms"]);
    let (mut server, address) = site.serve();
    let (mut quiet, _) = Member::enter(&address, "quiet").await;
    quiet.says("add 7").await;
    quiet.hears("added").await;
    let spoken = Arc::new(Spoken::default());
    let talkers: Vec<_> = (0..CLIENTS)
        .map(|client| tokio::spawn(talk(address.clone(), client % ROOMS, spoken.clone())))
        .collect();
    let mut observers = Vec::new();
    for room in 0..ROOMS {
        observers.push(Member::enter(&address, &format!("room-{room}")).await.0);
    }
    let started = Instant::now();
    for swap in 1..=SWAPS {
        let version = swap % 2;
        site.deploy(&versions[version]);
        server = tokio::task::spawn_blocking(|| {
            reload(&mut server);
            server
        })
        .await
        .unwrap();
        for observer in &mut observers {
            until_version(observer, version + 1).await;
        }
    }
    let time = started.elapsed();
    spoken.is_over.store(true, Relaxed);
    let mut all: [Vec<u64>; ROOMS] = Default::default();
    let mut talks = Vec::new();
    for (client, talker) in talkers.into_iter().enumerate() {
        let talk = talker.await.unwrap();
        assert!(talk.sent.len() > SWAPS, "client {client} has hardly talked");
        all[client % ROOMS].extend(&talk.sent);
        talks.push(talk);
    }
    for (room, (observer, sent)) in observers.iter_mut().zip(&all).enumerate() {
        let log: Vec<u64> = serde_json::from_str(&observer.ask("log").await).unwrap();
        assert_eq!(log.len(), sent.len(), "nothing is lost or doubled");
        assert_eq!(log.iter().collect::<HashSet<_>>(), sent.iter().collect());
        for talk in talks.iter().skip(room).step_by(ROOMS) {
            assert_eq!(log[talk.joined_at..], talk.seen, "everyone has seen all that came");
        }
    }
    eprintln!("{SWAPS} swaps under {} messages in {time:?}", spoken.numbers.load(Relaxed));
    until_version(&mut quiet, SWAPS % 2 + 1).await;
    assert_eq!(quiet.ask("log").await, "[7]");
}

/// What all clients share.
#[derive(Default)]
struct Spoken {
    /// The next number that nobody has said.
    numbers: AtomicU64,
    /// How many were said in each room.
    in_rooms: [AtomicUsize; ROOMS],
    is_over: AtomicBool,
}

/// What a client has said and seen.
struct Talk {
    /// Never closed.
    member: Member,
    sent: Vec<u64>,
    seen: Vec<u64>,
    joined_at: usize,
}

/// Says a number every 20 ms, and goes when it has seen all that was said in its room.
async fn talk(address: String, room: usize, spoken: Arc<Spoken>) -> Talk {
    let mut member = Member::join(&address, &format!("room-{room}")).await;
    let welcome = member.hears("welcome").await;
    let joined_at = welcome.split(' ').nth(2).unwrap().parse().unwrap();
    let mut talk = Talk { member, sent: Vec::new(), seen: Vec::new(), joined_at };
    let mut speaks_at = tokio::time::Instant::now();
    loop {
        tokio::select! {
            next = talk.member.next() => {
                let text = next.expect("no socket is closed");
                if let Some(number) = text.strip_prefix("added ") {
                    talk.seen.push(number.parse().unwrap());
                }
            }
            () = tokio::time::sleep_until(speaks_at) => {
                speaks_at += Duration::from_millis(20);
                if !spoken.is_over.load(Relaxed) {
                    let number = spoken.numbers.fetch_add(1, Relaxed);
                    spoken.in_rooms[room].fetch_add(1, Relaxed);
                    talk.sent.push(number);
                    talk.member.says(&format!("add {number}")).await;
                } else if joined_at + talk.seen.len() == spoken.in_rooms[room].load(Relaxed) {
                    return talk;
                }
            }
        }
    }
}

/// A room of another author: it answers everything with `new`.
fn other_room() -> String {
    let answer = "(call $send (local.get $client) (i32.const 4096) (global.get $length))";
    assert!(REMEMBERING_ROOM.contains(answer));
    REMEMBERING_ROOM
        .replace(answer, "(call $send (local.get $client) (i32.const 32) (i32.const 3))")
        .replace(
            "(data (i32.const 8) \"\\01\")",
            "(data (i32.const 8) \"\\01\") (data (i32.const 32) \"new\")",
        )
}

async fn answer(member: &mut Member, text: &str) -> String {
    member.says(text).await;
    member.hears("").await
}

#[tokio::test]
async fn rooms_that_cannot_be_carried_over_go_on_with_their_code_and_new_ones_take_the_new() {
    let site = Site::with(REMEMBERING_ROOM.as_bytes(), &["--survives", "crash"]);
    let (mut server, address) = site.serve();
    let mut old = Member::join(&address, "old").await;
    assert_eq!(answer(&mut old, "one").await, "");

    site.deploy(other_room().as_bytes());
    server.signal("-HUP");
    server.hears("the room goes on with the code it began with");
    assert_eq!(answer(&mut old, "two").await, "one");
    // Each thread of the server is told for itself.
    sleep(Duration::from_millis(200)).await;
    let mut new = Member::join(&address, "new").await;
    assert_eq!(answer(&mut new, "two").await, "new");
    drop(server);

    // The old code is nowhere but in the store.
    let (_server, address) = site.serve();
    let mut old = Member::join(&address, "old").await;
    assert_eq!(answer(&mut old, "three").await, "two");
    let mut new = Member::join(&address, "new").await;
    assert_eq!(answer(&mut new, "three").await, "new");
}

#[tokio::test]
async fn a_file_that_is_no_module_changes_nothing() {
    let site = Site::new(&[]);
    let (mut server, address) = site.serve();
    let (mut member, _) = Member::enter(&address, "test").await;
    member.says("add 1").await;
    for wrong in [&b"this is not a module"[..], b"(module)"] {
        site.deploy(wrong);
        server.signal("-HUP");
        server.hears("the module could not be loaded again");
    }
    std::fs::remove_file(site.module()).unwrap();
    server.signal("-HUP");
    server.hears("the module could not be loaded again");
    assert_eq!(member.ask("log").await, "[1]");
    site.deploy(&ledger(1));
    reload(&mut server);
    until_version(&mut member, 1).await;
    assert_eq!(member.ask("log").await, "[1]");
}

#[tokio::test]
async fn a_state_that_the_new_code_cannot_take_stays_with_the_old_and_the_log_says_why() {
    let module = |name| std::fs::read(guest(name)).unwrap();
    let site = Site::with(&module("tally"), &[]);
    let (mut server, address) = site.serve();
    let mut member = Member::join(&address, "test").await;
    assert_eq!(answer(&mut member, "a").await, "a: 1");

    site.deploy(&module("tally_renamed"));
    server.signal("-HUP");
    let line = server.hears("the room goes on with the code it began with");
    assert!(line.contains("missing field `total`"), "{line}");
    assert_eq!(answer(&mut member, "b").await, "b: 2");

    site.deploy(&module("tally_grown"));
    server.signal("-HUP");
    server.hears("the new code goes on with the state of the old");
    assert_eq!(answer(&mut member, "c").await, "c: 3");
    drop(server);
    let (_server, address) = site.serve();
    let mut member = Member::join(&address, "test").await;
    assert_eq!(answer(&mut member, "d").await, "d: 4");
}

#[tokio::test]
async fn rooms_that_nobody_is_in_take_the_new_code_when_somebody_comes() {
    let site = Site::with(&ledger(1), &["--empty-room-timeout", "50ms"]);
    let (mut server, address) = site.serve();
    let (mut member, _) = Member::enter(&address, "test").await;
    member.says("add 1").await;
    member.hears("added").await;
    drop(member);
    until_status(&address, |status| status["rooms"] == 0);
    site.deploy(&ledger(2));
    reload(&mut server);
    let mut member = Member::join(&address, "test").await;
    assert!(member.hears("welcome").await.ends_with(" 1 version-02"));
    assert_eq!(member.ask("log").await, "[1]");
    // Twice the same changes nothing.
    reload(&mut server);
    sleep(Duration::from_millis(50)).await;
    assert_eq!(member.ask("log").await, "[1]");
}
