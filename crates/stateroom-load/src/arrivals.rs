//! What one client has received, checked: is each message new, in order, and the room's own?
//!
//! The next number of each sender is kept, which makes the check of a message in order one
//! comparison. Only what is missing is remembered besides.

use std::ops::Range;

/// The most stretches of missing messages that one client remembers. What is missing past that
/// counts as lost for good.
const MAX_GAPS: usize = 1024;

/// What a message turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It came for the first time, and none after it has come before.
    New,
    /// It came for the first time, but after a later one.
    OutOfOrder,
    /// It has come before.
    Duplicate,
    /// It is from a client whose messages must not come here.
    Stray,
}

/// What one client has received.
#[derive(Debug)]
pub(crate) struct Arrivals {
    /// The first client whose messages come here; the others are numbered after it.
    first: u32,
    /// The number that is next, by sender.
    next: Box<[u32]>,
    gaps: Vec<Gap>,
    /// What was missing and is not waited for any more.
    given_up: u64,
}

#[derive(Debug)]
struct Gap {
    sender: u32,
    numbers: Range<u32>,
}

impl Arrivals {
    /// For a client that hears the clients `senders`.
    pub(crate) fn new(senders: Range<u32>) -> Self {
        Arrivals {
            first: senders.start,
            next: vec![0; senders.len()].into_boxed_slice(),
            gaps: Vec::new(),
            given_up: 0,
        }
    }

    /// Notes the message `number` of `client`.
    #[inline]
    pub(crate) fn note(&mut self, client: u32, number: u32) -> Arrival {
        let sender = client.wrapping_sub(self.first);
        match self.next.get_mut(sender as usize) {
            None => Arrival::Stray,
            Some(next) if *next == number => {
                *next += 1;
                Arrival::New
            }
            Some(_) => self.not_the_next(sender, number),
        }
    }

    #[cold]
    fn not_the_next(&mut self, sender: u32, number: u32) -> Arrival {
        let Some(next) = self.next.get_mut(sender as usize) else { return Arrival::Stray };
        if number >= *next {
            let numbers = *next..number;
            *next = number + 1;
            if self.gaps.len() == MAX_GAPS {
                self.given_up += self.gaps.swap_remove(0).numbers.len() as u64;
            }
            self.gaps.push(Gap { sender, numbers });
            return Arrival::New;
        }
        let is_in = |gap: &Gap| gap.sender == sender && gap.numbers.contains(&number);
        let Some(index) = self.gaps.iter().position(is_in) else { return Arrival::Duplicate };
        let Gap { numbers, .. } = self.gaps.swap_remove(index);
        for numbers in [numbers.start..number, number + 1..numbers.end] {
            if !numbers.is_empty() {
                self.gaps.push(Gap { sender, numbers });
            }
        }
        Arrival::OutOfOrder
    }

    /// How many of the messages of `client` that were sent up to the last that came have come or
    /// are missing.
    #[inline]
    pub(crate) fn next_of(&self, client: u32) -> u32 {
        self.next.get(client.wrapping_sub(self.first) as usize).copied().unwrap_or(0)
    }

    /// How many messages have not come, when `sent` tells how many each client sent.
    pub(crate) fn missing(&self, sent: impl Fn(u32) -> u32) -> u64 {
        let after = (self.first..).zip(&self.next);
        let after = after.map(|(client, next)| u64::from(sent(client).saturating_sub(*next)));
        let before = self.gaps.iter().map(|gap| gap.numbers.len() as u64);
        after.sum::<u64>() + before.sum::<u64>() + self.given_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_in_order_are_new_whoever_sent_them() {
        let mut arrivals = Arrivals::new(10..12);
        for number in 0..100 {
            assert_eq!(arrivals.note(10, number), Arrival::New);
            assert_eq!(arrivals.note(11, number), Arrival::New);
        }
        assert_eq!(arrivals.missing(|_| 100), 0);
        assert_eq!(arrivals.missing(|client| if client == 10 { 103 } else { 100 }), 3);
        assert_eq!(arrivals.next_of(10), 100);
    }

    #[test]
    fn what_is_missing_is_counted_until_it_comes() {
        let mut arrivals = Arrivals::new(0..1);
        assert_eq!(arrivals.note(0, 0), Arrival::New);
        assert_eq!(arrivals.note(0, 5), Arrival::New);
        assert_eq!(arrivals.missing(|_| 6), 4);
        for (number, missing) in [(3, 3), (1, 2), (4, 1), (2, 0)] {
            assert_eq!(arrivals.note(0, number), Arrival::OutOfOrder);
            assert_eq!(arrivals.missing(|_| 6), missing);
        }
    }

    #[test]
    fn what_comes_twice_is_a_duplicate() {
        let mut arrivals = Arrivals::new(0..1);
        arrivals.note(0, 0);
        assert_eq!(arrivals.note(0, 0), Arrival::Duplicate);
        arrivals.note(0, 2);
        assert_eq!(arrivals.note(0, 1), Arrival::OutOfOrder);
        assert_eq!(arrivals.note(0, 1), Arrival::Duplicate);
        assert_eq!(arrivals.note(0, 2), Arrival::Duplicate);
        assert_eq!(arrivals.missing(|_| 3), 0);
    }

    #[test]
    fn what_is_from_elsewhere_is_stray() {
        let mut arrivals = Arrivals::new(10..12);
        for client in [0, 9, 12, u32::MAX] {
            assert_eq!(arrivals.note(client, 0), Arrival::Stray);
        }
    }

    #[test]
    fn gaps_without_end_are_counted_in_bounded_memory() {
        let mut arrivals = Arrivals::new(0..1);
        for number in 0..10_000 {
            assert_eq!(arrivals.note(0, number * 2 + 1), Arrival::New);
        }
        assert_eq!(arrivals.missing(|_| 20_000), 10_000);
        assert!(arrivals.gaps.len() <= MAX_GAPS);
    }
}
