//! The rooms of a shard: how many clients each has, what waits to be heard, and which room's turn it is.

use super::timers::Timers;
use crate::{
    factory::RoomFactory,
    names::RoomKey,
    room::{DrivenRoom, Order, Ready, discard},
};
use slab::Slab;
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Instant,
};

/// All rooms of a shard.
pub(crate) struct RoomSlots<F: RoomFactory> {
    slots: Slab<Slot<F>>,
    by_id: HashMap<Arc<str>, RoomKey>,
    /// The rooms that have something to hear.
    pub(super) queue: VecDeque<RoomKey>,
    timers: Timers,
    births: u32,
    pub(super) asleep: usize,
    pub(super) on_disk: usize,
}

pub(super) struct Slot<F: RoomFactory> {
    pub(super) birth: u32,
    pub(super) id: Arc<str>,
    /// `None` until it starts, and while it has its turn.
    pub(super) room: Option<Box<DrivenRoom<F>>>,
    pub(super) is_out: bool,
    pub(super) is_queued: bool,
    /// The clients that are in it, are about to be, or whose connections are being closed.
    pub(super) clients: usize,
    pub(super) orders: Vec<Order<F>>,
    pub(super) ready: Vec<Ready>,
    /// When a timer has it looked at.
    pub(super) scheduled: Option<Instant>,
    pub(super) is_asleep: bool,
    pub(super) is_on_disk: bool,
    /// Whether it is of a kind that cannot sleep.
    pub(super) is_sleepless: bool,
}

impl<F: RoomFactory> RoomSlots<F> {
    pub(crate) fn new() -> Self {
        RoomSlots {
            slots: Slab::new(),
            by_id: HashMap::new(),
            queue: VecDeque::new(),
            timers: Timers::default(),
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

    /// Takes in the room `id`, which starts when it first has something to hear.
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
            clients: 0,
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

    pub(crate) fn clients(&self, key: RoomKey) -> usize {
        let slot = self.slots.get(key.index as usize).filter(|slot| slot.birth == key.birth);
        slot.map_or(0, |slot| slot.clients)
    }

    pub(crate) fn client_joins(&mut self, key: RoomKey) {
        if let Some(slot) = self.slot(key) {
            slot.clients += 1;
        }
    }

    /// Counts one client less. When it was the last, the room is looked at: it may be over. Tells whether
    /// it is removed at once, because it has not even started.
    pub(crate) fn client_leaves(&mut self, key: RoomKey) -> bool {
        let Some(slot) = self.slot(key) else { return false };
        slot.clients = slot.clients.saturating_sub(1);
        if slot.clients > 0 {
            return false;
        }
        let is_asked = slot.orders.iter().any(|order| matches!(order, Order::Request(_)));
        let has_started = slot.room.is_some() || slot.is_out || is_asked;
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

    /// The ids of the rooms that are not saved as they are. One that has its turn may be.
    pub(crate) fn unsaved(&self) -> impl Iterator<Item = &str> {
        let is_saved = |slot: &Slot<F>| slot.room.as_ref().is_some_and(|room| room.is_saved());
        self.slots.iter().filter(move |(_, slot)| !is_saved(slot)).map(|(_, slot)| &*slot.id)
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
        while let Some((when, key)) = self.timers.pop_due(now) {
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
        self.timers.next()
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
                    matches!(
                        order,
                        Order::Join(_) | Order::Request(_) | Order::BeInMemory | Order::Forget
                    )
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

    /// How many rooms are asleep.
    pub(crate) fn asleep(&self) -> usize {
        self.asleep
    }

    /// How many rooms are on disk alone, though they have clients or had some just now.
    pub(crate) fn on_disk(&self) -> usize {
        self.on_disk
    }

    /// Has a room looked at then.
    pub(super) fn schedule(&mut self, key: RoomKey, due: Option<Instant>) {
        if let Some(due) = due
            && let Some(slot) = self.slot(key)
            && slot.scheduled.is_none_or(|scheduled| due < scheduled)
        {
            slot.scheduled = Some(due);
            self.timers.add(due, key);
        }
    }

    pub(super) fn enqueue(&mut self, key: RoomKey) {
        let Some(slot) = self.slot(key) else { return };
        if !slot.is_queued {
            slot.is_queued = true;
            self.queue.push_back(key);
        }
    }

    pub(super) fn slot(&mut self, key: RoomKey) -> Option<&mut Slot<F>> {
        self.slots.get_mut(key.index as usize).filter(|slot| slot.birth == key.birth)
    }
}

impl<F: RoomFactory> Drop for RoomSlots<F> {
    fn drop(&mut self) {
        self.slots.drain().for_each(|mut slot| discard(&slot.id, slot.room.take()));
    }
}
