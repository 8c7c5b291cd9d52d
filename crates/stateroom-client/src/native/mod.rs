//! Where the system has sockets and threads: tokio.

mod socket;

use std::future::Future;

pub(crate) use socket::Socket;
pub(crate) use tokio::time::{Instant, sleep_until};

/// Has something go on beside whoever calls this, who must be within a tokio runtime.
pub(crate) fn spawn(work: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(work);
}
