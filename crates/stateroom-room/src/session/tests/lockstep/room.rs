//! A room with sessions and its clients, in which each step is carried out to its end, and all is durable at once.

use super::model::{Model, PEOPLE, Place, Step};
use crate::{
    command::{MessageKind, Recipients},
    session::{
        Asked, Close, Down, Frame, Happened, Key, Ledger, Left, Life, Listened, Output,
        SessionHost, SessionSettings, SocketId,
        client::{Action, ClientSettings, Message, SessionClient, Status},
    },
    timestamp::Timestamp,
};
use proptest_state_machine::StateMachineTest;
use stateroom::ClientId;
use std::{collections::BTreeMap, time::Duration};

const GRACE: Duration = Duration::from_secs(1_000_000);

struct Person {
    client: SessionClient,
    is_reachable: bool,
    got: Vec<String>,
    given_back: Vec<String>,
    begun_again: u32,
    closed: Option<(u16, String)>,
    said: u32,
}

pub(super) struct Room {
    host: SessionHost,
    settings: SessionSettings,
    people: Vec<Person>,
    events: u64,
    now: Timestamp,
    incarnation: u64,
    next_client: u32,
    next_socket: u64,
    keys: u64,
    /// Whose each socket is, of which attempt, and the client that was welcomed on it.
    sockets: BTreeMap<SocketId, (usize, u64, Option<ClientId>)>,
    /// Which client of the room somebody is.
    clients: BTreeMap<ClientId, usize>,
    heard: Vec<String>,
    told: u32,
}

/// What is said on a socket.
enum Said {
    Message(SocketId, Message),
    Welcomed(SocketId, ClientId),
    Close(SocketId, Close),
}

fn text(message: &Message) -> String {
    match message {
        Message::Text(text) => text.clone(),
        Message::Binary(bytes) => panic!("nobody has said {bytes:?}"),
    }
}

fn message(kind: MessageKind, bytes: &[u8]) -> Message {
    assert_eq!(kind, MessageKind::Text);
    Message::Text(String::from_utf8(bytes.to_vec()).unwrap())
}

impl Room {
    fn note(&mut self, happened: Happened<'_>) {
        self.events += 1;
        self.host.note(self.events, happened, self.now);
    }

    fn says(&mut self, to: Recipients, text: &str) {
        self.note(Happened::Sent { to, kind: MessageKind::Text, bytes: text.as_bytes() });
    }

    fn client_of(&self, who: usize) -> ClientId {
        let mut clients = self.clients.iter().rev();
        *clients.find(|(_, of)| **of == who).unwrap().0
    }

    fn socket_of(&self, who: usize) -> Option<(SocketId, u64)> {
        let attempt = self.people[who].client.socket()?;
        let mut sockets = self.sockets.iter();
        let found = sockets.find(|(_, (of, its, _))| (*of, *its) == (who, attempt))?;
        Some((*found.0, attempt))
    }

    /// A socket has ended.
    fn ended(&mut self, socket: SocketId, by_client: bool) {
        self.sockets.remove(&socket);
        if let Some(client) = self.host.ended(socket, by_client, self.now) {
            self.note(Happened::Disconnect { client, why: Left::Gone });
        }
    }

    fn cut(&mut self, who: usize) {
        self.people[who].is_reachable = false;
        if let Some((socket, attempt)) = self.socket_of(who) {
            self.people[who].client.lost(attempt, 1006, "", 0, self.now);
            self.ended(socket, false);
        }
    }

    fn restart(&mut self) {
        let lost: Vec<_> = std::mem::take(&mut self.sockets).into_values().collect();
        for (who, attempt, _) in lost {
            self.people[who].client.lost(attempt, 1006, "", 0, self.now);
        }
        let ledger = Ledger::decode(&self.host.ledger().encode()).unwrap();
        self.host = SessionHost::open(ledger, self.settings, self.events, self.now);
        self.incarnation += 1;
        self.note(Happened::Incarnated { number: self.incarnation });
    }

    /// Has everything happen that follows, and everybody told of what is durable.
    fn settle(&mut self) {
        self.go_on();
        for person in &mut self.people {
            person.client.flush();
        }
        self.go_on();
    }

