//! The rooms of a shard: who has a seat, what waits to be heard, and which room's turn it is.

use super::{agenda::Agenda, tiers::Urgency};
use crate::{
    factory::RoomFactory,
    names::RoomKey,
    room::{DrivenRoom, End, Order, Ready, Turn, discard},
};
use slab::Slab;
use stateroom::{Compression, Sleep};
use std::{
    collections::{HashMap, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Instant,
};

/// All rooms of a shard.
pub(crate) struct RoomSlots<F: RoomFactory> {
    slots: Slab<Slot<F>>,
    by_id: HashMap<Arc<str>, RoomKey>,
    /// The rooms that have something to hear.
    queue: VecDeque<RoomKey>,
    agenda: Agenda,
    births: u32,
    asleep: usize,
    on_disk: usize,
}

struct Slot<F: RoomFactory> {
    birth: u32,
    id: Arc<str>,
    /// `None` until it starts, and while it has its turn.
    room: Option<Box<DrivenRoom<F>>>,
    is_out: bool,
    is_queued: bool,
    /// The clients that are in it, are about to be, or are being taken leave of.
    seats: usize,
    orders: Vec<Order<F>>,
    ready: Vec<Ready>,
    /// When the agenda has it looked at.
    scheduled: Option<Instant>,
    is_asleep: bool,
    is_on_disk: bool,
    /// Whether it is of a kind that cannot sleep.
    is_sleepless: bool,
}

/// A room that is awake after its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Awake {
    /// About how many bytes it takes.
    pub(crate) bytes: usize,
    /// Whether it heard anything.
    pub(crate) heard: bool,
}

/// What became of a room that was put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CheckedIn {
    /// It is over because nobody is there, and was removed. Where it is kept, it may have to attend
    /// again at a certain time.
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

/// A room that is taken out for its turn.
pub(crate) struct Errand<F: RoomFactory> {
    pub(crate) key: RoomKey,
    pub(crate) id: Arc<str>,
    /// `None` if it has yet to be started.
    pub(crate) room: Option<Box<DrivenRoom<F>>>,
    pub(crate) turn: Turn<F>,
}

/// A room whose turn is over.
pub(crate) struct Returned<F: RoomFactory> {
    pub(crate) key: RoomKey,
    pub(crate) turn: Turn<F>,
    pub(crate) outcome: Outcome<F>,
}

/// How a turn ended.
pub(crate) enum Outcome<F: RoomFactory> {
    /// The room goes on, awake or not.
    GoesOn(Box<DrivenRoom<F>>, Option<Awake>),
    /// It is over.
    Over(End),
    /// It could not start.
    NotStarted,
    /// It panicked outside its events, and is lost, with its sockets.
    Lost,
}

