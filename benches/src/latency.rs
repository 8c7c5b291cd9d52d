//! Echo latency at a paced rate, counted from when each message was due.

use crate::Client;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::Mutex,
    time::{Instant, sleep_until},
};

/// The spread of some latencies.
#[derive(Debug, Clone, Copy)]
pub struct Latency {
    /// Half were at most this.
    pub p50: Duration,
    /// 99 of 100 were at most this.
    pub p99: Duration,
    /// The longest.
    pub max: Duration,
}

/// Sends `rate` messages a second for `time`, each to another of the `clients`, and measures how
/// long after it was due each was answered: a message that waits for its turn counts as late.
///
/// # Errors
/// When a client loses its connection or gets a wrong answer.
pub async fn echo_latency(
    clients: &[Arc<Mutex<Client>>],
    rate: u32,
    time: Duration,
) -> anyhow::Result<Latency> {
    let count = (f64::from(rate) * time.as_secs_f64()) as usize;
    let start = Instant::now();
    // A large stride, so that neighbours in time are not neighbours in memory.
    let order = (0..count).map(|number| (number * 7919) % clients.len());
    let mut echoes = Vec::new();
    for (number, index) in order.enumerate() {
        let due = start + Duration::from_secs_f64(number as f64 / f64::from(rate));
        sleep_until(due).await;
        let client = clients.get(index).cloned();
        echoes.push(tokio::spawn(async move {
            let Some(client) = client else { anyhow::bail!("no clients") };
            let mut client = client.lock().await;
            let message = format!("message {number}");
            client.send(&message).await?;
            anyhow::ensure!(client.text().await? == message, "a wrong answer");
            Ok(due.elapsed())
        }));
    }
    let mut latencies = Vec::with_capacity(count);
    for echo in echoes {
        latencies.push(echo.await??);
    }
    latencies.sort_unstable();
    let at = |part: f64| latencies.get((part * (count - 1) as f64) as usize).copied();
    let at = |part| at(part).unwrap_or_default();
    Ok(Latency { p50: at(0.5), p99: at(0.99), max: at(1.0) })
}