    fn go_on(&mut self) {
        loop {
            let mut is_quiet = true;
            for who in 0..PEOPLE {
                self.connect(who);
                while let Some(action) = self.people[who].client.next_action() {
                    is_quiet = false;
                    self.act(who, action);
                }
            }
            let mut said = Vec::new();
            let Room { host, sockets, .. } = self;
            host.drain(self.events, self.now, |output| hear(output, sockets, &mut said));
            for said in said {
                is_quiet = false;
                self.deliver(said);
            }
            if is_quiet {
                return;
            }
        }
    }

    fn connect(&mut self, who: usize) {
        let person = &mut self.people[who];
        if !person.is_reachable || person.client.status() == Status::Closed {
            return;
        }
        if person.client.socket().is_none() {
            person.client.wake(self.now);
        }
        let keys = &mut self.keys;
        let key = || {
            *keys += 1;
            Key::new(u128::from(*keys).to_be_bytes())
        };
        let Some(request) = person.client.dial(self.now, key) else { return };
        self.next_socket += 1;
        let socket = SocketId(self.next_socket);
        self.sockets.insert(socket, (who, request.attempt, None));
        if let Asked::Connect(key) = self.host.ask(socket, &request) {
            self.next_client += 1;
            let client = ClientId(self.next_client);
            self.clients.insert(client, who);
            self.note(Happened::Connect { client, key });
        }
    }

    fn act(&mut self, who: usize, action: Action) {
        let person = &mut self.people[who];
        match action {
            Action::Write { attempt, message } => {
                let socket = self.socket_of(who).filter(|(_, of)| *of == attempt);
                let Some((socket, _)) = socket else { return };
                let listened = self.host.listen(socket, message.frame(), self.now);
                if let Listened::Hear(client, frame) = listened {
                    let Frame::Text(line) = frame else { panic!("{frame:?}") };
                    self.heard.push(line.to_owned());
                    self.note(Happened::Heard { client });
                    self.says(Recipients::All, line);
                }
            }
            Action::Close { attempt } => {
                let mut sockets = self.sockets.iter();
                let closed = sockets.find(|(_, (of, its, _))| (*of, *its) == (who, attempt));
                if let Some(socket) = closed.map(|(socket, _)| *socket) {
                    self.ended(socket, true);
                }
            }
            Action::Resumed { recovered, new_session } => {
                assert_eq!(new_session, !recovered, "nothing is missed within a session");
                if new_session {
                    person.begun_again += 1;
                    person.got.clear();
                }
            }
            Action::Deliver(message) => person.got.push(text(&message)),
            Action::Unsettled { messages } => person.given_back.extend(messages.iter().map(text)),
            Action::Closed { code, reason } => person.closed = Some((code, reason)),
            Action::Opened | Action::Settled { .. } => {}
            Action::GiveUp { .. } | Action::Skipped { .. } | Action::LogIn => {
                panic!("{who}: {action:?}")
            }
        }
    }

    fn deliver(&mut self, said: Said) {
        match said {
            Said::Welcomed(socket, client) => {
                if let Some((_, _, welcomed)) = self.sockets.get_mut(&socket) {
                    *welcomed = Some(client);
                }
            }
            Said::Message(socket, message) => {
                if let Some((who, attempt, _)) = self.sockets.get(&socket) {
                    self.people[*who].client.received(*attempt, message.frame(), 0, self.now);
                }
            }
            Said::Close(socket, close) => {
                if let Some((who, attempt, _)) = self.sockets.get(&socket) {
                    let reason = close.to_string();
                    self.people[*who].client.lost(*attempt, close.code(), &reason, 0, self.now);
                }
                self.ended(socket, false);
            }
        }
    }
}

/// Notes what an output says on which sockets.
fn hear(
    output: Output<'_>,
    sockets: &mut BTreeMap<SocketId, (usize, u64, Option<ClientId>)>,
    said: &mut Vec<Said>,
) {
    match output {
        Output::Welcome { socket, client, welcome } => {
            if let Some((_, _, welcomed)) = sockets.get_mut(&socket) {
                *welcomed = Some(client);
            }
            said.push(Said::Welcomed(socket, client));
            said.push(Said::Message(socket, Down::Welcome(welcome).encode().frame().into()));
        }
        Output::Write { socket, kind, bytes } => {
            said.push(Said::Message(socket, message(kind, bytes)));
        }
        Output::Message { to, kind, bytes } => {
            for (socket, (_, _, client)) in sockets {
                let is_for = client.is_some_and(|client| match to {
                    Recipients::All => true,
                    Recipients::AllExcept(other) => other != client,
                    Recipients::One(one) => one == client,
                });
                if is_for {
                    said.push(Said::Message(*socket, message(kind, bytes)));
                }
            }
        }
        Output::Ack { socket, heard } => {
            said.push(Said::Message(socket, Down::Ack { heard }.encode().frame().into()));
        }
        Output::Close { socket, close } => said.push(Said::Close(socket, close)),
    }
}

