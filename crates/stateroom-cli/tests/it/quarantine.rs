//! Events that fail in rooms that are kept: each costs only itself, and the one who caused it.

use crate::kept::{Member, Site, guest, ledger};

/// How a client is closed whose message fails.
const FAILED: &str = "room failed: ";

#[tokio::test]
async fn a_message_that_fails_closes_its_sender_and_is_as_if_it_had_never_been() {
    let site = Site::new(&["--cpu-time-per-event", "200ms"]);
    let (mut server, address) = site.serve();
    let (mut first, _) = Member::enter(&address, "test").await;
    let (mut second, _) = Member::enter(&address, "test").await;
    first.says("add 1").await;
    assert_eq!(second.hears("added").await, "added 1");
    let failing = [("trap 2", "an error in its service"), ("spin 3", "an event took too long")];
    for (message, reason) in failing {
        let (mut sender, id) = Member::enter(&address, "test").await;
        sender.says("add 10").await;
        sender.says(message).await;
        sender.says("add 20").await;
        let (code, why) = sender.ends().await.expect("a close frame");
        assert_eq!(code, 1011);
        assert!(why.starts_with(FAILED) && why.contains(reason), "{why}");
        assert_eq!(first.hears("left").await, format!("left {id}"));
        if message == "trap 2" {
            // There is a line a second at most.
            server.hears(&format!("from client {id} failed: "));
        }
    }
    for member in [&mut first, &mut second] {
        assert_eq!(member.ask("log").await, "[1, 10, 10]");
        assert_eq!(member.ask("present").await, "{1, 2}");
    }
    second.says("add 4").await;
    assert_eq!(first.hears("added").await, "added 4");
    drop(server);
    let (_server, address) = site.serve();
    let (mut later, _) = Member::enter(&address, "test").await;
    assert_eq!(later.ask("log").await, "[1, 10, 10, 4]");
}

#[tokio::test]
async fn a_room_in_which_much_fails_goes_on_for_everybody_else() {
    let site = Site::new(&[]);
    let (_server, address) = site.serve();
    let (mut member, _) = Member::enter(&address, "test").await;
    for number in 1..=20 {
        let (mut sender, _) = Member::enter(&address, "test").await;
        sender.says("trap 2").await;
        member.says(&format!("add {number}")).await;
        assert_eq!(member.hears("added").await, format!("added {number}"));
        assert_eq!(sender.ends().await.map(|(code, _)| code), Some(1011));
    }
    assert_eq!(member.ask("log").await, format!("{:?}", (1..=20).collect::<Vec<_>>()));
}

#[tokio::test]
async fn who_sends_one_failing_message_after_the_other_is_kept_away_for_a_while() {
    let site = Site::new(&[]);
    let (_server, address) = site.serve();
    let (mut member, _) = Member::enter(&address, "test").await;
    let mallory = "test?token=mallory";
    for _ in 0..3 {
        let (mut sender, _) = Member::enter(&address, mallory).await;
        sender.says("trap 2").await;
        assert_eq!(sender.ends().await.map(|(code, _)| code), Some(1011));
    }
    let mut away = Member::join(&address, mallory).await;
    assert_eq!(away.next().await.unwrap_err().map(|(code, _)| code), Some(1008));
    // Somebody else is welcome, from the same address too.
    let (mut other, _) = Member::enter(&address, "test?token=ada").await;
    other.says("add 1").await;
    assert_eq!(member.hears("added").await, "added 1");
}

#[tokio::test]
async fn the_log_says_who_is_kept_away_and_new_code_lets_them_in_again() {
    let site = Site::with(&ledger(0), &[]);
    let (mut server, address) = site.serve();
    let (_member, _) = Member::enter(&address, "test").await;
    let mallory = "test?token=mallory";
    for _ in 0..3 {
        let (mut sender, _) = Member::enter(&address, mallory).await;
        sender.says("trap 2").await;
        assert_eq!(sender.ends().await.map(|(code, _)| code), Some(1011));
    }
    let line = server.hears("is kept away from the room");
    assert!(line.contains(r#""seconds":5"#), "{line}");
    site.deploy(&ledger(1));
    server.signal("-HUP");
    server.hears("the new code");
    let (mut mallory, _) = Member::enter(&address, mallory).await;
    mallory.says("add 1").await;
    assert_eq!(mallory.hears("added").await, "added 1");
}

#[tokio::test]
async fn a_timer_that_fails_is_tried_again() {
    let site = Site::new(&[]);
    let (mut server, address) = site.serve();
    let (mut member, _) = Member::enter(&address, "test").await;
    member.says("fail timer").await;
    member.says("alarm 1").await;
    server.hears("the timer failed: ");
    assert_eq!(member.ask("log").await, "[]");
    member.says("fail never").await;
    assert_eq!(member.hears("added").await, "added 4294967296");
}

#[tokio::test]
async fn a_named_timer_that_fails_lets_the_others_go_first_and_is_tried_again() {
    let site = Site::with(&std::fs::read(guest("alarms")).unwrap(), &[]);
    let (mut server, address) = site.serve();
    let mut member = Member::join(&address, "test").await;
    for message in ["poison a", "schedule a 1", "schedule b 1"] {
        member.says(message).await;
    }
    server.hears("the timer failed: ");
    assert_eq!(member.hears("b").await, "b");
    member.says("poison nothing").await;
    assert_eq!(member.hears("a").await, "a");
}

#[tokio::test]
async fn a_disconnect_that_fails_lets_its_client_go_all_the_same() {
    let site = Site::new(&[]);
    let (mut server, address) = site.serve();
    let (mut member, _) = Member::enter(&address, "test").await;
    let (other, id) = Member::enter(&address, "test").await;
    member.says("fail disconnect").await;
    assert_eq!(member.ask("log").await, "[]");
    drop(other);
    server.hears(&format!("the disconnect of client {id} failed: "));
    // The service was not told, and goes on as it was.
    assert_eq!(member.ask("gone").await, "[]");
    member.says("add 1").await;
    assert_eq!(member.hears("added").await, "added 1");
    let (_, next) = Member::enter(&address, "test").await;
    assert!(next > id, "nobody is given its id");
}

#[tokio::test]
async fn a_connect_that_fails_turns_its_client_away() {
    let site = Site::new(&[]);
    let (mut server, address) = site.serve();
    let (mut member, _) = Member::enter(&address, "test").await;
    member.says("fail connect").await;
    assert_eq!(member.ask("log").await, "[]");
    for _ in 0..2 {
        let mut turned_away = Member::join(&address, "test").await;
        assert_eq!(turned_away.next().await.unwrap_err().map(|(code, _)| code), Some(1011));
    }
    server.hears("a client's connect failed: ");
    assert_eq!(member.ask("present").await, "{1}");
    member.says("fail never").await;
    assert_eq!(member.ask("log").await, "[]");
    let (mut welcome, _) = Member::enter(&address, "test").await;
    welcome.says("add 1").await;
    assert_eq!(member.hears("added").await, "added 1");
}
