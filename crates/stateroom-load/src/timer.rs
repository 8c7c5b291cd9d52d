//! Wakes the loop at a time more exact than the milliseconds that waiting for sockets knows.

use mio::{Registry, Token};
use std::{io, time::Duration};

/// How long before the time to wake up: what a sleeping thread takes to run again.
const SPIN: u64 = 60_000;

/// How long the loop may wait for sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Not at all.
    No,
    /// So long; `None` until a socket or the timer is ready.
    Yes(Option<Duration>),
}

#[cfg(target_os = "linux")]
mod exact {
    use super::*;
    use mio::{Interest, unix::SourceFd};
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use std::os::fd::{AsRawFd as _, OwnedFd};

    /// A timer of the system's that is ready like a socket.
    #[derive(Debug)]
    pub(crate) struct Timer {
        fd: OwnedFd,
        /// When it will be ready.
        set: u64,
    }

    impl Timer {
        pub(crate) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let fd = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            let raw = fd.as_raw_fd();
            registry.register(&mut SourceFd(&raw), token, Interest::READABLE)?;
            Ok(Timer { fd, set: 0 })
        }

        /// How to wait until `time`.
        pub(crate) fn wait(&mut self, now: u64, time: u64) -> io::Result<Wait> {
            let wake = time.saturating_sub(SPIN);
            if wake <= now {
                return Ok(Wait::No);
            }
            if self.set != wake {
                let wait = Duration::from_nanos(wake - now);
                let it_value = Timespec {
                    tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
                    tv_nsec: wait.subsec_nanos().into(),
                };
                let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
                let setting = Itimerspec { it_interval: zero, it_value };
                timerfd_settime(&self.fd, TimerfdTimerFlags::empty(), &setting)?;
                self.set = wake;
            }
            Ok(Wait::Yes(None))
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod exact {
    use super::*;

    /// Waiting for sockets with a timeout is all there is.
    #[derive(Debug)]
    pub(crate) struct Timer;

    impl Timer {
        pub(crate) fn new(_: &Registry, _: Token) -> io::Result<Self> {
            Ok(Timer)
        }

        /// How to wait until `time`.
        pub(crate) fn wait(&mut self, now: u64, time: u64) -> io::Result<Wait> {
            const TICK: u64 = 1_000_000;
            let wake = time.saturating_sub(SPIN.max(TICK));
            let wait = wake.saturating_sub(now);
            Ok(if wait < TICK { Wait::No } else { Wait::Yes(Some(Duration::from_nanos(wait))) })
        }
    }
}

pub(crate) use exact::Timer;
