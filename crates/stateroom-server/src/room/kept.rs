//! How the server carries for a room that is kept: what it wants to be kept goes to the keeper, and what is
//! kept of it is read where it has to be made again.

use crate::{
    counters,
    factory::RoomFactory,
    kept::{
        archive::{Archive, OpenFailure},
        code::Code,
        keeper::Keeper,
        requests::{Answer, Request, bytes_of},
    },
    names::Address,
    shared::Shared,
    sometimes::ClientLines,
};
use stateroom::{Compression, ServiceFailure, StateroomService};
use stateroom_room::{
    Event, Keep, KeptRoom, Room, RoomEnded, RoomState, SetAside, Timestamp,
    session::SessionSettings,
};
use stateroom_store::{ModuleHash, Vitals, Write};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// How soon a room looks again whether the store has caught up.
const LOOKS_AGAIN_AFTER: Duration = Duration::from_millis(5);

/// A room that is kept, and the way to where it is.
pub(super) struct Kept<F: RoomFactory> {
    pub(super) room: KeptRoom<F::Service>,
    pub(super) archive: Arc<Archive<F>>,
    address: Address,
    pub(super) code: Code<F>,
    /// Whether new code waits until nothing is on its way.
    pub(super) swap_waits: bool,
    /// Whether, in this turn, the store is too far behind for the room to hear more.
    is_held_back: bool,
    turn_began: Instant,
    /// How many bytes it holds that it has yet to submit, or to send.
    holds: usize,
    /// How often the store had wanted states when the room last looked.
    states_wanted: u64,
    /// When it submitted what is on its way, and after how many events.
    pub(super) submitted: (Instant, u64),
    pub(super) asleep_since: Option<Instant>,
}

impl<F: RoomFactory> Kept<F> {
    /// Opens the room `id`, which need not exist yet.
    pub(super) fn open(
        archive: Arc<Archive<F>>,
        newest: &Code<F>,
        address: Address,
        id: &str,
        sessions: SessionSettings,
        now: Instant,
    ) -> Result<Self, OpenFailure> {
        let (room, code) = archive.open(id, newest, sessions, now)?;
        Ok(Kept {
            room,
            archive,
            address,
            code,
            swap_waits: false,
            is_held_back: false,
            turn_began: now,
            holds: 0,
            states_wanted: 0,
            submitted: (now, 0),
            asleep_since: None,
        })
    }

    /// Looks at the beginning of a turn whether the store is too far behind.
    pub(super) fn begin_turn(&mut self, now: Instant) {
        self.turn_began = now;
        let wanted = self.archive.keeper.states_wanted();
        if wanted != self.states_wanted {
            self.states_wanted = wanted;
            self.room.want_state();
        }
        self.is_held_back = self.archive.keeper.is_behind();
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.swap_waits || self.is_held_back || self.room.is_blocked()
    }

    /// When it looks again whether it is held back still.
    pub(super) fn looks_again_at(&self) -> Option<Instant> {
        self.is_held_back.then(|| Instant::now() + LOOKS_AGAIN_AFTER)
    }

    /// Lets the room hear an event. One that is not in memory is brought there for it.
    pub(super) fn hear(
        &mut self,
        id: &str,
        event: Event<'_>,
        now: Timestamp,
    ) -> Result<(), RoomEnded> {
        if !self.room.concerns(event, now) {
            return Ok(());
        }
        self.bring_in(id).map_err(not_back)?;
        let outcome = self.room.handle(event, now);
        if self.room.room().is_some_and(|room| room.is_awake()) {
            self.asleep_since = None;
        }
        outcome
    }

    /// Has the room be in memory.
    pub(super) fn bring_in(&mut self, id: &str) -> Result<(), OpenFailure> {
        if !self.room.is_in_memory() {
            let (room, took) = self.archive.bring_back(id, &self.code)?;
            self.room.bring_in(room);
            self.room.computed(took);
        }
        Ok(())
    }

    /// Has kept what there is to keep.
    pub(super) fn submit(&mut self, id: &Arc<str>, shared: &Arc<Shared>) {
        if let Some(keeps) = self.room.submit() {
            self.submitted = (self.turn_began, self.room.events());
            let vitals = vitals(&self.room);
            let mut writes = Vec::with_capacity(keeps.len());
            for keep in keeps {
                match write(id, keep, &self.code, vitals) {
                    Ok(write) => writes.push(write),
                    Err(error) => shared.client_lines.room_not_kept(id, &error),
                }
            }
            let then = Some((self.address, Answer::Kept));
            self.archive
                .keeper
                .gather(self.address.shard, Request { writes, then, otherwise: None });
        }
        if self.room.state_is_due() {
            self.save(id, shared);
        }
        let holds = |room: &Room<F::Service>| room.pending_bytes() + room.unsubmitted();
        self.note_holds(self.room.room().map_or(0, holds));
    }

    fn note_holds(&mut self, holds: usize) {
        let before = std::mem::replace(&mut self.holds, holds);
        if before != holds {
            self.archive.keeper.holds(before, holds);
        }
    }

