//! How the server carries for a room that is kept: what it wants to be kept goes to the keeper, its answers
//! come back, and what is kept of it is read where it has to be made again.

use super::{
    driven::DrivenRoom,
    turn::{End, Leaving, Turn},
};
use crate::{
    factory::RoomFactory,
    kept::{
        archive::{Archive, OpenFailure},
        code::Code,
        keeper::Keeper,
        requests::{Answer, Request},
    },
    names::Address,
    shared::Shared,
    websocket::CloseCode,
};
use stateroom::{Compression, ServiceFailure, StateroomService};
use stateroom_room::{
    Consequence, Event, Keep, KeptRoom, RoomEnded, RoomState, SetAside, Timestamp,
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
    pub(super) asleep_since: Option<Instant>,
}

impl<F: RoomFactory> Kept<F> {
    /// Opens the room `id`, which need not exist yet.
    pub(super) fn open(
        archive: Arc<Archive<F>>,
        newest: &Code<F>,
        address: Address,
        id: &str,
        now: Instant,
    ) -> Result<Self, OpenFailure> {
        let (room, code) = archive.open(id, newest, now)?;
        Ok(Kept {
            room,
            archive,
            address,
            code,
            swap_waits: false,
            is_held_back: false,
            asleep_since: None,
        })
    }

    /// Looks at the beginning of a turn whether the store is too far behind.
    pub(super) fn begin_turn(&mut self) {
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
    pub(super) fn submit(&mut self, id: &Arc<str>, shared: &Shared) {
        if let Some(keeps) = self.room.submit() {
            let vitals = vitals(&self.room);
            let mut writes = Vec::with_capacity(keeps.len());
            for keep in keeps {
                match write(id, keep, &self.code, vitals) {
                    Ok(write) => writes.push(write),
                    Err(error) => tracing::error!(room = &**id, error, "the room is not kept"),
                }
            }
            let then = Some((self.address, Answer::Kept));
            self.archive.keeper.gather(self.address.shard, Request { writes, then });
        }
        if self.room.state_is_due() {
            self.save(id, shared);
        }
    }

    /// Has the room's state kept, which another thread makes bytes of. All its records are on their way.
    pub(super) fn save(&mut self, id: &Arc<str>, shared: &Shared) {
        let began = Instant::now();
        let Some(state) = self.room.take_state() else { return };
        self.room.took_to_save(began.elapsed());
        let (vitals, id) = (vitals(&self.room), id.clone());
        let (keeper, code, from) = (self.archive.keeper.clone(), self.code.clone(), self.address);
        let save = move || keep_state(&keeper, &id, state, &code, vitals, from);
        shared.compressor.compress(Compression::new(save));
    }

    /// Has the room's state kept at once, since the server ends. `false` if that can't be.
    pub(super) fn save_for_good(&mut self, id: &Arc<str>) -> bool {
        if self.room.is_saved() {
            return true;
        }
        let Some(state) = self.room.take_state() else { return false };
        let vitals = vitals(&self.room);
        match snapshot(id, state, &self.code, vitals) {
            Ok(write) => {
                let request = Request { writes: vec![write], then: None };
                self.archive.keeper.gather(self.address.shard, request);
                true
            }
            Err(error) => {
                tracing::error!(room = &**id, error, "the room's state cannot be saved");
                false
            }
        }
    }
}

impl<F: RoomFactory> DrivenRoom<F> {
    /// Has kept what the room has heard, where it is kept.
    pub(super) fn submit(&mut self) {
        if let Some(kept) = self.core.kept() {
            kept.submit(&self.id, &self.shared);
        }
    }

    /// Hears what became of what was to be kept.
    pub(super) fn take_answer(
        &mut self,
        answer: Answer,
        turn: &mut Turn<F>,
        now: Instant,
    ) -> Result<(), End> {
        let Some(kept) = self.core.kept() else { return Ok(()) };
        match answer {
            Answer::Kept => {
                kept.room.kept();
                self.obey(turn);
                self.let_go_of_the_answered(now);
            }
            Answer::StateKept { at } => kept.room.state_kept(at),
            Answer::StateNotKept => {
                kept.room.state_not_kept();
                kept.asleep_since = kept.asleep_since.map(|_| now);
                self.empty_since = now;
            }
            Answer::Lost(reason) => return Err(End::NotKept(reason)),
        }
        self.submit();
        let Some(kept) = self.core.kept() else { return Ok(()) };
        if kept.room.is_quiet() {
            kept.swap_waits = false;
        }
        self.recover(turn, now)
    }

