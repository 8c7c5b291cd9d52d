//! The clock that interrupts guests: one thread that ticks while rooms run and rests when none do.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// The time between two ticks, which is how finely a guest's CPU time is bounded. At 2 ms the
/// ticker itself costs about 0.1 % of a core, and only while rooms run.
pub(crate) const TICK: Duration = Duration::from_millis(2);

/// How many ticks without a call into a guest before the thread rests: 100 ms, so that a server
/// with a little to do does not wake it anew for each event.
const IDLE_TICKS: u32 = 50;

/// The time between two ticks while it rests. A guest's thread may be kept from running for any time between
/// its promise to be there and the moment that its next deadline is set, which nobody would see.
const RESTING_TICK: Duration = Duration::from_secs(1);

/// Ticks while it is being used.
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    /// Whether a guest was called since the last tick.
    used: AtomicBool,
    /// Whether the thread rests until somebody unparks it, or for long.
    parked: AtomicBool,
    stop: AtomicBool,
}

impl Ticker {
    /// Starts the thread, which calls `tick` every [`TICK`] while [`Ticker::in_use`] is called now
    /// and then.
    pub(crate) fn start(tick: impl Fn() + Send + 'static) -> io::Result<Ticker> {
        let shared = Arc::new(Shared {
            used: AtomicBool::new(false),
            parked: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        });
        let thread = thread::Builder::new().name("stateroom-ticker".into()).spawn({
            let shared = Arc::clone(&shared);
            move || shared.run(tick)
        })?;
        Ok(Ticker { shared, thread: Some(thread) })
    }

    /// Promises that a tick follows soon. To be called when a guest's deadline has just been set; for one
    /// that is set later, a tick follows within a second.
    ///
    /// That no wake-up is lost rests on one order of all these operations (`SeqCst`): this sets
    /// `used` and then looks at `parked`; the thread sets `parked` and then looks at `used`. One of
    /// the two sees the other. And when `used` is still set, the thread has yet to clear it, and
    /// ticks many times after that before it parks.
    pub(crate) fn in_use(&self) {
        if self.shared.used.load(SeqCst) {
            return;
        }
        self.shared.used.store(true, SeqCst);
        if self.shared.parked.load(SeqCst) {
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, SeqCst);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // It can only have panicked in `tick`, and there is nobody left to tell.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn run(&self, tick: impl Fn()) {
        let mut idle_ticks = 0;
        while !self.stop.load(SeqCst) {
            thread::park_timeout(TICK);
            tick();
            if self.used.swap(false, SeqCst) {
                idle_ticks = 0;
            } else {
                idle_ticks += 1;
            }
            if idle_ticks > IDLE_TICKS {
                self.rest_until_used(&tick);
                idle_ticks = 0;
            }
        }
    }

    fn rest_until_used(&self, tick: &impl Fn()) {
        self.parked.store(true, SeqCst);
        while !self.used.load(SeqCst) && !self.stop.load(SeqCst) {
            thread::park_timeout(RESTING_TICK);
            tick();
        }
        self.parked.store(false, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{sync::atomic::AtomicU32, time::Instant};

    fn counting_ticker() -> (Ticker, Arc<AtomicU32>) {
        let ticks = Arc::new(AtomicU32::new(0));
        let ticker = Ticker::start({
            let ticks = Arc::clone(&ticks);
            move || {
                ticks.fetch_add(1, SeqCst);
            }
        });
        (ticker.unwrap(), ticks)
    }

    fn wait_until(what: &str, condition: impl Fn() -> bool) {
        let start = Instant::now();
        while !condition() {
            assert!(start.elapsed() < Duration::from_secs(20), "waited in vain until {what}");
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn an_idle_ticker_hardly_ticks() {
        let (ticker, ticks) = counting_ticker();
        wait_until("it parks", || ticker.shared.parked.load(SeqCst));
        let before = ticks.load(SeqCst);
        thread::sleep(TICK * 50);
        assert!(ticks.load(SeqCst) <= before + 1);
    }

    #[test]
    fn a_guest_whose_deadline_was_set_when_the_ticker_had_gone_to_rest_is_interrupted() {
        let (ticker, ticks) = counting_ticker();
        wait_until("it parks", || ticker.shared.parked.load(SeqCst));
        let before = ticks.load(SeqCst);
        wait_until("it ticks", || ticks.load(SeqCst) > before);
    }

    #[test]
    fn a_parked_ticker_ticks_again_when_it_is_used() {
        let (ticker, ticks) = counting_ticker();
        for _ in 0..3 {
            wait_until("it parks", || ticker.shared.parked.load(SeqCst));
            let before = ticks.load(SeqCst);
            ticker.in_use();
            wait_until("it ticks", || ticks.load(SeqCst) > before);
        }
    }

    #[test]
    fn a_parked_ticker_ends_when_it_is_dropped() {
        let (ticker, _ticks) = counting_ticker();
        wait_until("it parks", || ticker.shared.parked.load(SeqCst));
        drop(ticker);
    }
}
