//! Rooms that outlive their process: what waits for what, and how they come back.

use stateroom::{
    Birth, ClientId, CodeVersion, MemoryLimits, MessageRecipient, RestoreFailure, SavedState,
    ServiceFailure, StateroomContext, StateroomService, StateroomServiceFactory,
};
use stateroom_room::{
    Command, Event, NoState, Records, ReturnFailure, Room, RoomContext, TakeOverFailure, Timestamp,
};
use std::{cell::Cell, convert::Infallible, time::Duration};

/// Adds up numbers, and sets a timer when it is told to.
struct Tally {
    sum: u64,
    time: Duration,
    context: RoomContext,
    failure: Option<ServiceFailure>,
}

/// Of two codes, one of which adds one to everything, and hands over or not.
struct Tallies {
    code: u8,
    extra: u64,
    carries_over: bool,
}

thread_local! {
    static HANDS_OVER: Cell<bool> = const { Cell::new(false) };
    /// What new code asks for when it has taken over.
    static ASKS: Cell<fn(&RoomContext)> = const { Cell::new(|_| {}) };
}

/// With this sum, a service fails when somebody leaves.
const UNLUCKY: u64 = 1013;

const TALLIES: Tallies = Tallies { code: 1, extra: 0, carries_over: false };

impl StateroomService for Tally {
    fn connect(&mut self, client: ClientId) {
        self.context.send_message(client, &format!("sum {}", self.sum));
    }

    fn disconnect(&mut self, _: ClientId) {
        if self.sum == UNLUCKY {
            let detail = "as told".to_owned();
            self.failure = Some(ServiceFailure { summary: "failed", detail });
        }
        self.context.send_message(MessageRecipient::Broadcast, "bye");
    }

    fn message(&mut self, _: ClientId, message: &str) {
        match message.parse::<u64>() {
            Ok(number) => self.sum += number,
            Err(_) if message == "timer" => self.context.set_timer(50),
            Err(_) => {
                self.sum += 1_000_000;
                let detail = "it is no number".to_owned();
                self.failure = Some(ServiceFailure { summary: "failed", detail });
            }
        }
        self.context.send_message(MessageRecipient::Broadcast, &format!("sum {}", self.sum));
    }

    fn timer(&mut self) {
        self.sum *= 2;
        self.context.send_message(MessageRecipient::Broadcast, &format!("at {:?}", self.time));
    }

    fn failure(&self) -> Option<&ServiceFailure> {
        self.failure.as_ref()
    }

    fn set_time(&mut self, now: Duration) {
        self.time = now;
    }

    fn save(&mut self) -> Option<SavedState> {
        let sum = self.sum;
        Some(SavedState::new(move || Ok(sum.to_le_bytes().to_vec())))
    }

    fn hand_over(&mut self) -> Option<Result<Vec<u8>, ServiceFailure>> {
        HANDS_OVER.get().then(|| Ok(self.sum.to_string().into_bytes()))
    }
}

impl Tallies {
    fn tally(&self, sum: u64, context: RoomContext) -> Tally {
        Tally { sum: sum + self.extra, time: Duration::ZERO, context, failure: None }
    }
}

impl StateroomServiceFactory<RoomContext> for Tallies {
    type Service = Tally;
    type Error = Infallible;

    fn build(&self, _: &str, context: RoomContext) -> Result<Tally, Infallible> {
        context.send_message(MessageRecipient::Broadcast, "begun");
        Ok(self.tally(0, context))
    }

    fn version(&self) -> Result<CodeVersion, String> {
        Ok(CodeVersion([self.code; 32]))
    }

    fn restore(
        &self,
        _: &str,
        context: RoomContext,
        state: &[u8],
    ) -> Result<Tally, RestoreFailure> {
        let sum = state.try_into().map_err(|_| RestoreFailure::Damaged("short".to_owned()))?;
        Ok(self.tally(u64::from_le_bytes(sum), context))
    }

    fn takes_over(&self) -> bool {
        self.carries_over
    }