    /// Has an event that has failed cost only itself, in a room that keeps what it hears.
    pub(super) fn survive(
        &mut self,
        end: End,
        turn: &mut Turn<F>,
        now: Instant,
    ) -> Result<(), End> {
        match (&end, self.core.kept()) {
            (End::Failed(_), Some(kept)) if kept.room.has_failed() => {}
            _ => return Err(end),
        }
        self.submit();
        self.recover(turn, now)
    }

    /// Makes the room again as it was before the event that failed, once all that came before is durable.
    fn recover(&mut self, turn: &mut Turn<F>, now: Instant) -> Result<(), End> {
        let Some(kept) = self.core.kept() else { return Ok(()) };
        if !kept.room.is_to_be_brought_back() {
            return Ok(());
        }
        let reason = kept.room.failure().unwrap_or_default().to_owned();
        self.shared.client_lines.event_failed(&self.id, &reason);
        let (room, took) = kept.archive.bring_back(&self.id, &kept.code).map_err(not_back)?;
        if let Some(summary) = kept.room.failure_summary() {
            self.shared.failed_events.add(summary);
        }
        let consequence = kept.room.back_again(room, self.shared.clock.timestamp(now));
        kept.room.computed(took);
        if let Consequence::Close(client, summary) = consequence {
            self.note_offence(client, now);
            if let Some(key) = self.sockets.key_of(client) {
                self.leaving.push((key, Leaving::Closed(CloseCode::ROOM_FAILED, summary)));
            }
        }
        self.obey(turn);
        self.submit();
        Ok(())
    }

    /// Lets those go who were in the room before the server ended, and have not come back.
    pub(super) fn part_with_the_absent(
        &mut self,
        turn: &mut Turn<F>,
        now: Instant,
    ) -> Result<(), RoomEnded> {
        // A newcomer may be one of them.
        while self.newcomers.is_empty() && !self.core.is_blocked() {
            let timestamp = self.shared.clock.timestamp(now);
            let (sockets, core) = (&self.sockets, &mut self.core);
            let next = core
                .kept()
                .and_then(|kept| kept.room.next_absent(timestamp, |client| sockets.has(client)));
            let Some(client) = next else { break };
            self.hear(Event::Disconnect { client }, turn, now)?;
        }
        Ok(())
    }

    /// When those who were in the room before are given up.
    pub(super) fn absent_until(&self) -> Option<Instant> {
        match &self.core {
            super::core::Core::Kept(kept) => {
                kept.room.absent_until().map(|until| self.shared.clock.instant(until))
            }
            super::core::Core::Ephemeral(_) => None,
        }
    }

    /// Has a room that has been quiet for long saved, and then dropped from memory; or forgotten, if there
    /// is nothing in it.
    pub(super) fn go_to_rest(&mut self, now: Instant) {
        let is_over = self.is_empty() && now >= self.ends_when_empty_at();
        let sleeps_on = self.leaves_memory_at().is_some_and(|at| now >= at);
        let has_newcomers = !self.newcomers.is_empty();
        let Some(kept) = self.core.kept() else { return };
        if !(is_over || sleeps_on) || has_newcomers || kept.room.has_failed() {
            return;
        }
        if is_over && !kept.room.is_worth_keeping() {
            kept.room.forget();
            return self.submit();
        }
        if kept.room.is_saved() {
            if sleeps_on {
                kept.asleep_since = None;
                kept.room.leave_memory();
            }
        } else if kept.room.is_quiet() {
            kept.save(&self.id, &self.shared);
        }
    }

    /// When a room that sleeps goes to the disk.
    pub(super) fn leaves_memory_at(&self) -> Option<Instant> {
        let super::core::Core::Kept(kept) = &self.core else { return None };
        let may_leave = kept.room.is_in_memory() && !kept.room.is_saving();
        let since = kept.asleep_since.filter(|_| may_leave)?;
        Some(since + self.shared.config.hibernate_after)
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
) {
    let at = state.at;
    match snapshot(id, state, code, vitals) {
        Ok(write) => {
            let then = Some((from, Answer::StateKept { at }));
            keeper.request_after(from.shard, Request { writes: vec![write], then });
        }
        Err(error) => {
            tracing::error!(room = &**id, error, "the room stays in memory");
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
