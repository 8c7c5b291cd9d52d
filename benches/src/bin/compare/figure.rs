//! What can be measured, and how it is written.

use serde::{Deserialize, Serialize};
use stateroom_load::Report;
use std::collections::BTreeMap;

/// What was measured of one server in one scenario.
pub(crate) type Figures = BTreeMap<Figure, f64>;

/// One kind of measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Figure {
    /// Messages that arrived at clients in a second.
    DeliveriesPerSecond,
    /// CPU time of the server for one delivery, in µs (so: seconds for a million).
    CpuPerDelivery,
    /// Half of the messages arrived within this, in µs.
    P50,
    /// 99 of 100 messages arrived within this, in µs.
    P99,
    /// The share of its core that the load generator used: near 1, it was the limit.
    GeneratorBusy,
    /// Connections opened in a second.
    ConnectionsPerSecond,
    /// Memory of the server for one open connection and its room, in bytes.
    BytesPerConnection,
    /// CPU time of the server for one idle connection, in µs for each second.
    CpuPerConnection,
    /// Memory of the whole server, in bytes.
    ResidentBytes,
    /// How long half of the rooms that were visited again took to answer, in µs, with the
    /// connection that it takes.
    WakeP50,
    /// The same for 99 of 100.
    WakeP99,
    /// How long a server that was killed took from its next start to its first answer, in µs.
    FirstServed,
    /// Memory of the server for one room that is on disk alone, in bytes.
    BytesPerRoom,
    /// The same after a restart.
    BytesPerRoomAfterRestart,
    /// Bytes that were written to the disk for each byte of a message, in the end.
    WriteAmplification,
    /// The same while little is said.
    WriteAmplificationQuiet,
    /// The most that the files of the server took, in bytes.
    FolderPeak,
    /// What they took when all had been quiet for a while, in bytes.
    FolderAfter,
    /// Messages lost, out of order or twice, connections lost, and rooms whose state was.
    Wrong,
}

impl Figure {
    /// What it is called in a table's head.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Figure::DeliveriesPerSecond => "deliveries/s",
            Figure::CpuPerDelivery => "CPU/delivery",
            Figure::P50 => "p50",
            Figure::P99 => "p99",
            Figure::GeneratorBusy => "generator busy",
            Figure::ConnectionsPerSecond => "connections/s",
            Figure::BytesPerConnection => "memory/connection",
            Figure::CpuPerConnection => "CPU/connection",
            Figure::ResidentBytes => "memory",
            Figure::WakeP50 => "wake p50",
            Figure::WakeP99 => "wake p99",
            Figure::FirstServed => "first client served",
            Figure::BytesPerRoom => "memory/room on disk",
            Figure::BytesPerRoomAfterRestart => "after a restart",
            Figure::WriteAmplification => "written/byte said",
            Figure::WriteAmplificationQuiet => "at 50 messages/s",
            Figure::FolderPeak => "folder at most",
            Figure::FolderAfter => "folder after",
            Figure::Wrong => "wrong or lost",
        }
    }

    /// Writes a value of this kind, with its unit and three digits.
    pub(crate) fn show(self, value: f64) -> String {
        match self {
            Figure::DeliveriesPerSecond | Figure::ConnectionsPerSecond => {
                scaled(value, &[("M", 1e6), ("k", 1e3), ("", 1.0)])
            }
            Figure::CpuPerDelivery => format!("{} µs", digits(value)),
            Figure::P50 | Figure::P99 | Figure::WakeP50 | Figure::WakeP99 | Figure::FirstServed => {
                scaled(value, &[("s", 1e6), ("ms", 1e3), ("µs", 1.0)])
            }
            Figure::GeneratorBusy => format!("{:.0} %", value * 100.0),
            Figure::CpuPerConnection => format!("{} µs/s", digits(value)),
            Figure::WriteAmplification | Figure::WriteAmplificationQuiet => digits(value),
            Figure::BytesPerConnection
            | Figure::BytesPerRoom
            | Figure::BytesPerRoomAfterRestart
            | Figure::ResidentBytes
            | Figure::FolderPeak
            | Figure::FolderAfter => scaled(value, &[("MB", 1e6), ("KB", 1e3), ("B", 1.0)]),
            Figure::Wrong => format!("{value:.0}"),
        }
    }

    /// How many times as good `ours` is as `theirs`.
    pub(crate) fn times_as_good(self, ours: f64, theirs: f64) -> f64 {
        match self {
            Figure::DeliveriesPerSecond | Figure::ConnectionsPerSecond => ours / theirs,
            _ => theirs / ours,
        }
    }
}

/// The value in the first of `units`, from the largest, of which there is one or more.
fn scaled(value: f64, units: &[(&str, f64)]) -> String {
    let fits = units.iter().find(|(_, size)| value >= *size).or(units.last());
    let (unit, size) = fits.copied().unwrap_or(("", 1.0));
    format!("{} {unit}", digits(value / size)).trim_end().to_owned()
}

/// The value with the three digits that count.
pub(crate) fn digits(value: f64) -> String {
    match value {
        99.95.. => format!("{value:.0}"),
        9.995.. => format!("{value:.1}"),
        0.9995.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// How much went wrong: each message and each connection that did.
pub(crate) fn wrong(report: &Report) -> f64 {
    let messages = report.counts.lost
        + report.counts.out_of_order
        + report.counts.duplicated
        + report.counts.stray
        + report.counts.unsent;
    (messages + report.errors.values().sum::<u64>()) as f64
}

/// The value that the share `part` of `values` keeps to.
pub(crate) fn quantile(values: &mut [f64], part: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get((part * values.len().saturating_sub(1) as f64) as usize).copied()
}

/// The middle one of `values`.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = values.get(values.len() / 2)?;
    let lower = values.get((values.len() - 1) / 2)?;
    Some(f64::midpoint(*lower, *upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0]), Some(2.5));
    }

    #[test]
    fn values_are_written_with_three_digits() {
        assert_eq!(Figure::DeliveriesPerSecond.show(2_481_000.0), "2.48 M");
        assert_eq!(Figure::P99.show(226.4), "226 µs");
        assert_eq!(Figure::P99.show(19_400.0), "19.4 ms");
        assert_eq!(Figure::CpuPerDelivery.show(0.1788), "0.179 µs");
        assert_eq!(Figure::BytesPerConnection.show(2840.0), "2.84 KB");
    }
}
