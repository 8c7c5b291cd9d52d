//! Who is remembered, for how long, at what price, and how it is stored.

use super::*;
use std::time::{Duration, Instant};

fn encode(members: &Members) -> Vec<u8> {
    postcard::to_stdvec(members).unwrap()
}

fn decode(bytes: &[u8]) -> Members {
    postcard::from_bytes(bytes).unwrap()
}

/// Somebody who comes, says something or not, and goes.
fn visit(members: &mut Members, token: &str, speaks: bool) -> ClientId {
    let client = members.join(Some(token)).unwrap();
    if speaks {
        members.took_part(client);
    }
    assert!(members.leave(client));
    client
}

/// A token of 36 bytes, as most are.
fn junk(number: usize) -> String {
    format!("{number:0>36}")
}

#[test]
fn any_number_of_junk_tokens_takes_no_identity_from_somebody_who_took_part() {
    let mut members = Members::default();
    let ann = visit(&mut members, "ann", true);
    let bob = visit(&mut members, "bob", true);
    for number in 0..30_000 {
        visit(&mut members, &junk(number), false);
    }
    assert_eq!(members.known(Some("ann")), Some(ann));
    assert_eq!(members.join(Some("bob")), Some(bob));
    // What she is remembered for outlives her next visit, in which she says nothing.
    visit(&mut members, "ann", false);
    for number in 0..30_000 {
        visit(&mut members, &junk(number), false);
    }
    assert_eq!(members.known(Some("ann")), Some(ann));
}

#[test]
fn not_even_where_everybody_who_is_remembered_took_part() {
    let mut members = Members::default();
    for number in 0..MAX_REMEMBERED_TOKENS {
        visit(&mut members, &junk(number), true);
    }
    for number in 0..1_000 {
        let token = format!("junk {number}");
        let client = visit(&mut members, &token, false);
        assert_eq!(members.known(Some(&token)), Some(client), "who left last can come back");
    }
    assert_eq!(members.known(Some("junk 998")), None);
    for number in 0..MAX_REMEMBERED_TOKENS {
        assert_eq!(members.known(Some(&junk(number))), Some(ClientId(number as u32 + 1)));
    }
}

#[test]
fn among_equals_who_left_first_is_forgotten_first() {
    for speaks in [false, true] {
        let mut members = Members::default();
        for number in 0..MAX_REMEMBERED_TOKENS + 5 {
            visit(&mut members, &junk(number), speaks);
        }
        assert_eq!(members.known(Some(&junk(4))), None);
        assert!(members.known(Some(&junk(5))).is_some());
    }
}

#[test]
fn what_is_remembered_is_bounded_in_bytes_too() {
    let mut members = Members::default();
    let long = |number: usize| format!("{number:0>1000}");
    for number in 0..3_000 {
        visit(&mut members, &long(number), true);
    }
    let kept = (0..3_000).filter(|number| members.known(Some(&long(*number))).is_some()).count();
    assert_eq!(kept, MAX_REMEMBERED_TOKEN_BYTES / 1_000);
    let endless = "x".repeat(2 * MAX_REMEMBERED_TOKEN_BYTES);
    visit(&mut members, &endless, true);
    visit(&mut members, "short", true);
    assert_eq!(members.known(Some(&endless)), None);
    assert!(members.known(Some("short")).is_some());
}

#[test]
fn whoever_is_connected_is_never_forgotten() {
    let mut members = Members::default();
    let stays = members.join(Some("stays")).unwrap();
    for number in 0..MAX_REMEMBERED_TOKENS + 5 {
        visit(&mut members, &junk(number), true);
    }
    assert_eq!(members.known(Some("stays")), Some(stays));
    assert!(members.has_token(stays));
}

