//! Where there is a browser, or a worker of one: its sockets and timers.

mod socket;

use gloo_timers::future::TimeoutFuture;
use std::future::Future;

pub(crate) use socket::Socket;
pub(crate) use web_time::Instant;

/// The longest that a timer of a browser waits, in milliseconds.
const LONGEST: u128 = i32::MAX as u128;

/// Has something go on beside whoever calls this.
pub(crate) fn spawn(work: impl Future<Output = ()> + 'static) {
    wasm_bindgen_futures::spawn_local(work);
}

pub(crate) async fn sleep_until(deadline: Instant) {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        // A timer that rings a little too early would be set again and again.
        let milliseconds = left.as_micros().div_ceil(1_000).min(LONGEST);
        TimeoutFuture::new(milliseconds as u32).await;
    }
}
