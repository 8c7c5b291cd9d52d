//! How a room is kept: what it hears goes to the store, and what follows from it waits for that.
//!
//! A room that is kept goes on hearing while its records are on their way to the disk; only its
//! commands wait. From time to time its state is saved, which makes the journal before it
//! superfluous. A room that has been quiet for long is dropped from memory, and brought back by the
//! next thing it has to hear.

use super::{BATCH_BYTES, DrivenRoom, End, Order, RoomFactory, Turn, setback::Setback};
use crate::{
    Survives,
    archive::{Archive, Code, OpenFailure, Opened},
    keeper::{Address, Answer, Request},
    shared::Shared,
};
use stateroom::{ClientId, Compression, ServiceFailure};
use stateroom_room::{Event, Room, RoomEnded, RoomState, Timestamp};
use stateroom_store::{ModuleHash, Vitals, Write};
use std::{sync::Arc, time::Instant};

/// A room's state is saved when its journal since the last time has this many bytes: some thousand
/// small events, which are heard again in a few milliseconds.
const JOURNAL_BYTES: usize = 512 * 1024;

/// What a room that is kept has besides itself.
pub(super) struct Keep<F: RoomFactory> {
    pub(super) archive: Arc<Archive<F>>,
    address: Address,
    pub(super) code: Code<F>,
    /// The state that the store has yet to be told first; `None` once it knows the room.
    first: Option<RoomState>,
    /// After how many events the store has the state.
    saved: Option<u64>,
    /// Whether a state is on its way to the store.
    saving: bool,
    /// How many bytes of journal there are since the last state.
    journal_bytes: usize,
    /// Whether new code waits until nothing is on its way.
    swap_waits: bool,
    /// The room's deadline, while the room is not in memory.
    pub(super) deadline: Option<Timestamp>,
    pub(super) asleep_since: Option<Instant>,
    /// Those who were in the room when it was last in memory, until they are back or given up.
    absent: Vec<ClientId>,
    /// When they are given up.
    absent_until: Instant,
    pub(super) setback: Setback,
}

impl<F: RoomFactory> Keep<F> {
    pub(super) fn new(
        opened: Opened<F>,
        archive: Arc<Archive<F>>,
        address: Address,
        shared: &Shared,
    ) -> (Room<F::Service>, Self) {
        let Opened { mut room, code, saved, journal_bytes } = opened;
        let is_told = saved.is_none() && archive.survives != Survives::Nothing;
        let first = is_told.then(|| room.state()).flatten();
        let keep = Keep {
            archive,
            address,
            code,
            first,
            saved,
            saving: false,
            journal_bytes,
            swap_waits: false,
            deadline: None,
            asleep_since: None,
            absent: room.members().collect(),
            absent_until: shared.started + shared.config.reconnect_timeout,
            setback: Setback::default(),
        };
        (room, keep)
    }

    /// Whether the room's commands wait for nothing.
    pub(super) fn waits_for_nothing(&self) -> bool {
        self.archive.survives == Survives::Nothing
    }

    /// Lets the room hear an event. One that is not in memory is brought back for it.
    pub(super) fn handle(
        &mut self,
        room: &mut Option<Box<Room<F::Service>>>,
        id: &str,
        event: Event<'_>,
        now: Timestamp,
    ) -> Result<(), RoomEnded> {
        let nothing_due = || self.deadline.is_none_or(|deadline| deadline > now);
        if room.is_none() && event == Event::Timer && nothing_due() {
            return Ok(());
        }
        let room = self.in_memory(room, id).map_err(not_back)?;
        let outcome = room.handle(event, now);
        if room.is_awake() {
            self.asleep_since = None;
        }
        if let Err(ended) = &outcome
            && !self.waits_for_nothing()
        {
            self.setback.blame(event, now, room.events(), ended);
        }
        outcome
    }

    /// The room, in memory.
    pub(super) fn in_memory<'a>(
        &self,
        room: &'a mut Option<Box<Room<F::Service>>>,
        id: &str,
    ) -> Result<&'a mut Room<F::Service>, OpenFailure> {
        match room {
            Some(room) => Ok(room),
            None => Ok(room.insert(Box::new(self.archive.bring_back(id, &self.code)?))),
        }
    }

    /// Has something of the room kept; `then` is what it is told when that is done.
    pub(super) fn request(&self, writes: Vec<Write>, then: Option<Answer>) {
        let then = then.map(|answer| (self.address, answer));
        self.archive.keeper.gather(self.address.shard, Request { writes, then });
    }

    /// Whether nothing of the room is on its way to the store, nor has to be.
    fn is_quiet(&self, room: &Room<F::Service>) -> bool {
        self.first.is_none() && !self.saving && !room.is_waiting() && room.unsubmitted() == 0
    }

    /// Whether the store has the room's state as it is.
    fn is_saved(&self, room: &Room<F::Service>) -> bool {
        self.saved == Some(room.events()) && self.is_quiet(room)
    }

    /// Notes that the room runs other code, from the state that it is in now.
    pub(super) fn runs(&mut self, code: Code<F>, room: &mut Room<F::Service>) {
        self.code = code;
        self.saved = None;
        self.first = room.state().filter(|_| !self.waits_for_nothing());
    }
}

