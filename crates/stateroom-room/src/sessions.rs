//! The sessions of a room, wherever it is in its life, and how they follow what it hears.

use crate::{
    command::{CloseReason, Command},
    event::Event,
    outbox::{Mark, RoomOutbox},
    session::{Happened, Ledger, Left, Life, Output, SessionHost, SessionSettings},
    timestamp::Timestamp,
};

/// How much a room keeps at most to say it again while it hears its journal: more than anybody is likely to allow it
/// afterwards, so that nothing is missed for that.
const PAST_BYTES: usize = 64 << 20;

/// What the epoch of a room's first life is. Zero would be none.
const FIRST_EPOCH: u64 = 1;

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) enum Sessions {
    /// Nobody has one.
    #[default]
    None,
    /// The room hears its journal again.
    Past(Box<Ledger>),
    /// Clients can come.
    Live(Box<SessionHost>),
}

impl Sessions {
    /// Those of a room that is brought back, as its state has them.
    pub(crate) fn of(ledger: Ledger) -> Self {
        Sessions::Past(Box::new(ledger))
    }

    pub(crate) fn ledger(&self) -> Option<&Ledger> {
        match self {
            Sessions::None => None,
            Sessions::Past(ledger) => Some(ledger),
            Sessions::Live(host) => Some(host.ledger()),
        }
    }

    pub(crate) fn host(&mut self) -> Option<&mut SessionHost> {
        match self {
            Sessions::Live(host) => Some(host),
            Sessions::None | Sessions::Past(_) => None,
        }
    }

    /// Lets clients come, after so many events of the room.
    pub(crate) fn open(&mut self, settings: SessionSettings, events: u64, now: Timestamp) {
        let open = |ledger| Box::new(SessionHost::open(ledger, settings, events, now));
        *self = Sessions::Live(match std::mem::take(self) {
            Sessions::Live(host) => host,
            Sessions::Past(ledger) => open(*ledger),
            Sessions::None => open(first()),
        });
    }

    /// Goes on in a room that was made again as it was before an event that failed, whose sessions these are, after
    /// those that it had: whoever has a socket keeps it.
    pub(crate) fn go_on_after(&mut self, before: Sessions) {
        let Sessions::Live(mut host) = before else { return };
        host.back_again(match std::mem::take(self) {
            Sessions::Past(ledger) => *ledger,
            Sessions::None | Sessions::Live(_) => first(),
        });
        *self = Sessions::Live(host);
    }

    /// When they next have something to do.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        match self {
            Sessions::Live(host) => host.deadline(),
            Sessions::None | Sessions::Past(_) => None,
        }
    }

    /// Gives what is to be said once so many events are durable. Sessions that are of no use any more take no memory.
    pub(crate) fn drain(
        &mut self,
        durable: u64,
        now: Timestamp,
        carry_out: impl FnMut(Output<'_>),
    ) {
        let Some(host) = self.host() else { return };
        host.drain(durable, now, carry_out);
        if host.is_idle() {
            *self = Sessions::None;
        }
    }

    /// Notes what the room has heard as its event number `at`, if it keeps count, and what it has said since `mark`.
    pub(crate) fn note(
        &mut self,
        event: Event<'_>,
        outbox: &RoomOutbox,
        mark: Mark,
        at: Option<u64>,
        now: Timestamp,
    ) {
        let is_first = matches!(event, Event::Join { .. } | Event::Incarnate { .. });
        if matches!(self, Sessions::None) {
            if !is_first {
                return;
            }
            *self = Sessions::of(first());
        }
        let at = self.reached(at);
        let matters = |sessions: &Self| sessions.ledger().is_some_and(Ledger::has_any);
        if !matters(self) && !is_first {
            return;
        }
        if let Some(happened) = heard(event) {
            self.apply(at, happened, now);
        }
        outbox.show_since(mark, |command| {
            if let Some(happened) = said(event, command) {
                self.apply(at, happened, now);
            }
        });
    }

    /// Notes that the room has begun anew, with the same clients, and what it has said since `mark`.
    pub(crate) fn note_anew(&mut self, outbox: &RoomOutbox, mark: Mark, now: Timestamp) {
        let Some(epoch) = self.ledger().map(|ledger| ledger.life().epoch + 1) else { return };
        let at = self.host().map_or(0, |host| host.events());
        self.apply(at, Happened::Anew { epoch }, now);
        self.note_said(outbox, mark, now);
    }

    /// Notes what new code has said since `mark`, without having heard anything.
    pub(crate) fn note_said(&mut self, outbox: &RoomOutbox, mark: Mark, now: Timestamp) {
        if !self.ledger().is_some_and(Ledger::has_any) {
            return;
        }
        let at = self.host().map_or(0, |host| host.events());
        outbox.show_since(mark, |command| {
            if let Some(happened) = said(Event::Timer, command) {
                self.apply(at, happened, now);
            }
        });
    }

    /// The number of the event that was just heard. Where a room keeps no count it waits for no disk either, and all
    /// that happens is let out as one.
    fn reached(&mut self, at: Option<u64>) -> u64 {
        let Some(host) = self.host() else { return at.unwrap_or(0) };
        let at = at.unwrap_or_else(|| host.events());
        host.reached(at);
        at
    }

    fn apply(&mut self, at: u64, happened: Happened<'_>, now: Timestamp) {
        match self {
            Sessions::None => {}
            Sessions::Past(ledger) => {
                ledger.apply(happened);
                ledger.trim(PAST_BYTES, u64::MAX);
            }
            Sessions::Live(host) => host.note(at, happened, now),
        }
    }
}

/// The sessions of a room in which nobody has had any.
fn first() -> Ledger {
    Ledger::new(Life { epoch: FIRST_EPOCH, incarnation: 0 })
}

/// What an event is to sessions.
fn heard(event: Event<'_>) -> Option<Happened<'_>> {
    Some(match event {
        Event::Text { client, .. } | Event::Binary { client, .. } => Happened::Heard { client },
        Event::Skip { client, reason } => Happened::Skipped { client, reason },
        Event::Incarnate { number } => Happened::Incarnated { number },
        Event::Disconnect { client } | Event::Leave { client, .. } | Event::Forget { client } => {
            Happened::Disconnect { client, why: Left::Gone }
        }
        // A join is told by the command that opens the connection: somebody may leave before.
        Event::Connect { .. }
        | Event::Join { .. }
        | Event::Timer
        | Event::Limits { .. }
        | Event::Claims { .. }
        | Event::Configure { .. }
        | Event::Request { .. } => return None,
    })
}

/// What a command that an event has caused is to sessions.
fn said<'a>(event: Event<'_>, command: Command<'a>) -> Option<Happened<'a>> {
    Some(match (command, event) {
        (Command::Open { client }, Event::Join { key, .. }) => Happened::Connect { client, key },
        // It has no session. The one who had its id before may have had one, which the service has closed.
        (Command::Open { client }, _) => Happened::Disconnect { client, why: Left::Replaced },
        (Command::Close { client, reason: CloseReason::Replaced }, _) => {
            Happened::Disconnect { client, why: Left::Replaced }
        }
        (Command::Close { client, reason: CloseReason::Service { code, reason } }, _) => {
            Happened::Disconnect { client, why: Left::Closed { code, reason } }
        }
        (Command::Send { to, kind, bytes }, _) => Happened::Sent { to, kind, bytes },
        (Command::Answer { .. }, _) => return None,
    })
}
