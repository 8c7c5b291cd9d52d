//! What to do about an event that takes long: let another thread go on with everything else.
//!
//! A shard is one thread's work: its sockets and its rooms. While a room hears an event, its thread
//! keeps the rest of the shard in a place of its own ([`while_lendable`]). When the event takes long,
//! [`lend_thread`], called from within it, gives the shard from there to a fresh thread. So rooms
//! that are quick pay for a move of one pointer, and nothing is locked or shared.

use crate::priority;
use std::{
    any::Any,
    cell::Cell,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
};

/// How many events may go on beside their shards at once. Past it, a long event holds up its shard
/// until it ends or is stopped.
const MOST_LENT: usize = 64;

/// How many of them go on at a low priority rather than at the lowest one. Together they take no more
/// time from others than one thread of the usual priority would. At the lowest one an event would get
/// next to nothing beside other busy programs, so it is for those of whom there are many.
const FEW: usize = 8;

static LENT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static WORK: Cell<Option<Box<dyn Work>>> = const { Cell::new(None) };
}

/// Work that another thread can go on with.
pub(crate) trait Work: Any + Send {
    /// Does it, to its end.
    fn go_on(self: Box<Self>);

    /// How much stack a thread for it has, in bytes, where that is not what the system gives.
    fn stack_bytes(&self) -> Option<usize> {
        None
    }
}

/// Runs `act`, while `work` waits where it can be lent from. Returns `work` unless it was lent; then
/// another thread is doing it, and this one, whose priority is low now, is to end soon.
pub(crate) fn while_lendable<W: Work, T>(
    work: Box<W>,
    act: impl FnOnce() -> T,
) -> (T, Option<Box<W>>) {
    WORK.set(Some(work));
    let result = act();
    let kept: Option<Box<dyn Any>> = WORK.take().map(|work| work as Box<dyn Any>);
    if kept.is_none() {
        LENT.fetch_sub(1, Relaxed);
    }
    (result, kept.and_then(|work| work.downcast().ok()))
}

/// Called on a thread of the server, in the middle of an event that takes long: has a fresh thread
/// go on with whatever else the thread had to do, so that a busy room holds up no other.
///
/// Meant for the `on_busy` setting of the module host. May be called again and again during one
/// event; anywhere but in an event on a thread of the server it does nothing.
pub fn lend_thread() {
    let Some(work) = WORK.take() else { return };
    let others = LENT.fetch_add(1, Relaxed);
    if others < MOST_LENT {
        // The work gets to the thread through a channel, so that it is not lost with a thread that
        // cannot be started.
        let (hand, receive) = std::sync::mpsc::channel::<Box<dyn Work>>();
        let fresh = thread_with(work.stack_bytes()).name("stateroom".to_owned()).spawn(move || {
            if let Ok(work) = receive.recv() {
                work.go_on();
            }
        });
        if fresh.is_ok() {
            // The thread is there and waits for just this.
            let _ = hand.send(work);
            // A thread that stays as important as it was only makes the others wait longer.
            priority::lower(if others < FEW { priority::LOW } else { priority::LOWEST });
            return;
        }
    }
    LENT.fetch_sub(1, Relaxed);
    WORK.set(Some(work));
}

/// The beginning of a thread with so much stack, or with what the system gives.
pub(crate) fn thread_with(stack_bytes: Option<usize>) -> thread::Builder {
    match stack_bytes {
        Some(bytes) => thread::Builder::new().stack_size(bytes),
        None => thread::Builder::new(),
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::sync::Barrier;

    struct Nothing;

    impl Work for Nothing {
        fn go_on(self: Box<Self>) {}
    }

    /// The priority of each of so many threads in the middle of an event that takes long.
    fn priorities_of(events: usize) -> Vec<i32> {
        let all_are_busy = Barrier::new(events);
        let event = || {
            lend_thread();
            all_are_busy.wait();
            rustix::process::getpriority_process(None).unwrap()
        };
        thread::scope(|scope| {
            let threads: Vec<_> = (0..events)
                .map(|_| scope.spawn(|| while_lendable(Box::new(Nothing), event).0))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        })
    }

    #[test]
    fn a_few_long_events_get_a_share_beside_other_programs_and_many_what_these_leave() {
        let mut all = priorities_of(FEW + 3);
        all.sort();
        assert_eq!(all, [vec![priority::LOW; FEW], vec![priority::LOWEST; 3]].concat());
    }
}
