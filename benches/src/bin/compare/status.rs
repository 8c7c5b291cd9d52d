//! Asks our server how many rooms it has in memory.

use anyhow::Context as _;
use stateroom_benches::Running;
use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    thread::sleep,
    time::{Duration, Instant},
};

/// How long rooms may take to leave memory.
const PATIENCE: Duration = Duration::from_secs(180);

/// Waits until no room is in memory.
pub(crate) fn wait_until_no_room_is_in_memory(server: &Running) -> anyhow::Result<()> {
    let start = Instant::now();
    loop {
        let rooms = rooms(server)?;
        if rooms == 0 {
            return Ok(());
        }
        let waited = start.elapsed();
        anyhow::ensure!(waited < PATIENCE, "{rooms} rooms are in memory after {waited:.0?}");
        sleep(Duration::from_millis(200));
    }
}

fn rooms(server: &Running) -> anyhow::Result<u64> {
    let mut stream = TcpStream::connect(server.address)?;
    stream.write_all(b"GET /status HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let status: serde_json::Value =
        serde_json::from_str(body).with_context(|| format!("/status tells {answer}"))?;
    status.get("rooms").and_then(serde_json::Value::as_u64).context("/status tells no rooms")
}