    fn take_over(
        &self,
        _: &str,
        context: RoomContext,
        _: &Birth,
        state: &[u8],
    ) -> Result<Tally, RestoreFailure> {
        let sum = std::str::from_utf8(state).ok().and_then(|sum| sum.parse().ok());
        ASKS.get()(&context);
        Ok(self.tally(sum.unwrap_or_default(), context))
    }
}

type TallyRoom = Room<Tally>;
type Return<T> = Result<T, ReturnFailure<Infallible>>;

const ADA: ClientId = ClientId(1);
const BIRTH: Birth =
    Birth { time: Duration::from_secs(1000), seed: [7; 32], limits: MemoryLimits::NONE };

fn after(milliseconds: u64) -> Timestamp {
    Timestamp::from_origin(BIRTH.time + Duration::from_millis(milliseconds))
}

fn found() -> TallyRoom {
    Room::found(&TALLIES, "lobby", &BIRTH).unwrap()
}

fn says(room: &mut TallyRoom, text: &str, milliseconds: u64) {
    room.handle(Event::Text { client: ADA, text }, after(milliseconds)).unwrap();
}

fn joins(room: &mut TallyRoom, token: Option<&str>) {
    room.handle(Event::Connect { token }, after(0)).unwrap();
}

/// What may be carried out now: texts, and who is let in.
fn released(room: &mut TallyRoom) -> Vec<String> {
    let mut released = Vec::new();
    room.drain_commands(|command| {
        released.push(match command {
            Command::Answer { number, .. } => format!("answer {number}"),
            Command::Open { client } => format!("open {client}"),
            Command::Send { bytes, .. } => String::from_utf8_lossy(bytes).into_owned(),
            Command::Close { client, .. } => format!("close {client}"),
        });
    });
    released
}

/// Everything that the room has heard, as one batch.
fn all(room: &mut TallyRoom) -> Records {
    let records = room.submit().unwrap();
    room.commit();
    released(room);
    records
}

fn state(room: &mut TallyRoom) -> (u64, Vec<u8>) {
    let state = room.state().unwrap();
    (state.at, state.encode().unwrap())
}

fn restore((at, state): &(u64, Vec<u8>)) -> Return<TallyRoom> {
    Room::restore(&TALLIES, "lobby", *at, state)
}

#[test]
fn what_follows_from_an_event_waits_until_its_record_is_durable() {
    let mut room = found();
    joins(&mut room, None);
    says(&mut room, "1", 1);
    assert_eq!(released(&mut room), [""; 0], "nothing is durable");
    let first = room.submit().unwrap();
    assert_eq!((first.follows, first.events), (0, 2));
    assert!(room.is_waiting());

    // The room goes on hearing, and what follows from that waits for the next records.
    says(&mut room, "2", 2);
    assert_eq!(room.submit(), None, "one after the other");
    assert_eq!(released(&mut room), [""; 0]);
    room.commit();
    assert_eq!(released(&mut room), ["begun", "open 1", "sum 0", "sum 1"]);
    assert_eq!(released(&mut room), [""; 0]);

    let second = room.submit().unwrap();
    assert_eq!((second.follows, second.events), (2, 1));
    says(&mut room, "3", 3);
    room.commit();
    assert_eq!(released(&mut room), ["sum 3"]);
    assert_eq!(all(&mut room).follows, 3);
}

#[test]
fn a_room_comes_back_from_its_birth_or_its_state_and_what_it_heard_after() {
    let mut room = found();
    let birth = state(&mut room);
    joins(&mut room, Some("secret"));
    says(&mut room, "timer", 10);
    let first = all(&mut room);
    let middle = state(&mut room);
    room.handle(Event::Timer, after(60)).unwrap();
    says(&mut room, "5", 70);
    let second = all(&mut room);

    for (start, parts) in [(&birth, [&first, &second].as_slice()), (&middle, &[&second])] {
        let mut back = restore(start).unwrap();
        for part in parts {
            let replayed: Return<()> = back.replay(part.follows, &part.bytes);
            replayed.unwrap();
        }
        assert_eq!(released(&mut back), [""; 0], "it has all been said");
        assert_eq!(back.events(), room.events());
        assert_eq!(back.deadline(), room.deadline());
        assert!(back.has_token(ADA));
        assert_eq!(back.service_mut().sum, room.service_mut().sum);
        // The same token is the same client.
        joins(&mut back, Some("secret"));
        back.submit().unwrap();
        back.commit();
        assert_eq!(released(&mut back), ["close 1", "bye", "open 1", "sum 5"]);
    }
    // A batch of which the room knows the first part already.
    let mut back = restore(&middle).unwrap();
    let replayed: Return<()> = back.replay(first.follows, &first.bytes);
    replayed.unwrap();
    assert_eq!(back.events(), middle.0);
}

