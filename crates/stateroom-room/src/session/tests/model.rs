//! The sessions of a room against a simple model of them, which keeps every stream whole.

use crate::{
    command::{MessageKind, Recipients},
    session::{Happened, Key, KeyHash, Ledger, Left, Life},
};
use proptest::prelude::*;
use stateroom::ClientId;
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
enum Op {
    Connect,
    Heard(u32),
    Skipped(u32),
    Leave(u32),
    Close(u32),
    Say(Recipients, Vec<u8>),
    Ack(u32, u64),
    /// A snapshot, and back.
    Snapshot,
    Trim(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let client = || 1..6_u32;
    let to = prop_oneof![
        Just(Recipients::All),
        client().prop_map(|client| Recipients::AllExcept(ClientId(client))),
        client().prop_map(|client| Recipients::One(ClientId(client))),
    ];
    prop_oneof![
        2 => Just(Op::Connect),
        2 => client().prop_map(Op::Heard),
        1 => client().prop_map(Op::Skipped),
        1 => client().prop_map(Op::Leave),
        1 => client().prop_map(Op::Close),
        9 => (to, prop::collection::vec(any::<u8>(), 0..30)).prop_map(|(to, bytes)| Op::Say(to, bytes)),
        2 => (client(), 0..40_u64).prop_map(|(client, have)| Op::Ack(client, have)),
        2 => Just(Op::Snapshot),
        1 => (0..500_usize).prop_map(Op::Trim),
    ]
}

#[derive(Debug, Default)]
struct Model {
    last: u32,
    sessions: BTreeMap<u32, Plain>,
}

#[derive(Debug, Default)]
struct Plain {
    heard: u64,
    acked: u64,
    stream: Vec<Vec<u8>>,
    is_closed: bool,
}

fn key(client: u32) -> KeyHash {
    Key::new(u128::from(client).to_be_bytes()).hash()
}

impl Model {
    fn open(&mut self, client: u32) -> Option<&mut Plain> {
        self.sessions.get_mut(&client).filter(|session| !session.is_closed)
    }

    fn apply(&mut self, op: &Op, ledger: &mut Ledger) -> Result<(), TestCaseError> {
        match op {
            Op::Connect => {
                self.last += 1;
                self.sessions.insert(self.last, Plain::default());
                let client = ClientId(self.last);
                ledger.apply(Happened::Connect { client, key: key(self.last) });
            }
            Op::Heard(client) => {
                self.open(*client).into_iter().for_each(|session| session.heard += 1);
                ledger.apply(Happened::Heard { client: ClientId(*client) });
            }
            Op::Skipped(client) => {
                if let Some(session) = self.open(*client) {
                    session.heard += 1;
                    let said = format!("\0skipped {} no", session.heard);
                    session.stream.push(said.into_bytes());
                }
                ledger.apply(Happened::Skipped { client: ClientId(*client), reason: "no" });
            }
            Op::Leave(client) => {
                if self.open(*client).is_some() {
                    self.sessions.remove(client);
                }
                let client = ClientId(*client);
                ledger.apply(Happened::Disconnect { client, why: Left::Gone });
            }
            Op::Close(client) => {
                self.open(*client).into_iter().for_each(|session| session.is_closed = true);
                let (client, why) = (ClientId(*client), Left::Closed { code: 4301, reason: "go" });
                ledger.apply(Happened::Disconnect { client, why });
            }
            Op::Say(to, bytes) => {
                for (client, session) in &mut self.sessions {
                    let is_for = match to {
                        Recipients::All => true,
                        Recipients::AllExcept(other) => other.0 != *client,
                        Recipients::One(one) => one.0 == *client,
                    };
                    if is_for && !session.is_closed {
                        session.stream.push(bytes.clone());
                    }
                }
                ledger.apply(Happened::Sent { to: *to, kind: MessageKind::Binary, bytes });
            }
            Op::Ack(client, have) => {
                let session = self.sessions.get_mut(client);
                let may = session
                    .as_ref()
                    .is_some_and(|it| *have >= it.acked && *have <= it.stream.len() as u64);
                prop_assert_eq!(ledger.ack(ClientId(*client), *have), may);
                if may {
                    session.into_iter().for_each(|session| session.acked = *have);
                    let end = ledger.ring.head();
                    ledger.drop_what_was_got(end);
                }
            }
            Op::Snapshot => *ledger = Ledger::decode(&ledger.encode()).unwrap(),
            Op::Trim(bound) => {
                let end = ledger.ring.head();
                ledger.trim(*bound, end);
                prop_assert!(ledger.retained_bytes() <= *bound);
            }
        }
        Ok(())
    }

    /// Whoever comes back with any count gets exactly what it has missed, or is told that it can't.
    fn check(&self, ledger: &Ledger, was_trimmed: bool) -> Result<(), TestCaseError> {
        for (client, plain) in &self.sessions {
            let client = ClientId(*client);
            prop_assert_eq!(ledger.client(key(client.0)), Some(client));
            prop_assert_eq!(ledger.heard(client), Some(plain.heard));
            prop_assert_eq!(ledger.sent(client), Some(plain.stream.len() as u64));
            let session = ledger.sessions.get(&client).unwrap();
            let end = session.closed.as_ref().map_or(ledger.ring.head(), |closed| closed.place);
            for have in 0..=plain.stream.len() {
                let missing = (plain.stream.len() - have) as u64;
                match ledger.ring.place(client, missing, end) {
                    Some(place) => {
                        let tail = ledger.ring.to_client(client, place, end);
                        let tail: Vec<_> = tail.map(|kept| kept.bytes.to_vec()).collect();
                        prop_assert_eq!(&tail, &plain.stream[have..]);
                    }
                    None => {
                        // What it has acknowledged may be gone, and what was trimmed.
                        prop_assert!(was_trimmed || (have as u64) < plain.acked);
                    }
                }
            }
        }
        let unknown = ledger.client(key(self.last + 1));
        prop_assert_eq!(unknown, None);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn sessions_are_as_a_simple_model_says(ops in prop::collection::vec(op(), 1..60)) {
        let mut ledger = Ledger::new(Life { epoch: 1, incarnation: 1 });
        let (mut model, mut was_trimmed) = (Model::default(), false);
        for op in &ops {
            was_trimmed |= matches!(op, Op::Trim(_));
            model.apply(op, &mut ledger)?;
            model.check(&ledger, was_trimmed)?;
        }
    }

    #[test]
    fn bytes_that_are_no_sessions_are_refused_or_harmless(
        ops in prop::collection::vec(op(), 1..20),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
        is_cut: bool,
    ) {
        let mut ledger = Ledger::new(Life { epoch: 1, incarnation: 1 });
        let mut model = Model::default();
        for op in &ops {
            model.apply(op, &mut ledger)?;
        }
        let mut bytes = ledger.encode();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(mut ledger) = Ledger::decode(&bytes) {
            for client in (0..8).map(ClientId) {
                ledger.apply(Happened::Skipped { client, reason: "no" });
                let to = Recipients::AllExcept(client);
                ledger.apply(Happened::Sent { to, kind: MessageKind::Text, bytes: b"x" });
                ledger.apply(Happened::Disconnect { client, why: Left::Gone });
            }
            prop_assert!(Ledger::decode(&ledger.encode()).is_ok());
        }
    }

    #[test]
    fn any_bytes_are_refused_or_read(bytes: Vec<u8>) {
        let _ = Ledger::decode(&bytes);
    }
}
