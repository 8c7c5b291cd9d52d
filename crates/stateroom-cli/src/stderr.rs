//! Stderr as a place that never makes anybody wait: text is queued, and written by a thread of its own.
//!
//! Whatever stderr is (a pipe that nobody reads or that is closed, a full disk, a terminal that is gone),
//! what cannot be written is dropped and counted. The log, and all that the command itself says, goes here.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind, Write},
    sync::{
        Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// How much may wait to be written, in bytes: some thousand lines, for a reader that is slow now and then.
const MOST_WAITING: usize = 1 << 20;

/// How soon a stderr that is busy, and says so rather than wait, is tried again.
const RETRY: Duration = Duration::from_millis(10);

/// How often it is told that lines were dropped, at most.
const TELL_EVERY: Duration = Duration::from_secs(1);

static QUEUE: LazyLock<Queue> = LazyLock::new(|| Queue::new(MOST_WAITING));

/// How many lines of the log this process has dropped so far, since stderr could not be written to.
#[must_use]
pub fn dropped_log_lines() -> u64 {
    QUEUE.dropped()
}

/// What counts them, for a server to tell of.
#[must_use]
pub fn dropped_log_lines_counter() -> Arc<AtomicU64> {
    QUEUE.dropped.clone()
}

/// Begins to write what is queued.
///
/// # Errors
/// When the system gives no thread.
pub(crate) fn start() -> io::Result<()> {
    let write = || QUEUE.write_to(handle(), |lines| tracing::warn!(lines, "{DROPPED}"));
    thread::Builder::new().name("stderr".to_owned()).spawn(write).map(drop)
}

const DROPPED: &str = "log lines were dropped, since stderr could not be written to";

/// Queues `text`, or drops it.
pub(crate) fn write(text: &str) {
    QUEUE.push(text.as_bytes());
}

/// Waits until all that was queued is written or dropped, for at most `patience`.
pub(crate) fn flush(patience: Duration) {
    QUEUE.flush(patience);
}

/// Queues what it is given, each write by itself. It never fails.
pub(crate) struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        QUEUE.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A handle of our own: whoever waits in a write with that of the standard library holds up everybody
/// else who would use it.
fn handle() -> Box<dyn Write> {
    #[cfg(unix)]
    if let Ok(own) = std::os::fd::AsFd::as_fd(&io::stderr()).try_clone_to_owned() {
        return Box::new(std::fs::File::from(own));
    }
    Box::new(io::stderr())
}

/// What waits to be written, up to a bound.
struct Queue {
    /// The most bytes that wait.
    bound: usize,
    waiting: Mutex<Waiting>,
    changed: Condvar,
    dropped: Arc<AtomicU64>,
}

struct Waiting {
    texts: VecDeque<Box<[u8]>>,
    bytes: usize,
    /// Whether a text was taken out and is being written.
    writing: bool,
}

impl Queue {
    fn new(bound: usize) -> Queue {
        let waiting = Waiting { texts: VecDeque::new(), bytes: 0, writing: false };
        Queue {
            bound,
            waiting: Mutex::new(waiting),
            changed: Condvar::new(),
            dropped: Arc::default(),
        }
    }

    /// Nothing can be wrong with what waits, since nobody who has the lock can panic.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, text: &[u8]) {
        let mut waiting = self.lock();
        if waiting.bytes.saturating_add(text.len()) > self.bound {
            drop(waiting);
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        waiting.bytes += text.len();
        waiting.texts.push_back(text.into());
        drop(waiting);
        self.changed.notify_all();
    }

    fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Waits for a text, which from then on is being written.
    fn next(&self) -> Box<[u8]> {
        let mut waiting = self.lock();
        loop {
            if let Some(text) = waiting.texts.pop_front() {
                waiting.bytes = waiting.bytes.saturating_sub(text.len());
                waiting.writing = true;
                return text;
            }
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn flush(&self, patience: Duration) {
        let goes_on = |waiting: &mut Waiting| waiting.writing || !waiting.texts.is_empty();
        // Either way there is no more to do.
        let _ = self.changed.wait_timeout_while(self.lock(), patience, goes_on);
    }

    /// Writes what is queued to `sink`, for ever. Where something gets through again after some was
    /// dropped, `tell` is called with how much that was.
    fn write_to(&self, mut sink: impl Write, tell: impl Fn(u64)) -> ! {
        let (mut told, mut told_at) = (0, None::<Instant>);
        // Whether the last line stands there without its end.
        let mut torn = false;
        loop {
            let text = self.next();
            let begun = if torn { write_all(&mut sink, b"\n") } else { Ok(()) };
            match begun.map_err(|_| 0).and_then(|()| write_all(&mut sink, &text)) {
                Ok(()) => {
                    torn = false;
                    let dropped = self.dropped();
                    if dropped > told && told_at.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
                        tell(dropped - told);
                        (told, told_at) = (dropped, Some(Instant::now()));
                    }
                }
                Err(written) => {
                    torn |= written > 0;
                    self.dropped.fetch_add(1, Ordering::Relaxed);
                }
            }
            self.lock().writing = false;
            self.changed.notify_all();
        }
    }
}

/// Writes all of it, or tells how much of it was written.
fn write_all(sink: &mut impl Write, text: &[u8]) -> Result<(), usize> {
    let mut written = 0;
    while let Some(rest) = text.get(written..).filter(|rest| !rest.is_empty()) {
        match sink.write(rest) {
            Ok(0) => return Err(written),
            Ok(count) => written += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(RETRY),
            Err(_) => return Err(written),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, channel};

    /// Takes what it is told to: so many bytes, or an error.
    struct Sink {
        takes: Receiver<io::Result<usize>>,
        taken: Sender<Vec<u8>>,
    }

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let most = self.takes.recv().map_err(io::Error::other)??;
            let taken = &bytes[..most.min(bytes.len())];
            self.taken.send(taken.to_vec()).map_err(io::Error::other)?;
            Ok(taken.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A queue, what its sink takes and has taken, and how many lines were told to be dropped.
    struct Tried {
        queue: &'static Queue,
        take: Sender<io::Result<usize>>,
        seen: Receiver<Vec<u8>>,
        told: Receiver<u64>,
    }

    fn queue(bound: usize) -> Tried {
        let queue: &Queue = Box::leak(Box::new(Queue::new(bound)));
        let ((take, takes), (taken, seen), (tell, told)) = (channel(), channel(), channel());
        let sink = Sink { takes, taken };
        thread::spawn(move || queue.write_to(sink, |lines| tell.send(lines).unwrap()));
        Tried { queue, take, seen, told }
    }

    #[test]
    fn who_writes_to_a_sink_that_stalls_does_not_wait_and_what_is_too_much_is_dropped() {
        let Tried { queue, take, seen, told } = queue(10);
        queue.push(b"one\n");
        while !queue.lock().writing {
            thread::yield_now();
        }
        for text in ["two\n", "three\n", "four\n", "five\n"] {
            queue.push(text.as_bytes());
        }
        assert_eq!(queue.dropped(), 2);
        queue.flush(Duration::from_millis(1));
        for text in ["one\n", "two\n", "three\n"] {
            take.send(Ok(100)).unwrap();
            assert_eq!(seen.recv().unwrap(), text.as_bytes());
        }
        assert_eq!(told.recv().unwrap(), 2);
        queue.flush(Duration::MAX);
        assert_eq!(queue.dropped(), 2);
    }

    #[test]
    fn what_cannot_be_written_is_counted_and_leaves_no_half_line_before_the_next() {
        let Tried { queue, take, seen, told } = queue(100);
        take.send(Ok(2)).unwrap();
        take.send(Err(ErrorKind::Interrupted.into())).unwrap();
        take.send(Err(ErrorKind::StorageFull.into())).unwrap();
        queue.push(b"one\n");
        take.send(Err(ErrorKind::BrokenPipe.into())).unwrap();
        queue.push(b"two\n");
        queue.flush(Duration::MAX);
        assert_eq!(queue.dropped(), 2);
        for _ in 0..2 {
            take.send(Ok(100)).unwrap();
        }
        queue.push(b"three\n");
        queue.flush(Duration::MAX);
        assert_eq!(seen.try_iter().collect::<Vec<_>>().concat(), b"on\nthree\n");
        assert_eq!(told.recv().unwrap(), 2);
    }

    #[test]
    fn a_sink_that_is_busy_is_tried_again() {
        let Tried { queue, take, seen, .. } = queue(100);
        for _ in 0..3 {
            take.send(Err(ErrorKind::WouldBlock.into())).unwrap();
        }
        take.send(Ok(100)).unwrap();
        queue.push(b"one\n");
        assert_eq!(seen.recv().unwrap(), b"one\n");
        queue.flush(Duration::MAX);
        assert_eq!(queue.dropped(), 0);
    }
}
