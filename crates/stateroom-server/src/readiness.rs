//! Which of a room's sockets have something to do.
//!
//! One task drives a room and all its sockets. Each socket wakes that task through a waker of its
//! own, which notes the socket's key, so that the task looks only at the sockets that are ready,
//! and all that became ready together is handled together.

use atomic_waker::AtomicWaker;
use std::{
    sync::{Arc, Mutex, PoisonError},
    task::{Wake, Waker},
};

/// The keys of the sockets that are ready, and the task to wake for them.
#[derive(Debug, Default)]
pub(crate) struct Readiness {
    keys: Mutex<Vec<usize>>,
    task: AtomicWaker,
}

impl Readiness {
    /// A waker that notes `key`.
    pub(crate) fn socket_waker(self: &Arc<Self>, key: usize) -> Waker {
        Waker::from(Arc::new(SocketWaker { key, readiness: self.clone() }))
    }

    /// Has `task` woken for the next socket that gets ready.
    pub(crate) fn register(&self, task: &Waker) {
        self.task.register(task);
    }

    /// Moves the keys of what is ready to `keys`. Some may be there twice, or be those of sockets
    /// that have gone.
    pub(crate) fn take(&self, keys: &mut Vec<usize>) {
        keys.append(&mut self.keys.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Notes `key` from within the task itself, which looks at what is noted before it rests.
    ///
    /// It must not wake itself: a task that is awake when it yields is run again at once, before
    /// the sockets of the other rooms are looked at.
    pub(crate) fn note(&self, key: usize) {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).push(key);
    }
}

#[derive(Debug)]
struct SocketWaker {
    key: usize,
    readiness: Arc<Readiness>,
}

impl Wake for SocketWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.readiness.note(self.key);
        self.readiness.task.wake();
    }
}