#[test]
fn what_does_not_do_again_what_it_did_is_stopped() {
    let mut room = found();
    let birth = state(&mut room);
    joins(&mut room, None);
    says(&mut room, "5", 1);
    let records = all(&mut room);

    let other = Tallies { extra: 1, ..TALLIES };
    let mut back = Room::restore(&other, "lobby", birth.0, &birth.1).unwrap();
    let failure: Return<()> = back.replay(records.follows, &records.bytes);
    let failure = failure.unwrap_err();
    assert!(matches!(failure, ReturnFailure::Diverged { event: 1, .. }), "{failure}");
    assert!(failure.to_string().contains("a client's connect"), "{failure}");

    let mut back = restore(&birth).unwrap();
    let gap: Return<()> = back.replay(3, &records.bytes);
    assert!(matches!(gap, Err(ReturnFailure::Gap { found: 3, wanted: 0 })));
    let damaged: Return<()> = back.replay(0, &records.bytes[..records.bytes.len() - 1]);
    assert!(matches!(damaged, Err(ReturnFailure::NoRecord(_))));
}

#[test]
fn a_state_of_another_version_or_a_damaged_one_is_refused() {
    let mut room = found();
    joins(&mut room, None);
    let (at, mut bytes) = state(&mut room);
    for length in 0..bytes.len() {
        assert!(restore(&(at, bytes[..length].to_vec())).is_err(), "{length}");
    }
    bytes[0] = 9;
    let failure = restore(&(at, bytes)).map(|_| ()).unwrap_err();
    assert!(matches!(failure, ReturnFailure::NoState(NoState::OtherVersion { .. })), "{failure}");
}

#[test]
fn an_event_that_fails_leaves_no_record() {
    let mut room = found();
    joins(&mut room, None);
    says(&mut room, "5", 1);
    let event = Event::Text { client: ADA, text: "five" };
    room.handle(event, after(2)).unwrap_err();
    room.handle(event, after(3)).unwrap_err();
    assert!(room.state().is_none(), "there is no telling what it has done");
    let records = room.submit().unwrap();
    assert_eq!(records.events, 2, "what came before is kept");
    room.commit();
    assert_eq!(released(&mut room), ["begun", "open 1", "sum 0", "sum 5"]);
}

#[test]
fn who_cannot_be_let_go_is_forgotten_without_the_service() {
    let mut room = found();
    joins(&mut room, None);
    says(&mut room, "timer", 0);
    room.handle(Event::Forget { client: ADA }, after(51)).unwrap();
    assert_eq!(room.member_count(), 0);
    room.submit().unwrap();
    room.commit();
    assert_eq!(released(&mut room), ["begun", "open 1", "sum 0", "sum 0"]);
}

#[test]
fn time_never_goes_backwards_even_across_a_restart() {
    let mut room = found();
    joins(&mut room, None);
    says(&mut room, "1", 90);
    let saved = state(&mut room);
    let mut back = restore(&saved).unwrap();
    // The machine's clock was set back meanwhile.
    says(&mut back, "timer", 20);
    assert_eq!(back.service_mut().time, after(90).since_origin());
    assert_eq!(back.deadline(), Some(after(140)));
}

