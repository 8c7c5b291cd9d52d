//! How a room is taken out for its turn, is put back after it, and is let sleep in between.

use super::{
    room_turn::{Awake, RoomTurn},
    slots::RoomSlots,
    tiers::Urgency,
};
use crate::{
    factory::RoomFactory,
    names::RoomKey,
    room::{DrivenRoom, Turn},
};
use stateroom::{Compression, Sleep};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Instant,
};

/// What became of a room that was put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CheckedIn {
    /// It is over because nobody is there, and was removed. Where it is kept, it may have to be in
    /// memory again at a certain time.
    Removed(Option<Instant>),
    /// It is awake, and can sleep.
    Awake(Awake),
    /// It is asleep, or can't sleep.
    Other,
}

/// What became of a room that was to sleep.
#[derive(Debug)]
pub(crate) enum PutToSleep {
    /// It sleeps, or can't; either way nothing is to be done about it any more.
    Done(Option<Compression>),
    /// It is busy now.
    Busy,
    /// It panicked, and is to be forgotten.
    Lost,
}

impl<F: RoomFactory> RoomSlots<F> {
    /// Takes out the room whose turn it is, with what it is to hear. The buffers of `turn` go to
    /// what the room is told meanwhile.
    pub(crate) fn check_out(&mut self, mut turn: Turn<F>) -> Result<RoomTurn<F>, Turn<F>> {
        let Some(key) = self.next() else { return Err(turn) };
        self.queue.pop_front();
        let Some(slot) = self.slot(key) else { return Err(turn) };
        slot.is_queued = false;
        slot.is_out = true;
        std::mem::swap(&mut turn.orders, &mut slot.orders);
        std::mem::swap(&mut turn.ready, &mut slot.ready);
        let (id, room) = (slot.id.clone(), slot.room.take());
        Ok(RoomTurn { key, id, room, turn })
    }

    /// Puts a room back, with what it has left to hear.
    pub(crate) fn check_in(
        &mut self,
        key: RoomKey,
        room: Box<DrivenRoom<F>>,
        awake: Option<Awake>,
        turn: &mut Turn<F>,
        now: Instant,
    ) -> CheckedIn {
        self.count_on_disk(key, !room.is_in_memory());
        let Some(slot) = self.slot(key) else { return CheckedIn::Other };
        slot.is_out = false;
        let is_awake = awake.is_some();
        let has_woken = slot.is_asleep && is_awake;
        slot.is_asleep &= !is_awake;
        // What it left comes before what came meanwhile.
        turn.orders.append(&mut slot.orders);
        std::mem::swap(&mut turn.orders, &mut slot.orders);
        turn.ready.append(&mut slot.ready);
        std::mem::swap(&mut turn.ready, &mut slot.ready);
        let is_wanted = !slot.orders.is_empty() || slot.clients > 0;
        if !is_wanted && room.is_over(now) {
            let due_when_empty = room.due_when_empty();
            slot.room = Some(room);
            self.asleep -= usize::from(has_woken);
            self.remove(key);
            return CheckedIn::Removed(due_when_empty);
        }
        let checked_in = match awake {
            Some(awake) if !slot.is_sleepless => CheckedIn::Awake(awake),
            _ => CheckedIn::Other,
        };
        // An empty room whose last connection is being closed is looked at once that is done.
        let due = room.due().filter(|due| *due > now || !room.is_over(now));
        let goes_on = room.has_more(&slot.orders, &slot.ready);
        slot.room = Some(room);
        if goes_on {
            self.enqueue(key);
        } else {
            self.schedule(key, due);
        }
        self.asleep -= usize::from(has_woken);
        checked_in
    }

    fn count_on_disk(&mut self, key: RoomKey, is_on_disk: bool) {
        let Some(slot) = self.slot(key) else { return };
        let was_on_disk = std::mem::replace(&mut slot.is_on_disk, is_on_disk);
        self.on_disk = self.on_disk + usize::from(is_on_disk) - usize::from(was_on_disk);
    }

    /// Lets a room sleep that has nothing to do, or whose memory is needed.
    pub(crate) fn put_to_sleep(
        &mut self,
        key: RoomKey,
        urgency: Urgency,
        now: Instant,
    ) -> PutToSleep {
        let Some(slot) = self.slot(key) else { return PutToSleep::Done(None) };
        let may_sleep = |room: &DrivenRoom<_>| {
            let is_busy = slot.is_queued || !room.is_at_rest();
            // One that is blocked may have failed, and can come back as it was before.
            !room.is_blocked() && (urgency == Urgency::Now || !is_busy)
        };
        let Some(room) = slot.room.as_mut().filter(|room| may_sleep(room)) else {
            return PutToSleep::Busy;
        };
        // It is never called again after a panic.
        match catch_unwind(AssertUnwindSafe(|| room.sleep(now))) {
            Err(_) => {
                tracing::error!(
                    room = &*slot.id,
                    "the room panicked on its way to sleep: it is lost"
                );
                PutToSleep::Lost
            }
            Ok(Sleep::StaysAwake) => {
                slot.is_sleepless = true;
                PutToSleep::Done(None)
            }
            Ok(Sleep::Asleep(compression)) => {
                slot.is_asleep = true;
                // What it has yet to hear stays.
                slot.orders.shrink_to_fit();
                slot.ready.shrink_to_fit();
                let due = room.due();
                self.asleep += 1;
                self.schedule(key, due);
                PutToSleep::Done(compression)
            }
        }
    }
}