impl<F: RoomFactory> DrivenRoom<F> {
    /// Has what the room has heard kept, unless something of it is on its way already.
    pub(super) fn submit(&mut self) {
        let (Some(room), Some(keep)) = (&mut self.room, &mut self.keep) else { return };
        if keep.first.is_none() && room.unsubmitted() == 0 {
            return;
        }
        let Some(records) = room.submit() else { return };
        let vitals = vitals(room);
        let mut writes = Vec::with_capacity(1);
        if let Some(first) = keep.first.take() {
            let at = first.at;
            match snapshot(&self.id, first, &keep.code, vitals) {
                Ok(write) => writes.push(write),
                Err(error) => tracing::error!(room = &*self.id, error, "the room is not kept"),
            }
            keep.saved = Some(at);
        }
        keep.journal_bytes += records.bytes.len();
        if records.events > 0 {
            writes.push(Write::Append {
                room: self.id.clone(),
                follows: records.follows,
                events: records.events,
                records: records.bytes,
                vitals,
            });
        }
        keep.request(writes, Some(Answer::Records));
        if keep.journal_bytes >= JOURNAL_BYTES && !keep.saving {
            self.save();
        }
    }

    /// Has the room's state saved, on another thread. All its records are on their way.
    fn save(&mut self) {
        let (Some(room), Some(keep)) = (&mut self.room, &mut self.keep) else { return };
        let Some(state) = room.state() else { return };
        let (at, vitals, id) = (state.at, vitals(room), self.id.clone());
        let (keeper, code, from) = (keep.archive.keeper.clone(), keep.code.clone(), keep.address);
        keep.saving = true;
        keep.journal_bytes = 0;
        let save = move || {
            let (writes, answer) = match snapshot(&id, state, &code, vitals) {
                Ok(write) => (vec![write], Answer::State { at }),
                Err(error) => {
                    tracing::error!(room = &*id, error, "the room stays in memory");
                    (Vec::new(), Answer::NotSaved)
                }
            };
            keeper.request_after(from.shard, Request { writes, then: Some((from, answer)) });
        };
        self.shared.compressor.compress(Compression::new(save));
    }

    /// Has the room's state saved at once, since the server ends.
    pub(super) fn save_for_good(&mut self) {
        self.submit();
        let (Some(room), Some(keep)) = (&mut self.room, &mut self.keep) else { return };
        if keep.is_saved(room) {
            return;
        }
        let Some(state) = room.state() else { return };
        let at = state.at;
        match snapshot(&self.id, state, &keep.code, vitals(room)) {
            Ok(write) => keep.request(vec![write], Some(Answer::State { at })),
            Err(error) => tracing::error!(room = &*self.id, error, "the room is not saved"),
        }
    }

    /// Hears what became of what was to be kept.
    pub(super) fn take_answer(
        &mut self,
        answer: Answer,
        turn: &mut Turn<F>,
        now: Instant,
    ) -> Result<(), End> {
        let Some(keep) = &mut self.keep else { return Ok(()) };
        match answer {
            Answer::Records => {
                if let Some(room) = &mut self.room {
                    room.commit();
                }
                self.obey(turn);
            }
            Answer::State { at } => {
                keep.saved = Some(at);
                keep.saving = false;
            }
            Answer::NotSaved => {
                keep.saving = false;
                self.empty_since = now;
                keep.asleep_since = keep.asleep_since.map(|_| now);
            }
            Answer::Lost(reason) => return Err(End::NotKept(reason)),
        }
        self.submit();
        let (Some(room), Some(keep)) = (&self.room, &mut self.keep) else { return Ok(()) };
        if keep.is_quiet(room) {
            keep.swap_waits = false;
            if keep.setback.is_on() {
                self.recover(turn, now)?;
            }
        }
        Ok(())
    }

    /// Whether the room can hear nothing now.
    pub(crate) fn is_blocked(&self) -> bool {
        let Some(keep) = &self.keep else { return false };
        let is_full = |room: &Room<_>| room.is_waiting() && room.pending_bytes() >= BATCH_BYTES;
        keep.swap_waits
            || keep.setback.holds_up()
            || self.room.as_ref().is_some_and(|room| is_full(room))
    }

