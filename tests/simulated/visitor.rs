//! A visitor: a client with a session, and what it was promised.

use super::ledger::{CLOSED, Said};
use stateroom::ClientId;
use stateroom_room::{
    Timestamp,
    session::client::{ClientSettings, SessionClient},
};
use std::{collections::BTreeSet, time::Duration};

/// The numbers that a visitor says begin at its own times this.
pub(crate) const NUMBERS: u64 = 1_000_000;

const SETTINGS: ClientSettings = ClientSettings {
    queue_bytes: 1 << 20,
    probe: Duration::from_millis(100),
    closing: Duration::from_millis(300),
    ack_after: Duration::from_millis(50),
};

/// Which message of the room a visitor gets next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Nobody knows: it was told that it has missed something.
    Unknown,
    /// Its own welcome by the service.
    First,
    /// The first for it from this place on.
    From(usize),
}

/// See the [module](self).
pub(crate) struct Visitor {
    /// Which of those it is that are there at a time.
    pub(crate) place: usize,
    pub(crate) room: &'static str,
    pub(crate) token: Option<String>,
    pub(crate) client: SessionClient,
    /// How many keys it has had.
    pub(crate) keys: u64,
    pub(crate) last_number: u64,
    /// What it has said in this session, in order.
    pub(crate) session: Vec<Line>,
    /// How many of these it was told are durable.
    settled: u64,
    /// Which of these it was told were set aside.
    skipped: BTreeSet<u64>,
    next: Next,
    /// Who it is, once it was welcomed in this session.
    id: Option<ClientId>,
    /// The room said all that it has got before this place.
    reached: usize,
    /// Whether it was told in this session that it missed something.
    has_missed: bool,
    /// When something last happened that may have cost it something, and when the server read the handshake that it was
    /// last welcomed for.
    cause_at: Option<u64>,
    welcomed_at: u64,
    /// The key whose session is over, as far as anybody has told the room.
    pub(crate) over: Option<u64>,
    /// Whether somebody may have come with its token.
    pub(crate) may_be_replaced: bool,
    /// What it was told is not so any more, and it has yet to hear that.
    must_be_told: bool,
    /// Whether its last session has ended, and it has yet to have another.
    begins_anew: bool,
    given_up: u64,
}

/// Something that a visitor has said.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    pub(crate) number: u64,
    pub(crate) is_set_aside: IsSetAside,
}

/// Whether the room fails at something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IsSetAside {
    Yes,
    No,
    /// It closes somebody, of whose end the service may not be able to hear.
    Perhaps,
}

impl Visitor {
    pub(crate) fn new(
        serial: u64,
        place: usize,
        room: &'static str,
        token: Option<String>,
        now: Timestamp,
    ) -> Visitor {
        Visitor {
            place,
            room,
            token,
            client: SessionClient::new(SETTINGS, now),
            keys: 0,
            last_number: serial * NUMBERS,
            session: Vec::new(),
            settled: 0,
            skipped: BTreeSet::new(),
            next: Next::Unknown,
            id: None,
            reached: 0,
            has_missed: false,
            cause_at: None,
            welcomed_at: 0,
            over: None,
            may_be_replaced: false,
            must_be_told: false,
            begins_anew: false,
            given_up: 0,
        }
    }

    /// Something has happened that may have cost it something.
    pub(crate) fn may_have_missed(&mut self, moment: u64) {
        self.cause_at = self.cause_at.max(Some(moment));
    }

    /// It has a new session, or its first, or goes on with the one it has.
    pub(crate) fn welcomed(&mut self, client: Option<ClientId>, recovered: bool, asked_at: u64) {
        let before = std::mem::replace(&mut self.id, client);
        let is_same = before.is_none() || before == client || !recovered;
        assert!(is_same, "{before:?} is {client:?} now");
        let has_cause = self.has_cause();
        if !recovered {
            assert!(has_cause || self.begins_anew, "told anew without a cause");
            self.must_be_told = false;
            (self.has_missed, self.next) = (true, Next::Unknown);
            self.skipped.clear();
        }
        assert!(!self.must_be_told, "not told that what it knew is gone");
        if self.client.received_count() == 0 {
            (self.next, self.has_missed) = (Next::First, false);
        }
        (self.welcomed_at, self.begins_anew) = (asked_at, false);
    }

