//! What the host keeps for one instance while it runs: the way to its context, and the bounds.

use crate::{
    WasmEngine, config::HostConfig, fault::Fault, guest_log::GuestLog, source::Source,
    ticker::Ticker,
};
use stateroom::{MessageRecipient, StateroomContext};
use std::{sync::Arc, time::Duration};
use wasmtime::{Memory, ResourceLimiter, UpdateDeadline};

/// The data of a store.
pub(crate) struct HostState {
    pub(crate) context: Box<dyn RoomContext>,
    pub(crate) source: Source,
    pub(crate) log: GuestLog,
    /// The guest's memory, once it is instantiated.
    pub(crate) memory: Option<Memory>,
    pub(crate) bounds: Bounds,
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
        engine: &WasmEngine,
        room_id: &str,
        context: Box<dyn RoomContext>,
        source: Source,
    ) -> Self {
        let config = Arc::clone(&engine.inner.config);
        HostState {
            context,
            source,
            log: GuestLog::new(room_id.into(), &config.limits),
            memory: None,
            bounds: Bounds {
                memory_bytes: config.limits.memory_bytes,
                table_elements: config.limits.table_elements,
                memory_refused: false,
            },
            config,
            ticker: Arc::clone(&engine.inner.ticker),
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
        // The guest may have run for so long that the ticker thought there was nobody.
        self.ticker.in_use();
        let now = thread_cpu_time();
        // Less than a tick has passed before the first one, so it is not missed.
        let used = now.saturating_sub(*self.event.first_tick.get_or_insert(now));
        let limit = self.config.limits.cpu_time_per_event;
        if used >= limit {
            return Err(Fault::TookTooLong { used, limit }.into());
        }
        if used >= self.config.busy_after
            && let Some(on_busy) = &self.config.on_busy
        {
            on_busy();
        }
        Ok(UpdateDeadline::Continue(1))
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

/// Refuses memory and table beyond the limits, and remembers that it did.
pub(crate) struct Bounds {
    memory_bytes: usize,
    table_elements: usize,
    /// Whether the guest was refused memory during this event.
    pub(crate) memory_refused: bool,
}

impl ResourceLimiter for Bounds {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let granted = desired <= self.memory_bytes.min(maximum.unwrap_or(usize::MAX));
        self.memory_refused |= !granted;
        Ok(granted)
    }

    /// What a guest is told must follow from what it has heard, and the machine's memory does not.
    /// So a guest that could have had the memory on another machine ends here.
    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        Err(Fault::NoMachineMemory { reason: format!("{error:#}") }.into())
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= self.table_elements.min(maximum.unwrap_or(usize::MAX)))
    }

    fn instances(&self) -> usize {
        1
    }

    fn memories(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        1
    }
}

/// [`StateroomContext`] without its generics, so that a store need not know whose context it holds.
pub(crate) trait RoomContext: Send {
    fn send_text(&self, recipient: MessageRecipient, message: &str);
    fn send_binary(&self, recipient: MessageRecipient, message: &[u8]);
    fn set_timer(&self, ms_delay: u32);
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
}