    /// Whether the order has to wait until nothing of the room is on its way to the store.
    pub(super) fn holds_up(&mut self, order: &Order<F>) -> bool {
        let (Some(room), Some(keep)) = (&self.room, &mut self.keep) else { return false };
        keep.swap_waits = matches!(order, Order::Swap(_)) && !keep.is_quiet(room);
        keep.swap_waits
    }

    /// Lets those go who were in the room before the server ended, and have not come back.
    pub(super) fn part_with_the_absent(
        &mut self,
        turn: &mut Turn<F>,
        now: Instant,
    ) -> Result<(), RoomEnded> {
        let Some(keep) = &mut self.keep else { return Ok(()) };
        // A newcomer may be one of them.
        if keep.absent.is_empty() || !self.newcomers.is_empty() {
            return Ok(());
        }
        let given_up = now >= keep.absent_until;
        let mut absent = std::mem::take(&mut keep.absent);
        let mut outcome = Ok(());
        absent.retain(|client| {
            let may_return = !given_up
                && !self.sockets.has(*client)
                && self.room.as_ref().is_some_and(|room| room.has_token(*client));
            if outcome.is_ok() && !may_return && !self.sockets.has(*client) {
                outcome = self.hear(Event::Disconnect { client: *client }, turn, now);
                return false;
            }
            outcome.is_err() || may_return
        });
        if let Some(keep) = &mut self.keep {
            keep.absent = absent;
        }
        outcome
    }

    /// When those who were in the room before are given up.
    pub(super) fn absent_until(&self) -> Option<Instant> {
        let keep = self.keep.as_ref()?;
        (!keep.absent.is_empty()).then_some(keep.absent_until)
    }

    /// Has a room that has been quiet for long saved, and then dropped from memory.
    pub(super) fn go_to_rest(&mut self, now: Instant) {
        let is_quiet = self.is_empty() && now >= self.ends_when_empty_at();
        let sleeps_on = self.leaves_memory_at().is_some_and(|at| now >= at);
        let (Some(room), Some(keep)) = (&mut self.room, &mut self.keep) else { return };
        if !(is_quiet || sleeps_on) || !self.newcomers.is_empty() || keep.setback.is_on() {
            return;
        }
        if keep.is_saved(room) {
            if sleeps_on {
                keep.deadline = room.deadline();
                keep.asleep_since = None;
                self.room = None;
            }
        } else if keep.is_quiet(room) {
            self.save();
        }
    }

    /// When a room that sleeps goes to the disk.
    pub(super) fn leaves_memory_at(&self) -> Option<Instant> {
        let keep = self.keep.as_ref()?;
        let since = keep.asleep_since.filter(|_| self.room.is_some() && !keep.saving)?;
        Some(since + self.shared.config.hibernate_after)
    }

    /// Whether nothing of the room is on its way to the store, nor has to be.
    pub(super) fn is_quiet(&self) -> bool {
        match (&self.room, &self.keep) {
            (Some(room), Some(keep)) => keep.is_quiet(room),
            _ => true,
        }
    }

    /// Whether the room's state is on its way to the store.
    pub(super) fn is_being_saved(&self) -> bool {
        self.keep.as_ref().is_some_and(|keep| keep.saving)
    }

    /// Whether the room can be brought back as it is.
    pub(super) fn is_saved(&self) -> bool {
        match (&self.room, &self.keep) {
            (Some(room), Some(keep)) => keep.is_saved(room) && !keep.setback.is_on(),
            _ => true,
        }
    }
}

/// What the store is told of a room each time.
fn vitals<S: stateroom::StateroomService>(room: &Room<S>) -> Vitals {
    let wake_at = room.deadline().map(Timestamp::nanoseconds);
    let clients = u32::try_from(room.member_count()).unwrap_or(u32::MAX);
    Vitals { wake_at, clients, heard_at: room.heard_at().nanoseconds() }
}

fn snapshot<F>(
    id: &Arc<str>,
    state: RoomState,
    code: &Code<F>,
    vitals: Vitals,
) -> Result<Write, String> {
    let at = state.at;
    let state = state.encode().map_err(|failure| failure.to_string())?;
    Ok(Write::Snapshot { room: id.clone(), at, module: ModuleHash(code.version.0), state, vitals })
}

/// What it means for a room that it can't be brought back.
pub(super) fn not_back(failure: OpenFailure) -> RoomEnded {
    RoomEnded {
        failure: ServiceFailure {
            summary: "room failed: it could not be brought back",
            detail: failure.to_string(),
        },
    }
}
