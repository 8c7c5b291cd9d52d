//! The log on a PostgreSQL that each test starts: what was told to be durable is there, and nobody appends to what
//! somebody else has claimed, whatever is cut and killed.

mod support {
    pub(crate) mod bare;
    pub(crate) mod proxy;
    pub(crate) mod server;
}

use fastrand::Rng;
use futures_util::future::join_all;
use stateroom_postgres::{
    Copies, FORMAT, Log, LogError, Options, OwnedPart, Part, Record, RoomState, Statements,
    Unsettled,
};
use std::{collections::BTreeMap, time::Duration};
use support::{
    bare::execute_without_sync,
    proxy::{Proxy, Way},
    server::{Server, address, until},
};
use tokio_postgres::Client;

fn part(number: u16) -> Part {
    Part::new(number).expect("a part")
}

fn parts(numbers: std::ops::Range<u16>) -> Vec<Part> {
    numbers.map(part).collect()
}

fn options(port: u16, node: &str) -> Options {
    Options::new(&address(port), node).expect("options")
}

async fn open(server: &Server, node: &str) -> Log {
    Log::open(options(server.port, node)).await.expect("it opens")
}

async fn claim(log: &Log, parts: &[Part]) -> Vec<OwnedPart> {
    let claimed = log.claim(parts).await.expect("connected");
    assert!(claimed.failed.is_empty(), "{:?}", claimed.failed);
    claimed.owned
}

async fn claim_one(log: &Log, number: u16) -> OwnedPart {
    claim(log, &[part(number)]).await.pop().expect("one")
}