/// The time of 2,000 visits in a room that remembers all it may and has 20,000 clients, beside the
/// same in an empty one: with work that grows by how many there are, it was hundreds of times as long.
#[test]
fn to_join_and_to_leave_takes_no_longer_in_a_room_of_many() {
    let visits = |members: &mut Members| -> Duration {
        let timed = |members: &mut Members| {
            let since = Instant::now();
            for number in 0..2_000 {
                // Both new ones and some who come back, and not in the order in which they left.
                visit(members, &junk(number * 7 % 1_999), number % 2 == 0);
            }
            since.elapsed()
        };
        (0..5).map(|_| timed(members)).min().unwrap()
    };
    let mut few = Members::default();
    let few = visits(&mut few);
    let mut many = Members::default();
    for number in 0..20_000 {
        many.join(Some(&format!("stays {number}"))).unwrap();
    }
    for number in 0..MAX_REMEMBERED_TOKENS {
        visit(&mut many, &format!("left {number}"), true);
    }
    let many = visits(&mut many);
    assert!(many < few * 20, "{few:?} in an empty room, {many:?} in a full one");
}

#[test]
fn the_members_of_a_small_room_take_a_few_bytes() {
    assert_eq!(encode(&Members::default()).len(), 3);
    let mut members = Members::default();
    for _ in 0..3 {
        members.join(None);
    }
    assert_eq!(encode(&members).len(), 9);
    members.join(Some("0123456789"));
    assert_eq!(encode(&members).len(), 9 + 1 + 1 + 1 + 10 + 1);
    assert!(size_of::<Members>() <= 48, "{}", size_of::<Members>());
}

/// Lives a life of some length, and gives what everybody was called.
fn live(
    mut members: Members,
    seed: u64,
    steps: u32,
    store: bool,
) -> (Vec<Option<ClientId>>, Vec<u8>) {
    let mut chance = seed;
    let mut called = Vec::new();
    for _ in 0..steps {
        chance =
            chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (what, who) = (chance >> 61, (chance >> 40) % 50);
        let token = format!("token {who}");
        match what {
            0..3 => {
                if let Some(client) = members.known(Some(&token)) {
                    members.leave(client);
                }
                called.push(members.join(Some(&token)));
            }
            3 => called.push(members.join(None)),
            4 => members.took_part(ClientId(who as u32)),
            5 if store => members = decode(&encode(&members)),
            5 => {}
            _ => {
                let client = members.iter().nth(who as usize % members.len().max(1));
                client.into_iter().for_each(|client| assert!(members.leave(client)));
            }
        }
    }
    (called, encode(&members))
}

#[test]
fn members_that_were_stored_go_on_as_if_they_had_not_been() {
    for seed in 0..50 {
        let straight = live(Members::default(), seed, 500, false);
        assert_eq!(live(Members::default(), seed, 500, true), straight, "seed {seed}");
    }
}

#[test]
fn stored_members_are_forgotten_in_the_same_order() {
    let mut members = Members::default();
    for number in 0..MAX_REMEMBERED_TOKENS {
        visit(&mut members, &junk(number), number % 3 == 0);
    }
    visit(&mut members, &junk(0), false);
    let mut again = decode(&encode(&members));
    for number in 0..MAX_REMEMBERED_TOKENS {
        let token = format!("more {number}");
        let speaks = number % 2 == 0;
        assert_eq!(visit(&mut members, &token, speaks), visit(&mut again, &token, speaks));
    }
    assert_eq!(encode(&members), encode(&again));
}

#[test]
fn what_no_room_has_is_refused() {
    let refused = |last_client, connected: &[_], departed: &[_]| {
        let stored =
            Stored { last_client, connected: connected.to_vec(), departed: departed.to_vec() };
        let bytes = postcard::to_stdvec(&stored).unwrap();
        postcard::from_bytes::<Members>(&bytes).is_err()
    };
    let (one, two) = (ClientId(1), ClientId(2));
    let ann = Some(("ann", true));
    assert!(!refused(2, &[(one, ann)], &[(two, "bob", false)]));
    assert!(refused(1, &[(two, None)], &[]), "an id that was not given out");
    assert!(refused(2, &[(ClientId(0), None)], &[]), "an id that is none");
    assert!(refused(2, &[(one, None), (one, None)], &[]), "an id twice");
    assert!(refused(2, &[(one, ann), (two, ann)], &[]), "a token twice");
    assert!(refused(2, &[(one, ann)], &[(one, "bob", false)]), "connected and departed");
    assert!(refused(2, &[(one, ann)], &[(two, "ann", false)]), "a token of two");
}
