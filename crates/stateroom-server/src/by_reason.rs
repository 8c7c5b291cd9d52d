//! Counts of what seldom happens, by reason.

use crate::lock::lock;
use std::{collections::BTreeMap, sync::Mutex};

/// How many reasons there may be; those that come later are counted together.
const MOST_REASONS: usize = 64;

/// The reason of those.
const OTHER: &str = "other";

/// How often something happened for each of its reasons, all of which are texts of the program.
#[derive(Debug, Default)]
pub(crate) struct ByReason(Mutex<BTreeMap<&'static str, u64>>);

impl ByReason {
    pub(crate) fn add(&self, reason: &'static str) {
        let mut counts = lock(&self.0);
        let is_known = counts.contains_key(reason) || counts.len() < MOST_REASONS;
        *counts.entry(if is_known { reason } else { OTHER }).or_default() += 1;
    }

    pub(crate) fn counts(&self) -> Vec<(&'static str, u64)> {
        lock(&self.0).iter().map(|(reason, count)| (*reason, *count)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_only_so_many_reasons() {
        let counts = ByReason::default();
        for number in 0..1000 {
            let reason = Box::leak(format!("reason {number}").into_boxed_str());
            counts.add(reason);
            counts.add("reason 0");
        }
        let counts = counts.counts();
        assert_eq!(counts.len(), MOST_REASONS + 1);
        assert_eq!(counts.iter().map(|(_, count)| count).sum::<u64>(), 2000);
    }
}
