//! Durations and sizes as people write them.

use bytesize::ByteSize;
use serde::{Deserialize, Deserializer, de};
use std::{fmt, str::FromStr, time::Duration};

/// A duration written as `"30s"`, `"500ms"`, `"1m 30s"`, or as a plain number of seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HumanDuration(pub Duration);

impl FromStr for HumanDuration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(seconds) = text.trim().parse::<f64>() {
            return HumanDuration::from_seconds(seconds);
        }
        humantime::parse_duration(text).map(HumanDuration).map_err(|_| {
            "it is no length of time: write it like 30s, 500ms or 2m; a plain number is seconds"
                .to_owned()
        })
    }
}

impl HumanDuration {
    fn from_seconds(seconds: f64) -> Result<Self, String> {
        Duration::try_from_secs_f64(seconds)
            .map(HumanDuration)
            .map_err(|_| format!("{seconds} is not a length of time in seconds"))
    }
}

impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

impl From<Duration> for HumanDuration {
    fn from(time: Duration) -> Self {
        HumanDuration(time)
    }
}

impl From<HumanDuration> for Duration {
    fn from(time: HumanDuration) -> Self {
        time.0
    }
}

/// Where a time of zero stands for none.
impl From<Option<Duration>> for HumanDuration {
    fn from(time: Option<Duration>) -> Self {
        HumanDuration(time.unwrap_or_default())
    }
}

impl From<HumanDuration> for Option<Duration> {
    fn from(time: HumanDuration) -> Self {
        Some(time.0).filter(|time| !time.is_zero())
    }
}

impl<'de> Deserialize<'de> for HumanDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DurationVisitor)
    }
}

struct DurationVisitor;

impl de::Visitor<'_> for DurationVisitor {
    type Value = HumanDuration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as \"30s\" or \"500ms\", or a number of seconds")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<HumanDuration, E> {
        text.parse().map_err(E::custom)
    }

    #[allow(clippy::cast_precision_loss)] // exact up to 285 million years
    fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<HumanDuration, E> {
        HumanDuration::from_seconds(seconds as f64).map_err(E::custom)
    }

    fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<HumanDuration, E> {
        HumanDuration::from_seconds(seconds).map_err(E::custom)
    }
}

/// A size written as `"512KiB"`, `"2MB"`, or as a plain number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HumanSize(pub u64);

impl From<usize> for HumanSize {
    fn from(bytes: usize) -> Self {
        HumanSize(bytes as u64)
    }
}

/// In bytes; more than this machine can address is the same as all that it can.
impl From<HumanSize> for usize {
    fn from(size: HumanSize) -> Self {
        usize::try_from(size.0).unwrap_or(usize::MAX)
    }
}

impl fmt::Display for HumanSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut size, mut unit) = (self.0, "");
        for larger in ["KiB", "MiB", "GiB"] {
            if size > 0 && size % 1024 == 0 {
                (size, unit) = (size / 1024, larger);
            }
        }
        write!(f, "{size}{unit}")
    }
}

impl FromStr for HumanSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse::<ByteSize>().map(|size| HumanSize(size.as_u64())).map_err(|_| {
            "it is no size: write it like 512KiB, 2MB or 1GiB; a plain number is bytes".to_owned()
        })
    }
}

impl<'de> Deserialize<'de> for HumanSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SizeVisitor)
    }
}

struct SizeVisitor;

impl de::Visitor<'_> for SizeVisitor {
    type Value = HumanSize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a size such as \"512KiB\" or \"2MB\", or a number of bytes")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<HumanSize, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<HumanSize, E> {
        let wrong = || E::invalid_value(de::Unexpected::Signed(bytes), &self);
        u64::try_from(bytes).map(HumanSize).map_err(|_| wrong())
    }
}
