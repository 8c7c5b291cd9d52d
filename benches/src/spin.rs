//! Rooms that compute without end, beside those that are measured.

use crate::Client;
use std::{io, net::SocketAddr};
use tokio::runtime::{Builder, Runtime};

/// Keeps `rooms` rooms spinning until what is returned is dropped: each time one is ended for it,
/// another client makes it spin anew.
///
/// # Errors
/// When there is no thread for it.
pub fn spin(server: SocketAddr, rooms: u32) -> io::Result<Runtime> {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    for number in 0..rooms {
        runtime.spawn(async move {
            loop {
                if let Ok(mut client) = Client::join(server, &format!("spinning-{number}"), 0).await
                    && client.send("spin").await.is_ok()
                {
                    let _ = client.text().await;
                }
            }
        });
    }
    Ok(runtime)
}