    /// The service has said something to it, where all that the room has said is known.
    pub(crate) fn got(&mut self, text: &str, client: ClientId, said: &[Said]) {
        assert!(!self.must_be_told, "not told that what it knew is gone, and got {text:?}");
        let (word, place) = Said::read(text).unwrap();
        let is_said = said.get(place).is_some_and(|it| it.text == text && it.is_for(client));
        assert!(is_said, "{client} got {text:?}: {said:?}");
        assert!(place >= self.reached, "{client} got {text:?} twice: {said:?}");
        match self.next {
            Next::Unknown => {}
            Next::First => assert_eq!(word, "welcome", "the first that {client} got is {text:?}"),
            Next::From(first) => {
                let missed = said[first..place].iter().find(|it| it.is_for(client));
                assert_eq!(missed, None, "{client} got {text:?}");
            }
        }
        (self.next, self.reached) = (Next::From(place + 1), place + 1);
    }

    /// It is told that so many of its messages are durable. Returns those that were not before.
    pub(crate) fn settled(&mut self, heard: u64) -> &[Line] {
        let before = std::mem::replace(&mut self.settled, heard);
        &self.session[before as usize..heard as usize]
    }

    /// Whether something has happened since it was last welcomed that may have cost it something.
    pub(crate) fn has_cause(&self) -> bool {
        self.cause_at.is_some_and(|at| at >= self.welcomed_at)
    }

    /// Whether the service has closed it, or may have.
    pub(crate) fn was_closed(&self, said: &[Said]) -> bool {
        let is_it = |it: &Said| it.is_word_for(CLOSED, self.id);
        said.get(self.reached.saturating_sub(1)..).is_some_and(|said| said.iter().any(is_it))
    }

    /// The service has closed it: it has got all that was said before.
    pub(crate) fn closed(&self, said: &[Said]) {
        let last = self.reached.checked_sub(1).and_then(|last| said.get(last));
        let is_last = last.is_some_and(|last| last.is_word_for(CLOSED, self.id));
        // If somebody has its place by then, nobody tells it more.
        let may_lack = self.next == Next::Unknown || self.may_be_replaced;
        assert!(is_last || may_lack, "closed after {last:?}: {said:?}");
    }

    pub(crate) fn skipped(&mut self, number: u64) {
        let line = self.session[number as usize - 1];
        assert_ne!(line.is_set_aside, IsSetAside::No, "{number} did not fail");
        assert!(self.skipped.insert(number), "told twice that {number} failed");
    }

    /// Has heard something, and perhaps that its session has ended.
    pub(crate) fn has_heard(&mut self, that_messages_are_durable: bool) {
        let ended = self.client.given_up();
        if std::mem::replace(&mut self.given_up, ended) != ended {
            (self.id, self.settled) = (None, 0);
            (self.next, self.has_missed) = (Next::Unknown, false);
            (self.must_be_told, self.begins_anew) = (false, true);
            self.skipped.clear();
            self.session.clear();
        }
        let is_misled = that_messages_are_durable && self.must_be_told;
        assert!(!is_misled, "not told that what it knew is gone, and more is durable");
    }

    /// The room has said only so much, as far as is kept.
    pub(crate) fn goes_back(&mut self, said: usize, may_lack: bool) {
        if self.reached > said {
            assert!(may_lack, "it got {} messages of {said}", self.reached);
            (self.must_be_told, self.next, self.reached) = (true, Next::Unknown, said);
        }
    }

    /// The room is there again that was forgotten, which may be the one that it knows.
    pub(crate) fn is_in_another_life(&mut self) {
        (self.must_be_told, self.next, self.reached) = (false, Next::Unknown, 0);
    }

    /// It was told of a number that it is durable, which is not there.
    pub(crate) fn was_told_too_much(&mut self, number: u64) {
        self.must_be_told |= self.session.iter().any(|line| line.number == number);
    }

    /// Nothing happens any more: it has all that there is.
    pub(crate) fn look_at_rest(&self, client: ClientId, said: &[Said]) {
        match self.next {
            Next::Unknown => assert!(self.has_missed, "{client} got nothing"),
            Next::First => panic!("{client} got nothing: {said:?}"),
            Next::From(first) => {
                let missed = said[first..].iter().find(|it| it.is_for(client));
                assert_eq!(missed, None, "{client} never got it");
            }
        }
        let lines = (1..).zip(&self.session);
        let traps = lines.filter(|(_, line)| line.is_set_aside == IsSetAside::Yes);
        let mut untold = traps.filter(|(number, _)| !self.skipped.contains(number));
        assert!(self.has_missed || untold.next().is_none(), "{client} was not told of a failure");
    }
}