impl<F: RoomFactory> RoomSlots<F> {
    pub(crate) fn new() -> Self {
        RoomSlots {
            slots: Slab::new(),
            by_id: HashMap::new(),
            queue: VecDeque::new(),
            agenda: Agenda::default(),
            births: 0,
            asleep: 0,
            on_disk: 0,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub(crate) fn find(&self, id: &str) -> Option<RoomKey> {
        self.by_id.get(id).copied()
    }

    /// Makes a place for the room `id`, which starts when it first has something to hear.
    pub(crate) fn add(&mut self, id: &str) -> RoomKey {
        let id: Arc<str> = Arc::from(id);
        self.births = self.births.wrapping_add(1);
        let birth = self.births;
        let index = self.slots.insert(Slot {
            birth,
            id: id.clone(),
            room: None,
            is_out: false,
            is_queued: false,
            seats: 0,
            orders: Vec::new(),
            ready: Vec::new(),
            scheduled: None,
            is_asleep: false,
            is_on_disk: false,
            is_sleepless: false,
        });
        let key = RoomKey { index: index as u32, birth }; // Bounded by what memory can hold.
        self.by_id.insert(id, key);
        key
    }

    /// Forgets a room.
    pub(crate) fn remove(&mut self, key: RoomKey) {
        if self.slot(key).is_some() {
            let mut slot = self.slots.remove(key.index as usize);
            discard(&slot.id, slot.room.take());
            self.asleep -= usize::from(slot.is_asleep);
            self.on_disk -= usize::from(slot.is_on_disk);
            if self.by_id.get(&slot.id) == Some(&key) {
                self.by_id.remove(&slot.id);
            }
        }
    }

    pub(crate) fn seats(&self, key: RoomKey) -> usize {
        let slot = self.slots.get(key.index as usize).filter(|slot| slot.birth == key.birth);
        slot.map_or(0, |slot| slot.seats)
    }

    pub(crate) fn sit_down(&mut self, key: RoomKey) {
        if let Some(slot) = self.slot(key) {
            slot.seats += 1;
        }
    }

    /// Gives a seat back. When it was the last, the room is looked at: it may be over. Tells whether
    /// it is removed at once, because it has not even started.
    pub(crate) fn stand_up(&mut self, key: RoomKey) -> bool {
        let Some(slot) = self.slot(key) else { return false };
        slot.seats = slot.seats.saturating_sub(1);
        if slot.seats > 0 {
            return false;
        }
        let has_started = slot.room.is_some() || slot.is_out;
        if has_started {
            self.enqueue(key);
        } else {
            self.remove(key);
        }
        !has_started
    }

    /// Asks something of a room.
    pub(crate) fn order(&mut self, key: RoomKey, order: Order<F>) {
        if let Some(slot) = self.slot(key) {
            slot.orders.push(order);
            self.enqueue(key);
        }
    }

    /// Asks something of a room that is to have its turn before others.
    pub(crate) fn order_next(&mut self, key: RoomKey, order: Order<F>) {
        let Some(slot) = self.slot(key) else { return };
        slot.orders.push(order);
        if !slot.is_queued {
            slot.is_queued = true;
            self.queue.push_front(key);
        }
    }

    /// Asks something of every room.
    pub(crate) fn order_all(&mut self, order: impl Fn() -> Order<F>) {
        let keys: Vec<RoomKey> = self.by_id.values().copied().collect();
        for key in keys {
            self.order(key, order());
        }
    }

    /// Notes that a socket of a room is ready.
    pub(crate) fn note(&mut self, key: RoomKey, ready: Ready) {
        if let Some(slot) = self.slot(key) {
            slot.ready.push(ready);
            self.enqueue(key);
        }
    }

    /// Queues the rooms whose moment has come.
    pub(crate) fn wake_due(&mut self, now: Instant) {
        while let Some((when, key)) = self.agenda.pop_due(now) {
            if let Some(slot) = self.slot(key)
                && slot.scheduled == Some(when)
            {
                slot.scheduled = None;
                self.enqueue(key);
            }
        }
    }

    /// When [`RoomSlots::wake_due`] is to be called next.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.agenda.next()
    }

    /// How many rooms have something to hear.
    pub(crate) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// The room whose turn it is.
    pub(crate) fn next(&mut self) -> Option<RoomKey> {
        while let Some(&key) = self.queue.front() {
            if let Some(slot) = self.slot(key) {
                let starts = |order: &Order<F>| {
                    matches!(order, Order::Join(_) | Order::Attend | Order::Forget)
                };
                let to_start = slot.orders.iter().any(starts);
                // One that is out is queued again when it comes back.
                if !slot.is_out && (slot.room.is_some() || to_start) {
                    return Some(key);
                }
                slot.is_queued = false;
            }
            self.queue.pop_front();
        }
        None
    }

    /// Takes out the room whose turn it is, with what it is to hear. The buffers of `turn` go to
    /// what the room is told meanwhile.
    pub(crate) fn check_out(&mut self, mut turn: Turn<F>) -> Result<Errand<F>, Turn<F>> {
        let Some(key) = self.next() else { return Err(turn) };
        self.queue.pop_front();
        let Some(slot) = self.slot(key) else { return Err(turn) };
        slot.is_queued = false;
        slot.is_out = true;
        std::mem::swap(&mut turn.orders, &mut slot.orders);
        std::mem::swap(&mut turn.ready, &mut slot.ready);
        let (id, room) = (slot.id.clone(), slot.room.take());
        Ok(Errand { key, id, room, turn })
    }

    /// Lets a room sleep that has nothing to do, or whose place is needed.
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

    /// How many rooms are asleep.
    pub(crate) fn asleep(&self) -> usize {
        self.asleep
    }

    /// How many rooms are on disk alone, though they have clients or had some just now.
    pub(crate) fn on_disk(&self) -> usize {
        self.on_disk
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
        let is_wanted = !slot.orders.is_empty() || slot.seats > 0;
        if !is_wanted && room.is_over(now) {
            let attends_at = room.attends_at();
            slot.room = Some(room);
            self.asleep -= usize::from(has_woken);
            self.remove(key);
            return CheckedIn::Removed(attends_at);
        }
        let checked_in = match awake {
            Some(awake) if !slot.is_sleepless => CheckedIn::Awake(awake),
            _ => CheckedIn::Other,
        };
        // An empty room whose last client is being taken leave of is looked at once that is done.
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

    /// Has a room looked at then.
    fn schedule(&mut self, key: RoomKey, due: Option<Instant>) {
        if let Some(due) = due
            && let Some(slot) = self.slot(key)
            && slot.scheduled.is_none_or(|scheduled| due < scheduled)
        {
            slot.scheduled = Some(due);
            self.agenda.add(due, key);
        }
    }

    /// Takes a room away that is over; what it was still asked to do is added to `orders`.
    pub(crate) fn take_away(&mut self, key: RoomKey, orders: &mut Vec<Order<F>>) -> Arc<str> {
        let id = match self.slot(key) {
            Some(slot) => {
                orders.append(&mut slot.orders);
                slot.id.clone()
            }
            None => Arc::from(""),
        };
        self.remove(key);
        id
    }

    fn enqueue(&mut self, key: RoomKey) {
        let Some(slot) = self.slot(key) else { return };
        if !slot.is_queued {
            slot.is_queued = true;
            self.queue.push_back(key);
        }
    }

    fn slot(&mut self, key: RoomKey) -> Option<&mut Slot<F>> {
        self.slots.get_mut(key.index as usize).filter(|slot| slot.birth == key.birth)
    }
}

impl<F: RoomFactory> Drop for RoomSlots<F> {
    fn drop(&mut self) {
        self.slots.drain().for_each(|mut slot| discard(&slot.id, slot.room.take()));
    }
}