#[test]
fn other_code_takes_over_the_state_when_both_are_willing() {
    let mut room = found();
    joins(&mut room, None);
    says(&mut room, "5", 1);
    all(&mut room);
    let willing = Tallies { code: 2, extra: 100, carries_over: true };
    let refused = room.take_over(&TALLIES, "lobby", &BIRTH);
    assert_eq!(refused, Err(TakeOverFailure::NotOffered("the new")));
    let refused = room.take_over(&willing, "lobby", &BIRTH);
    assert_eq!(refused, Err(TakeOverFailure::NotOffered("the old")));
    assert_eq!(room.service_mut().sum, 5);

    HANDS_OVER.set(true);
    room.take_over(&willing, "lobby", &BIRTH).unwrap();
    assert_eq!(room.service_mut().sum, 105);
    assert_eq!(room.members().collect::<Vec<_>>(), [ADA], "nobody has left");
    let (at, _) = state(&mut room);
    assert_eq!(at, room.events());
}

#[test]
fn what_new_code_asks_for_when_it_takes_over_waits_until_its_state_is_durable() {
    let mut room = found();
    joins(&mut room, None);
    joins(&mut room, None);
    says(&mut room, "timer", 1);
    all(&mut room);
    HANDS_OVER.set(true);
    ASKS.set(|context| {
        assert_eq!(context.clients(), [ADA, ClientId(2)]);
        context.send_message(MessageRecipient::Broadcast, "new code");
        context.set_timer(500);
        context.close(ADA, 4301, "too old");
    });
    let willing = Tallies { code: 2, extra: 100, carries_over: true };
    let birth = Birth { time: after(10).since_origin(), ..BIRTH };
    room.take_over(&willing, "lobby", &birth).unwrap();

    assert_eq!(room.deadline(), Some(after(510)));
    assert_eq!(room.members().collect::<Vec<_>>(), [ClientId(2)]);
    assert_eq!(released(&mut room), [""; 0], "nothing is durable");
    let saved = state(&mut room);
    room.submit().unwrap();
    room.commit();
    assert_eq!(released(&mut room), ["new code", "close 1", "bye"]);

    // It is part of the state, and not done again.
    let mut back: TallyRoom = Room::restore(&willing, "lobby", saved.0, &saved.1).unwrap();
    assert_eq!(back.deadline(), Some(after(510)));
    assert_eq!(back.members().collect::<Vec<_>>(), [ClientId(2)]);
    assert_eq!(released(&mut back), [""; 0]);
}

#[test]
fn new_code_that_fails_at_what_follows_from_what_it_asks_for_leaves_the_room_as_it_was() {
    let mut room = found();
    joins(&mut room, None);
    says(&mut room, "13", 1);
    says(&mut room, "timer", 1);
    all(&mut room);
    HANDS_OVER.set(true);
    ASKS.set(|context| {
        context.send_message(MessageRecipient::Broadcast, "new code");
        context.set_timer(500);
        context.close(ADA, 4301, "too old");
    });
    let unlucky = Tallies { code: 2, extra: UNLUCKY - 13, carries_over: true };
    let later = Birth { time: after(10).since_origin(), ..BIRTH };
    let refused = room.take_over(&unlucky, "lobby", &later).unwrap_err();
    assert!(refused.to_string().contains("as told"), "{refused}");

    assert_eq!(room.deadline(), Some(after(51)));
    assert_eq!(room.heard_at(), after(1));
    let there = room.service_mut().context.clients();
    assert_eq!((room.members().collect::<Vec<_>>(), there), (vec![ADA], vec![ADA]));
    says(&mut room, "2", 20);
    all(&mut room);
    assert_eq!(room.service_mut().sum, 15);
}

#[test]
fn a_room_without_records_waits_for_nothing_and_can_be_saved_all_the_same() {
    let mut room = found();
    room.keep_no_records();
    joins(&mut room, None);
    says(&mut room, "5", 1);
    assert_eq!(released(&mut room), ["begun", "open 1", "sum 0", "sum 5"]);
    assert_eq!((room.unsubmitted(), room.submit()), (0, None));
    let saved = state(&mut room);
    assert_eq!(saved.0, 2);
    assert_eq!(restore(&saved).unwrap().service_mut().sum, 5);
}