/// What a part has had, without its claims.
async fn bodies(log: &Log, part: Part) -> Vec<(i64, Vec<u8>)> {
    let records = log.read(part, 0, i64::MAX, u32::MAX).await.expect("read");
    let body = |record: Record| Some((record.seq, record.body?.to_vec()));
    records.into_iter().filter_map(body).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_has_appended_is_found_by_the_next_one_and_by_it_alone() {
    let server = Server::start().await;
    let one = open(&server, "one").await;
    let bystander = server.client().await;
    let mut owned = claim(&one, &parts(0..32)).await;
    for round in 0..10_i64 {
        let appends = owned.iter_mut().map(|owned| async move {
            let body = format!("{round} of {}", owned.part()).into_bytes();
            assert_eq!(owned.append(body).await.expect("durable"), 2 + round);
        });
        join_all(appends).await;
    }
    let large = vec![7; 3 << 20];
    assert_eq!(owned[3].append(large.clone()).await.expect("durable"), 12);

    let other = open(&server, "two").await;
    let taken = claim(&other, &parts(0..32)).await;
    for (before, after) in owned.iter_mut().zip(&taken) {
        assert_eq!(before.part(), after.part());
        assert!(after.epoch() > before.epoch() && after.claimed_at() == before.last() + 1);
        let found = bodies(&other, after.part()).await;
        let expected = (0..10).map(|round| format!("{round} of {}", after.part()).into_bytes());
        let last = (after.part() == part(3)).then(|| large.clone());
        let expected: Vec<_> = (2..).zip(expected.chain(last)).collect();
        assert_eq!(found, expected);
        let lost = before.append("late").await.expect_err("it is lost");
        assert!(matches!(lost, LogError::Lost { .. }), "{lost}");
        assert!(!before.is_owned());
    }
    // Nobody's connections are ended but those of owners.
    bystander.batch_execute("select 1").await.expect("still connected");
    // Whoever has lost a part can claim it again.
    let mut again = claim_one(&one, 3).await;
    assert_eq!(again.append("back").await.expect("durable"), again.claimed_at() + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn states_are_kept_and_records_trimmed_by_the_owner_alone() {
    let server = Server::start().await;
    let one = open(&server, "one").await;
    let lobby = Part::of_room("lobby");
    let mut owner = claim_one(&one, lobby.number()).await;
    for number in 0..5_u8 {
        owner.append(vec![number]).await.expect("durable");
    }
    let state =
        |seq: i64, body: &'static str| RoomState { seq, module: vec![7; 32], body: body.into() };
    let long = "x".repeat(10_000);
    assert_eq!(one.put_states(&owner, &[("lobby", state(4, "four"))]).await.expect("kept"), 1);
    let rest = [("lobby", state(3, "older")), ("a\0b", state(4, "odd")), (&long, state(4, "long"))];
    assert_eq!(one.put_states(&owner, &rest).await.expect("kept"), 2, "the older one is not");
    assert_eq!(one.state("lobby").await.expect("read"), Some(state(4, "four")));
    assert_eq!(one.rooms(lobby, None, 10).await.expect("read").len(), 3);
    assert_eq!(one.delete_states(&owner, &["a\0b", "none"]).await.expect("deleted"), 1);
    let first = one.rooms(lobby, None, 1).await.expect("read");
    let second = one.rooms(lobby, first.first().map(String::as_str), 9).await.expect("read");
    assert_eq!(second.len(), 1);

    // 0 and the claim lie before the five records.
    assert_eq!(one.trim(&owner, 4).await.expect("trimmed"), 4);
    assert_eq!(bodies(&one, lobby).await.first(), Some(&(4, vec![2])));
    assert_eq!(one.trim(&owner, i64::MAX).await.expect("trimmed"), 2, "all but the last");
    assert_eq!(one.trim(&owner, i64::MAX).await.expect("trimmed"), 0);
    assert_eq!(owner.append("goes on").await.expect("durable"), 7);

    let hash = [9; 32];
    assert_eq!(one.module(&hash).await.expect("read"), None);
    one.put_module(&hash, b"code").await.expect("kept");
    one.put_module(&hash, b"code").await.expect("kept");
    assert_eq!(one.module(&hash).await.expect("read").as_deref(), Some(&b"code"[..]));

    let other = open(&server, "two").await;
    let next = claim_one(&other, lobby.number()).await;
    let late = one.put_states(&owner, &[("lobby", state(99, "late"))]).await;
    assert!(matches!(late, Err(LogError::Fenced { .. })), "{late:?}");
    assert!(matches!(one.trim(&owner, 99).await, Err(LogError::Fenced { .. })));
    assert!(matches!(one.delete_states(&owner, &["lobby"]).await, Err(LogError::Fenced { .. })));
    assert_eq!(other.state("lobby").await.expect("read"), Some(state(4, "four")));
    assert_eq!(other.delete_states(&next, &["lobby"]).await.expect("deleted"), 1);
}

/// Appends by the statement itself, on a connection that no claim ends, until it may not: so only the fence stops it. Gives
/// what was accepted.
async fn append_until_fenced(client: Client, part: Part, epoch: i64, mut last: i64) -> Vec<i64> {
    let sql = Statements::new("stateroom").append;
    let number = i16::try_from(part.number()).expect("small");
    let mut accepted = Vec::new();
    loop {
        let body: &[u8] = b"zombie";
        let row = (vec![number], vec![last + 1], vec![epoch], vec![body]);
        let rows = client.query(&sql, &[&row.0, &row.1, &row.2, &row.3]).await;
        if rows.is_ok_and(|rows| rows.is_empty()) {
            break;
        }
        last += 1;
        accepted.push(last);
    }
    // However often it tries, and wherever.
    for seq in last + 1..last + 10 {
        let body: &[u8] = b"zombie";
        let row = (vec![number], vec![seq], vec![epoch], vec![body]);
        let rows = client.query(&sql, &[&row.0, &row.1, &row.2, &row.3]).await.expect("asked");
        assert!(rows.is_empty(), "accepted at {seq}, after the claim");
    }
    accepted
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_goes_on_after_a_claim_appends_nothing() {
    let server = Server::start().await;
    let one = open(&server, "one").await;
    let other = open(&server, "two").await;
    let mut accepted_in_all = 0;
    for round in 0..30_u16 {
        let owner = claim_one(&one, round).await;
        let client = server.client().await;
        let (of, epoch, last) = (owner.part(), owner.epoch().number(), owner.last());
        let zombie = tokio::spawn(append_until_fenced(client, of, epoch, last));
        // It is in full swing, in every other round.
        while round % 2 == 0 && bodies(&one, of).await.len() < 3 {}
        let next = claim_one(&other, round).await;
        let accepted = zombie.await.expect("it was right");
        let found: Vec<i64> = bodies(&other, of).await.into_iter().map(|(seq, _)| seq).collect();
        assert_eq!(found, accepted);
        assert!(accepted.iter().all(|seq| *seq < next.claimed_at()));
        accepted_in_all += accepted.len();
    }
    assert!(accepted_in_all >= 45, "{accepted_in_all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_without_its_sync_does_not_hold_up_a_takeover() {
    let server = Server::start().await;
    let one = open(&server, "one").await;
    let owner = claim_one(&one, 5).await;
    let (epoch, next) = (owner.epoch().number(), owner.last() + 1);
    let insert = format!("insert into stateroom.log values (5, {next}, {epoch}, 'half')");
    let half = execute_without_sync(server.port, one.owner(), &insert);
    // It holds the key, as long as its connection stays.
    let client = server.client().await;
    client.batch_execute("set lock_timeout = '200ms'").await.expect("set");
    let held = client.batch_execute(&insert).await.expect_err("it waits");
    assert_eq!(held.code().map(|code| code.code()), Some("55P03"));

    let other = open(&server, "two").await;
    let taken = claim_one(&other, 5).await;
    assert_eq!(taken.claimed_at(), next);
    assert_eq!(bodies(&other, part(5)).await, []);
    drop((half, owner));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_began_before_a_claim_writes_to_no_place_that_was_trimmed_since() {
    let server = Server::start().await;
    let one = open(&server, "one").await;
    let owned = claim(&one, &parts(1..3)).await;
    let [first, second] = &owned[..] else { panic!("two") };
    // It has seen what its records follow, and waits for somebody who holds the place of its first one.
    let holder = server.client().await;
    let (epoch, next) = (first.epoch().number(), first.last() + 1);
    let hold = format!("begin; insert into stateroom.log values (1, {next}, {epoch}, 'held')");
    holder.batch_execute(&hold).await.expect("held");
    let late = server.client().await;
    let epochs = vec![epoch, second.epoch().number()];
    let statement = tokio::spawn(async move {
        let sql = Statements::new("stateroom").append;
        let (parts, seqs, body) = (vec![1_i16, 2], vec![next; 2], b"late".as_slice());
        let rows = late.query(&sql, &[&parts, &seqs, &epochs, &vec![body; 2]]).await;
        rows.expect("done").iter().map(|row| row.get(0)).collect::<Vec<i16>>()
    });
    let client = server.client().await;
    let waits = "select 1 from pg_stat_activity where wait_event_type = 'Lock'";
    until(&client, waits).await;

    let other = open(&server, "two").await;
    let mut taken = claim_one(&other, 2).await;
    taken.append("by its new owner").await.expect("durable");
    // As long as that statement is there, a trim may not be done.
    let _ = other.trim(&taken, i64::MAX).await;
    holder.batch_execute("rollback").await.expect("let go");
    let inserted = statement.await.expect("done");
    assert!(!inserted.contains(&2), "it was told that it is durable, below the claim of another");
    assert_eq!(inserted, [1], "nobody has claimed that part");
    other.trim(&taken, i64::MAX).await.expect("trimmed");
    assert_eq!(bodies(&other, part(2)).await, [(taken.last(), b"by its new owner".to_vec())]);
}

/// What was told to be durable: of each part, what is where.
type Told = BTreeMap<(Part, i64), Vec<u8>>;

/// Appends to parts as long as `goes_on` says so, claiming what is lost. Whatever is found below a claim must hold all that
/// was told.
async fn append_through_accidents(
    log: &Log,
    parts: &[Part],
    told: &mut Told,
    mut goes_on: impl FnMut(usize) -> bool,
) {
    let mut owned: Vec<OwnedPart> = Vec::new();
    let mut rounds = 0;
    while goes_on(rounds) {
        rounds += 1;
        owned.retain(OwnedPart::is_owned);
        let has = |part: &Part| owned.iter().any(|owned| owned.part() == *part);
        let lost: Vec<Part> = parts.iter().filter(|part| !has(part)).copied().collect();
        if !lost.is_empty()
            && let Ok(claimed) = log.claim(&lost).await
        {
            owned.extend(claimed.owned);
        }
        let appends = owned.iter_mut().map(|owned| async move {
            let body = format!("{rounds} of {}", owned.part()).into_bytes();
            let seq = owned.append(body.clone()).await;
            seq.map(|seq| ((owned.part(), seq), body))
        });
        told.extend(join_all(appends).await.into_iter().flatten());
    }
}

async fn assert_all_is_there(log: &Log, parts: &[Part], told: &Told) {
    claim(log, parts).await;
    let mut found = Told::new();
    for part in parts {
        let bodies = bodies(log, *part).await.into_iter();
        found.extend(bodies.map(|(seq, body)| ((*part, seq), body)));
    }
    for (place, body) in told {
        assert_eq!(found.get(place), Some(body), "{place:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_to_be_durable_outlives_connections_that_are_cut_in_mid_commit() {
    let server = Server::start().await;
    open(&server, "first").await;
    let proxy = Proxy::start(server.port, Way::CutAfter(6_000)).await;
    let log = loop {
        if let Ok(log) = Log::open(options(proxy.port, "cut")).await {
            break log;
        }
    };
    let parts = parts(0..8);
    let mut told = Told::new();
    let cuts = proxy.cuts.clone();
    append_through_accidents(&log, &parts, &mut told, |_| {
        cuts.load(std::sync::atomic::Ordering::Relaxed) < 60
    })
    .await;
    println!("{} acknowledged, {cuts:?} cuts", told.len());
    assert!(told.len() > 500, "{}", told.len());
    assert_all_is_there(&open(&server, "last").await, &parts, &told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_to_be_durable_outlives_a_database_that_is_killed() {
    let mut server = Server::start().await;
    let log = open(&server, "one").await;
    let parts = parts(0..8);
    let mut told = Told::new();
    let mut random = Rng::with_seed(7);
    for _ in 0..3 {
        let before = told.len();
        let rounds = random.usize(30..100);
        // It is killed while records are on their way, of which some wait for its return.
        let appends = append_through_accidents(&log, &parts, &mut told, |done| done < rounds + 20);
        let kill = async {
            let client = server.client().await;
            let at = before + 8 * rounds;
            until(
                &client,
                &format!(
                    "select 1 from stateroom.log where body is not null having count(*) > {at}"
                ),
            )
            .await;
            server.kill();
            server.start_again().await;
        };
        tokio::join!(appends, kill);
    }
    assert!(told.len() > 500, "{}", told.len());
    assert_all_is_there(&log, &parts, &told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_to_be_durable_outlives_a_primary_whose_standby_takes_its_place() {
    let mut primary = Server::start().await;
    let standby = primary.standby().await;
    let (one, other) = (primary.port, standby.port);
    let both = format!("postgres://postgres@127.0.0.1:{one},127.0.0.1:{other}/rooms");
    let log = Log::open(Options::new(&both, "one").expect("options")).await.expect("it opens");
    assert_eq!(*log.copies().borrow(), Copies::Standbys(1));
    let parts = parts(0..8);
    let mut told = Told::new();
    let appends = append_through_accidents(&log, &parts, &mut told, |done| done < 120);
    let fail_over = async {
        let client = primary.client().await;
        until(&client, "select 1 from stateroom.log having count(*) > 256 + 8 * 50").await;
        primary.kill();
        standby.promote().await;
    };
    tokio::join!(appends, fail_over);
    assert!(told.len() > 500, "{}", told.len());
    assert_all_is_there(&log, &parts, &told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_database_warns_of_is_not_durable() {
    let server = Server::start().await;
    let mut options = options(server.port, "one");
    options.look_interval = Duration::from_millis(20);
    let log = Log::open(options).await.expect("it opens");
    let mut copies = log.copies();
    assert_eq!(*copies.borrow(), Copies::Alone);
    let mut owner = claim_one(&log, 1).await;
    let client = server.client().await;
    let set = |names: &str| format!("alter system set synchronous_standby_names = '{names}'");
    client.batch_execute(&set("nobody")).await.expect("set");
    client.batch_execute("select pg_reload_conf()").await.expect("reloaded");
    copies.wait_for(|copies| *copies == Copies::WaitsForStandby).await.expect("it looks");

    let cancel = async {
        until(&client, "select 1 from pg_stat_activity where wait_event = 'SyncRep'").await;
        let all =
            "select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'";
        client.execute(all, &[]).await.expect("cancelled");
    };
    let (lost, ()) = tokio::join!(owner.append("seen, but on no standby"), cancel);
    let lost = lost.expect_err("not durable");
    assert!(matches!(lost, LogError::Lost { why: Unsettled::Warned, .. }), "{lost}");
    assert_eq!(bodies(&log, part(1)).await.len(), 1, "it can be seen all the same");

    client.batch_execute(&set("")).await.expect("set");
    client.batch_execute("select pg_reload_conf()").await.expect("reloaded");
    let next = claim_one(&log, 1).await;
    assert_eq!(next.claimed_at(), owner.last() + 2, "the claim settles it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_future_that_is_dropped_ends_the_ownership() {
    let server = Server::start().await;
    let log = open(&server, "one").await;
    let mut owner = claim_one(&log, 1).await;
    {
        let mut append = std::pin::pin!(owner.append("given up"));
        let polled = futures_util::poll!(&mut append);
        assert!(polled.is_pending());
    }
    let lost = owner.append("after it").await.expect_err("lost");
    assert!(matches!(lost, LogError::Lost { why: Unsettled::GivenUp, .. }), "{lost}");
    let mut next = claim_one(&log, 1).await;
    let seq = next.append("again").await.expect("durable");
    // The old handle does not take the new ownership with it.
    drop(owner);
    assert_eq!(next.append("and again").await.expect("durable"), seq + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_are_newer_or_somebody_elses_are_left_alone() {
    let server = Server::start().await;
    drop(open(&server, "one").await);
    let client = server.client().await;
    client.batch_execute("update stateroom.format set version = 99").await.expect("updated");
    let error = Log::open(options(server.port, "two")).await.expect_err("newer");
    let LogError::NewerFormat { found: 99, known: FORMAT, .. } = error else { panic!("{error}") };

    client.batch_execute("create schema mine; create table mine.log (a int)").await.expect("made");
    let mine = options(server.port, "two").in_schema("mine").expect("a name");
    let error = Log::open(mine).await.expect_err("not ours");
    assert!(matches!(&error, LogError::NotOurs { schema } if schema == "mine"), "{error}");
    let tables = "select 1 from pg_class c join pg_namespace n on n.oid = relnamespace where nspname = 'mine'";
    assert_eq!(client.query(tables, &[]).await.expect("read").len(), 1);

    // Many at once make them once.
    let at_once = (0..4).map(|node| {
        let options = options(server.port, &format!("node-{node}"));
        Log::open(options.in_schema("fresh").expect("a name"))
    });
    for log in join_all(at_once).await {
        log.expect("it opens");
    }
    let parts = client.query("select 1 from fresh.log", &[]).await.expect("read");
    assert_eq!(parts.len(), 256);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_and_a_database_that_does_not_flush_are_refused() {
    let server = Server::start().await;
    let pooler = Proxy::start(server.port, Way::DropMark).await;
    let error = Log::open(options(pooler.port, "one")).await.expect_err("a pooler");
    assert!(matches!(error, LogError::Pooler), "{error}");

    let client = server.client().await;
    client.batch_execute("alter system set fsync = off").await.expect("set");
    client.batch_execute("select pg_reload_conf()").await.expect("reloaded");
    until(&client, "select 1 where current_setting('fsync') = 'off'").await;
    let error = Log::open(options(server.port, "one")).await.expect_err("it does not flush");
    assert!(matches!(error, LogError::Setting { setting: "fsync", .. }), "{error}");
}

#[cfg(feature = "rustls")]
#[tokio::test(flavor = "multi_thread")]
async fn connections_are_encrypted_where_the_address_says_so_and_the_database_has_to_prove_itself()
{
    let server = Server::start().await;
    let certificate = server.encrypt().await;
    let address = format!("{}?sslmode=require", address(server.port));
    let options = || Options::new(&address, "one").expect("options");
    let log = Log::open(options().trusting(&certificate).expect("a certificate")).await;
    let log = log.expect("it opens");
    let mut owner = claim_one(&log, 1).await;
    owner.append("secret").await.expect("durable");
    let plain = "select 1 from pg_stat_ssl s join pg_stat_activity a using (pid)
        where a.application_name like 'stateroom %' and not s.ssl";
    assert!(server.client().await.query(plain, &[]).await.expect("asked").is_empty());

    let error = Log::open(options()).await.expect_err("nobody vouches for it");
    assert!(matches!(&error, LogError::CannotConnect { .. }), "{error}");
    assert!(options().trusting(b"no certificate").is_err());
}
