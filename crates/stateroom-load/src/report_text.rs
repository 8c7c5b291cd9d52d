//! A report as people read it.

use crate::{Activity, Latency, Pace, Report};
use std::fmt;

/// How long the longest bar is.
const BAR: u64 = 40;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "connections  {} of {} opened in {:.2} s, {:.0} a second, {} open at the end",
            self.counts.connected,
            self.settings.connections(),
            self.connect_seconds,
            self.connections_per_second,
            self.counts.open,
        )?;
        row(f, "opening", &self.connect_latency)?;
        if self.settings.activity == Activity::Messages {
            self.messages(f)?;
        }
        for (kind, count) in &self.errors {
            writeln!(f, "error        {count} × {kind}")?;
        }
        Ok(())
    }
}

impl Report {
    fn messages(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "messages     {} sent, {} delivered in {:.1} s: {:.0} deliveries a second",
            self.counts.sent,
            self.counts.delivered,
            self.measured_seconds,
            self.deliveries_per_second,
        )?;
        writeln!(
            f,
            "verified     {} lost, {} out of order, {} duplicated, {} stray, of {} in all",
            self.counts.lost,
            self.counts.out_of_order,
            self.counts.duplicated,
            self.counts.stray,
            self.counts.total_delivered,
        )?;
        if self.counts.unsent > 0 {
            writeln!(
                f,
                "unsent       {} were due, but the server did not read",
                self.counts.unsent
            )?;
        }
        if self.counts.unstamped > 0 {
            writeln!(f, "unverified   {} came without a stamp", self.counts.unstamped)?;
        }
        row(f, "latency", &self.latency)?;
        let most = self.histogram.iter().map(|bucket| bucket.count).max().unwrap_or(0).max(1);
        for bucket in &self.histogram {
            let bar = "█".repeat((bucket.count * BAR).div_ceil(most) as usize);
            writeln!(f, "{:>11}  {bar} {}", format!("≤ {}", time(bucket.up_to)), bucket.count)?;
        }
        if matches!(self.settings.pace, Pace::Rate(_)) {
            row(f, "sent late", &self.generator.lateness)?;
        }
        let busy = self.generator.busy * 100.0;
        let verdict = if busy > 90.0 { ": the generator was at its limit" } else { "" };
        writeln!(f, "generator    busy {busy:.0} % of the time{verdict}")
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, latency: &Latency) -> fmt::Result {
    if latency.count == 0 {
        return Ok(());
    }
    writeln!(
        f,
        "{name:<12} p50 {}, p90 {}, p99 {}, p99.9 {}, max {}",
        time(latency.p50),
        time(latency.p90),
        time(latency.p99),
        time(latency.p999),
        time(latency.max),
    )
}

/// A time with three digits that count.
fn time(micros: f64) -> String {
    let (value, unit) = match micros {
        micros if micros < 1000.0 => (micros, "µs"),
        micros if micros < 1_000_000.0 => (micros / 1000.0, "ms"),
        micros => (micros / 1_000_000.0, "s"),
    };
    let digits = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Plan,
        tally::{Counts, Tally},
    };
    use std::time::Duration;

    #[test]
    fn times_have_the_unit_that_suits_them() {
        let told = [0.5, 12.34, 123.4, 1234.0, 12_340_000.0].map(time);
        assert_eq!(told, ["0.50 µs", "12.3 µs", "123 µs", "1.23 ms", "12.3 s"]);
    }

    #[test]
    fn what_went_wrong_is_told() {
        let mut tally =
            Tally { counts: Counts { lost: 3, ..Counts::default() }, ..Tally::default() };
        tally.latency.note(5_000);
        tally.errors.note(&crate::errors_by_kind::Ending::EndOfStream);
        let plan = Plan::new("ws://localhost".parse().unwrap());
        let report = Report::new(&plan, &tally, Duration::from_secs(1));
        assert!(!report.is_clean());
        let text = report.to_string();
        for part in ["0 of 1 opened", "3 lost", "p99 5.00 µs", "error        1 × ended by"] {
            assert!(text.contains(part), "{text}");
        }
    }
}
