//! What runs what is asynchronous: plain HTTP, and the signals that ask the process to end.

use std::{future::Future, io, pin::Pin};
use tokio::runtime::{self, Runtime};

/// What answers plain HTTP and hears the system's signals. Nothing waits for what it has yet to do when it
/// is dropped.
pub(super) struct HttpRuntime(Option<Runtime>);

/// Returns when the process is asked to end.
pub(super) type Termination = Pin<Box<dyn Future<Output = ()> + Send>>;

impl HttpRuntime {
    pub(super) fn new() -> io::Result<Self> {
        Ok(HttpRuntime(Some(runtime::Builder::new_current_thread().enable_all().build()?)))
    }

    /// What the future gives; `None` only while the runtime is being dropped.
    pub(super) fn block_on<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        self.0.as_ref().map(|runtime| runtime.block_on(future))
    }

    /// Hears from now on whether the process is asked to end.
    pub(super) fn termination(&self) -> io::Result<Termination> {
        let _context = self.0.as_ref().map(Runtime::enter);
        Ok(Box::pin(termination()?))
    }
}

impl Drop for HttpRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Ends when the process is asked to.
fn termination() -> io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        })
    }
    #[cfg(not(unix))]
    Ok(async {
        // Without this signal the server runs on until it is ended from outside.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}
