//! What the host keeps for one instance while it runs: the way to its context, and the bounds.

use crate::{
    bounds::Bounds, config::HostConfig, fault::Fault, guest_log::GuestLog, source::Source,
    ticker::Ticker,
};
use stateroom::{ClientId, MemoryLimits, MessageRecipient, StateroomContext};
use std::{sync::Arc, time::Duration};
use wasmtime::{Memory, UpdateDeadline};

/// The data of a store.
pub(crate) struct HostState {
    pub(crate) context: Box<dyn RoomContext>,
    pub(crate) source: Source,
    pub(crate) log: GuestLog,
    /// The guest's memory, once it is instantiated.
    pub(crate) memory: Option<Memory>,
    pub(crate) bounds: Bounds,
    /// Whether the events that it hears have passed before, so that none is ended by a limit of today.
    replaying: bool,
    config: Arc<HostConfig>,
    ticker: Arc<Ticker>,
    event: EventUse,
}

/// What the current event has used.
#[derive(Default)]
struct EventUse {
    commands: u32,
    bytes: usize,
    /// Whether it may give no commands.
    mute: bool,
    /// The thread's CPU time at the first tick of the event.
    first_tick: Option<Duration>,
}

impl HostState {
    pub(crate) fn new(
        room_id: &str,
        context: Box<dyn RoomContext>,
        source: Source,
        limits: MemoryLimits,
        config: Arc<HostConfig>,
        ticker: Arc<Ticker>,
    ) -> Self {
        HostState {
            context,
            source,
            log: GuestLog::new(room_id.into(), &config.limits),
            memory: None,
            bounds: Bounds::new(limits),
            replaying: false,
            config,
            ticker,
            event: EventUse::default(),
        }
    }

    /// To be called at the start of each event, when the deadline is set.
    pub(crate) fn start_event(&mut self) {
        self.event = EventUse::default();
        self.bounds.memory_refused = false;
        self.log.start_event();
        self.ticker.in_use();
    }

    /// Says whether the events that it hears from now on have passed before.
    pub(crate) fn set_replaying(&mut self, replaying: bool) {
        self.replaying = replaying;
        self.log.is_silent = replaying && !self.config.prints_replays;
    }

    pub(crate) fn is_replaying(&self) -> bool {
        self.replaying
    }

    /// To be called after the start of an event that must change nothing.
    pub(crate) fn mute_event(&mut self) {
        self.event.mute = true;
    }

    /// To be called when the instance is gone and the room sleeps: keeps what the room is, and gives
    /// back what was the instance's.
    pub(crate) fn rest(&mut self) {
        self.memory = None;
        self.log.rest();
    }

    /// Counts one command with `bytes` of payload against what the event may use.
    pub(crate) fn count_command(&mut self, bytes: usize) -> Result<(), Fault> {
        if self.event.mute {
            return Err(Fault::CommandWhileHandingOver);
        }
        if self.replaying {
            return Ok(());
        }
        let limits = &self.config.limits;
        self.event.commands = self.event.commands.saturating_add(1);
        self.event.bytes = self.event.bytes.saturating_add(bytes);
        if self.event.commands > limits.commands_per_event {
            return Err(Fault::TooManyCommands { limit: limits.commands_per_event });
        }
        if self.event.bytes > limits.bytes_per_event {
            return Err(Fault::TooManyBytes { limit: limits.bytes_per_event });
        }
        Ok(())
    }

    /// Called at each tick while the guest runs: lets it go on, calls for help, or stops it.
    pub(crate) fn tick(&mut self) -> wasmtime::Result<UpdateDeadline> {
        // The guest may have run for so long that the ticker thought there was nobody. Its next deadline is
        // set only after this, and its thread may have to wait until then: the ticker ticks even at rest.
        self.ticker.in_use();
        let now = thread_cpu_time();
        // Less than a tick has passed before the first one, so it is not missed.
        let used = now.saturating_sub(*self.event.first_tick.get_or_insert(now));
        let (setting, limit) = self.cpu_time();
        if let Some(limit) = limit.filter(|limit| used >= *limit) {
            return Err(Fault::TookTooLong { used, limit, setting }.into());
        }
        if used >= self.config.busy_after
            && let Some(on_busy) = &self.config.on_busy
        {
            on_busy();
        }
        Ok(UpdateDeadline::Continue(1))
    }

    /// The setting that bounds the CPU time of the event, and what it says.
    fn cpu_time(&self) -> (&'static str, Option<Duration>) {
        if self.replaying {
            ("replay_cpu_time", self.config.replay_cpu_time)
        } else {
            ("cpu_time_per_event", Some(self.config.limits.cpu_time_per_event))
        }
    }

    /// The stack that a guest has, in bytes.
    pub(crate) fn stack_bytes(&self) -> usize {
        self.config.limits.stack_bytes
    }
}

/// The CPU time this thread has used: a guest is charged for what it computes, not for its wait
/// while other threads have the core.
#[cfg(unix)]
fn thread_cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

#[cfg(not(unix))]
fn thread_cpu_time() -> Duration {
    use std::{sync::LazyLock, time::Instant};
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed()
}

/// [`StateroomContext`] without its generics, so that a store need not know whose context it holds.
pub(crate) trait RoomContext: Send {
    fn send_text(&self, recipient: MessageRecipient, message: &str);
    fn send_binary(&self, recipient: MessageRecipient, message: &[u8]);
    fn set_timer(&self, ms_delay: u32);
    fn close(&self, client: ClientId, code: u16, reason: &str);
    fn clients(&self) -> Vec<ClientId>;
    fn user(&self, client: ClientId) -> Option<String>;
    fn claim(&self, client: ClientId, name: &str) -> Option<String>;
    fn config(&self, name: &str) -> Option<String>;
}

impl<C: StateroomContext + Send> RoomContext for C {
    fn send_text(&self, recipient: MessageRecipient, message: &str) {
        StateroomContext::send_message(self, recipient, message);
    }

    fn send_binary(&self, recipient: MessageRecipient, message: &[u8]) {
        StateroomContext::send_binary(self, recipient, message);
    }

    fn set_timer(&self, ms_delay: u32) {
        StateroomContext::set_timer(self, ms_delay);
    }

    fn close(&self, client: ClientId, code: u16, reason: &str) {
        StateroomContext::close(self, client, code, reason);
    }

    fn clients(&self) -> Vec<ClientId> {
        StateroomContext::clients(self)
    }

    fn user(&self, client: ClientId) -> Option<String> {
        StateroomContext::user(self, client)
    }

    fn claim(&self, client: ClientId, name: &str) -> Option<String> {
        StateroomContext::claim(self, client, name)
    }

    fn config(&self, name: &str) -> Option<String> {
        StateroomContext::config(self, name)
    }
}
