//! What `/metrics` answers: the occupancy and the counters of a server, as text for Prometheus. No name or
//! label in it comes from a client or a room, so that its size is bounded.

use crate::{connections::Kind, counters::Histogram, shared::Shared};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _, NoLabelSet, prometheus_text},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};
use std::{fmt, sync::Arc, time::Instant};

/// The type of the text.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All counts, as they are now.
///
/// # Errors
/// Those of the encoder.
pub(crate) fn text(shared: &Arc<Shared>) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("stateroom");
    registry.register_collector(Box::new(Counted(shared.clone())));
    let mut text = String::new();
    prometheus_text::encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Counted(Arc<Shared>);

impl Collector for Counted {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let mut to = Encoder(encoder);
        self.encode_now(&mut to)?;
        self.encode_happened(&mut to)?;
        self.encode_store(&mut to)
    }
}

impl Counted {
    /// What there is now.
    fn encode_now(&self, to: &mut Encoder) -> fmt::Result {
        let shared = &self.0;
        let tiers = shared.occupancy.tiers();
        let rooms = [("awake", tiers.awake), ("asleep", tiers.asleep), ("on_disk", tiers.on_disk)];
        to.gauges("rooms", "Rooms by where they are", "tier", rooms.map(whole))?;
        to.gauge("clients", "Clients that are in rooms", tiers.clients as u64)?;
        let connections = Kind::ALL.map(|(kind, name)| (name, shared.connections.count(kind)));
        to.gauges("connections", "Connections by kind", "kind", connections.map(whole))?;
        let all = shared.totals.all();
        to.gauge("queued_bytes", "Bytes that wait for clients to read", all.queued_bytes)?;
        let memory = "Memory that they take: what waits for many counts once";
        to.gauge("queued_memory_bytes", memory, shared.queue_limits.all.bytes() as u64)?;
        let unfinished = shared.read_limits.unfinished.bytes() as u64;
        to.gauge("unfinished_bytes", "Bytes of messages that have not come whole", unfinished)?;
        let undurable = "Bytes of events that have been heard and are not durable yet";
        to.gauge("undurable_bytes", undurable, all.undurable_bytes)?;
        let healthy = shared.health.problem(Instant::now()).is_none();
        to.gauge("healthy", "1 while nothing is wrong, see /healthz", healthy.into())
    }

    /// What has happened.
    fn encode_happened(&self, to: &mut Encoder) -> fmt::Result {
        let shared = &self.0;
        let all = shared.totals.all();
        to.counter("events", "Events that rooms have heard", all.events)?;
        to.counter("deliveries", "Messages for clients, for each receiver", all.deliveries)?;
        to.counter("received_bytes", "Bytes read from clients", all.bytes_in)?;
        to.counter("sent_bytes", "Bytes of frames for clients, for each receiver", all.bytes_out)?;
        to.histogram(
            "event_latency_seconds",
            "From when a room's turn begins until what follows is written, or waits for the store",
            &all.event_latency,
        )?;
        to.histogram(
            "durable_latency_seconds",
            "From when an event is heard until it is durable",
            &all.durable_latency,
        )?;
        let hearing = all.hearing_nanoseconds as f64 / 1e9;
        let help = "Time that rooms took to hear events: mostly what their services computed";
        to.counter_of_seconds("guest_cpu_seconds", help, hearing)?;
        let refusals = shared.refusals.counts();
        to.counters("refusals", "Requests that were refused", "reason", refusals)?;
        let closed = shared.client_lines.closed();
        to.counters("closed_clients", "Clients that the server has closed", "reason", closed)?;
        let failed = shared.failed_events.counts();
        to.counters("failed_events", "Events that a service failed at", "reason", failed)?;
        let dropped = shared.dropped_log_lines();
        to.counter("dropped_log_lines", "Lines of the log that could not be written", dropped)
    }

    /// What is kept.
    fn encode_store(&self, to: &mut Encoder) -> fmt::Result {
        let all = self.0.totals.all();
        to.counter("commits", "Groups of records that were committed", all.commits)?;
        to.counter("committed_bytes", "Bytes in them", all.committed_bytes)?;
        to.counter("snapshots", "States of rooms that were saved", all.snapshots)?;
        to.counter("snapshot_bytes", "Bytes in them", all.snapshot_bytes)?;
        to.counter("replays", "Rooms that were brought back", all.replays)?;
        to.counter("replayed_events", "Events that they heard again", all.replayed_events)?;
        let seconds = all.replay_nanoseconds as f64 / 1e9;
        to.counter_of_seconds("replay_seconds", "Time that it took to bring them back", seconds)?;
        let Some(store) = self.0.health.figures() else { return Ok(()) };
        to.counter("log_records", "Records that were appended in the store's life", store.records)?;
        to.gauge("log_checkpointed_records", "Those that the checkpoint has", store.checkpointed)?;
        to.gauge("log_files", "Files that the log has", store.log_files)?;
        to.gauge("log_bytes", "Bytes in them", store.log_bytes)?;
        to.gauge("checkpoint_bytes", "Bytes that the checkpoint takes", store.checkpoint_bytes)?;
        let large = "Bytes of states and modules in files of their own";
        to.gauge("large_bytes", large, store.large_bytes)
    }
}

fn whole((label, count): (&'static str, usize)) -> (&'static str, u64) {
    (label, count as u64)
}

/// Writes one metric after the other.
struct Encoder<'a>(DescriptorEncoder<'a>);

impl Encoder<'_> {
    fn gauge(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let gauge = ConstGauge::new(value);
        gauge.encode(self.0.encode_descriptor(name, help, None, gauge.metric_type())?)
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let counter = ConstCounter::new(value);
        counter.encode(self.0.encode_descriptor(name, help, None, counter.metric_type())?)
    }

    fn counter_of_seconds(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        let counter = ConstCounter::new(value);
        counter.encode(self.0.encode_descriptor(name, help, None, counter.metric_type())?)
    }

    fn gauges(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        values: impl IntoIterator<Item = (&'static str, u64)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (value, count) in values {
            ConstGauge::new(count).encode(family.encode_family(&[(label, value)])?)?;
        }
        Ok(())
    }

    fn counters(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        values: impl IntoIterator<Item = (&'static str, u64)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (value, count) in values {
            ConstCounter::new(count).encode(family.encode_family(&[(label, value)])?)?;
        }
        Ok(())
    }

    fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram) -> fmt::Result {
        let (count, sum) = histogram.summary();
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Histogram)?;
        metric.encode_histogram::<NoLabelSet>(sum, count, &histogram.buckets(), None)
    }
}