impl StateMachineTest for Room {
    type SystemUnderTest = Room;
    type Reference = Model;

    fn init_test(_: &Model) -> Room {
        let settings = SessionSettings { grace: GRACE, ..SessionSettings::default() };
        let now = Timestamp::default();
        let ledger = Ledger::new(Life { epoch: 1, incarnation: 1 });
        let person = || Person {
            client: SessionClient::new(ClientSettings::default(), now),
            is_reachable: false,
            got: Vec::new(),
            given_back: Vec::new(),
            begun_again: 0,
            closed: None,
            said: 0,
        };
        Room {
            host: SessionHost::open(ledger, settings, 0, now),
            settings,
            people: (0..PEOPLE).map(|_| person()).collect(),
            events: 0,
            now,
            incarnation: 1,
            next_client: 0,
            next_socket: 0,
            keys: 0,
            sockets: BTreeMap::new(),
            clients: BTreeMap::new(),
            heard: Vec::new(),
            told: 0,
        }
    }

    fn apply(mut room: Room, _: &Model, step: Step) -> Room {
        room.now = room.now.after(Duration::from_secs(1));
        match step {
            Step::Come(who) => room.people[who].is_reachable = true,
            Step::Cut(who) => room.cut(who),
            Step::Say(who) => {
                let person = &mut room.people[who];
                let line = Model::line(who, person.said);
                person.said += 1;
                person.client.send(Frame::Text(&line)).unwrap();
            }
            Step::Tell(who) => {
                let to = Recipients::One(room.client_of(who));
                let text = format!("for {who} {}", room.told);
                room.says(to, &text);
                room.told += 1;
            }
            Step::TellOthers(who) => {
                let to = Recipients::AllExcept(room.client_of(who));
                let text = format!("for others {}", room.told);
                room.says(to, &text);
                room.told += 1;
            }
            Step::Kick(who) => {
                let client = room.client_of(who);
                let why = Left::Closed { code: 4301, reason: "kicked" };
                room.note(Happened::Disconnect { client, why });
            }
            Step::Leave(who) => room.people[who].client.close(room.now),
            Step::Restart => room.restart(),
            Step::TooLong => room.now = room.now.after(GRACE),
        }
        for client in room.host.timer(room.now) {
            room.note(Happened::Disconnect { client, why: Left::Gone });
        }
        for person in &mut room.people {
            person.client.timer(0, room.now);
        }
        room.settle();
        room
    }

    fn check_invariants(room: &Room, model: &Model) {
        assert_eq!(room.heard, model.heard, "what the room has heard");
        for (who, (person, expected)) in room.people.iter().zip(&model.people).enumerate() {
            let kicked = expected.kicked.map(|_| (4301, "kicked".to_owned()));
            match expected.place {
                Place::Here => {
                    assert_eq!(person.client.status(), Status::Live, "{who}");
                    assert_eq!(person.got, expected.stream, "what {who} has got");
                    assert_eq!(person.client.sent(), person.client.settled(), "{who} waits");
                }
                Place::Over => {
                    let closed = kicked.unwrap_or((1000, String::new()));
                    assert_eq!(person.closed, Some(closed), "how {who} was closed");
                    // Whoever came too late is told nothing else any more.
                    if expected.kicked != Some(false) {
                        assert_eq!(person.got, expected.stream, "what {who} has got");
                    }
                }
                Place::Away | Place::Nowhere => {
                    assert!(expected.stream.starts_with(&person.got), "what {who} has got");
                }
            }
            assert_eq!(person.given_back, expected.given_back, "what {who} was given back");
            assert_eq!(person.begun_again, expected.begun_again, "sessions of {who}");
        }
    }
}