    /// Has the room's state kept, which another thread makes bytes of. All its records are on their way.
    pub(super) fn save(&mut self, id: &Arc<str>, shared: &Arc<Shared>) {
        let began = Instant::now();
        let Some(state) = self.room.take_state() else { return };
        self.room.took_to_save(began.elapsed());
        let (vitals, id) = (vitals(&self.room), id.clone());
        let (keeper, code, from) = (self.archive.keeper.clone(), self.code.clone(), self.address);
        let lines = shared.clone();
        let save =
            move || keep_state(&keeper, &id, state, &code, vitals, from, &lines.client_lines);
        shared.compressor.compress(Compression::new(save));
    }

    /// Has the room as it is kept once more, beside itself, since it is about to start anew. Tells the name,
    /// unless there is nothing to keep: nobody has said anything in it.
    pub(super) fn keep_beside(&mut self, id: &str) -> Result<Option<Arc<str>>, String> {
        let vitals = Vitals { wake_at: None, clients: 0, ..vitals(&self.room) };
        let Some(room) = self.room.room_mut().filter(|room| room.was_spoken_in()) else {
            return Ok(None);
        };
        let state = room.state().ok_or("its state can't be saved")?;
        let name = self.archive.name_beside(id).map_err(|error| error.to_string())?;
        let snapshot = snapshot(&name, state, &self.code, vitals)?;
        // What had that name is older.
        let writes = vec![Write::Delete { room: name.clone() }, snapshot];
        self.archive.keeper.keep_now(writes).map_err(|reason| reason.to_string())?;
        Ok(Some(name))
    }

    /// Has the room's state kept at once, since the server ends.
    ///
    /// # Errors
    /// Why that can't be.
    pub(super) fn save_for_good(&mut self, id: &Arc<str>) -> Result<(), String> {
        if self.room.is_saved() {
            return Ok(());
        }
        let write = if self.room.is_worth_keeping() {
            // A state may be on its way, of before what the room has heard since.
            let state = self.room.take_last_state();
            let state = state.ok_or("it has no state that can be saved now")?;
            snapshot(id, state, &self.code, vitals(&self.room))?
        } else {
            Write::Delete { room: id.clone() }
        };
        // By then it is over, and hears of nothing.
        let then = Some((self.address, Answer::Kept));
        let otherwise = Some(Answer::Unsaved(id.clone()));
        let request = Request { writes: vec![write], then, otherwise };
        let is_taken = self.archive.keeper.gather(self.address.shard, request);
        is_taken.then_some(()).ok_or_else(|| "the server has ended".to_owned())
    }
}

impl<F: RoomFactory> Drop for Kept<F> {
    fn drop(&mut self) {
        self.note_holds(0);
    }
}

/// What the store is told of a room each time.
fn vitals<S: StateroomService>(room: &KeptRoom<S>) -> Vitals {
    let Some(room) = room.room() else { return Vitals::default() };
    let wake_at = room.deadline().map(Timestamp::nanoseconds);
    let clients = u32::try_from(room.member_count()).unwrap_or(u32::MAX);
    Vitals { wake_at, clients, heard_at: room.heard_at().nanoseconds() }
}

fn write<F>(id: &Arc<str>, keep: Keep, code: &Code<F>, vitals: Vitals) -> Result<Write, String> {
    let room = id.clone();
    Ok(match keep {
        Keep::State(state) => snapshot(id, state, code, vitals)?,
        Keep::Records(records) => Write::Append {
            room,
            follows: records.follows,
            events: records.events,
            records: records.bytes,
            vitals,
        },
        Keep::SetAside(SetAside { at, time, reason, event }) => {
            Write::Quarantine { room, at, time: time.nanoseconds(), reason, event }
        }
        Keep::Forget => Write::Delete { room },
    })
}

fn snapshot<F>(
    id: &Arc<str>,
    state: RoomState,
    code: &Code<F>,
    vitals: Vitals,
) -> Result<Write, String> {
    let at = state.at;
    let state = state.encode().map_err(|failure| failure.to_string())?;
    counters::add(|counters| {
        counters.snapshots += 1;
        counters.snapshot_bytes += state.len() as u64;
    });
    Ok(Write::Snapshot { room: id.clone(), at, module: ModuleHash(code.version.0), state, vitals })
}

/// Makes bytes of a state and has them kept, on any thread.
fn keep_state<F>(
    keeper: &Keeper,
    id: &Arc<str>,
    state: RoomState,
    code: &Code<F>,
    vitals: Vitals,
    from: Address,
    lines: &ClientLines,
) {
    let at = state.at;
    match snapshot(id, state, code, vitals) {
        Ok(write) => {
            let otherwise = Some(Answer::StateNotKept);
            let mut request = Request { writes: vec![write], then: None, otherwise };
            let bytes = bytes_of(&request);
            request.then = Some((from, Answer::StateKept { at, bytes }));
            keeper.request_after(from.shard, request);
        }
        Err(error) => {
            lines.room_not_kept(id, &error);
            keeper.tell(from, Answer::StateNotKept);
        }
    }
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
