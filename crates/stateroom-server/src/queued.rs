//! How much may wait for all clients of a server together, counted as the memory that it takes.
//!
//! What waits for many counts once, and each of them for an equal part of it. Each may have its share of the bound
//! ([`FairShare`]), so that few who do not read leave room for those who are behind for a moment, and next to
//! nothing in any case. So a broadcast to thousands, of which each has a tiny part, goes on waiting for them.

use crate::fair_share::FairShare;

/// As little as this, in bytes, may always wait for a client.
const LEAST_SHARE: usize = 1024;

/// What waits for all clients of a server.
#[derive(Debug)]
pub(crate) struct Queued(FairShare);

impl Queued {
    pub(crate) fn new(most: usize) -> Self {
        Queued(FairShare::new(most))
    }

    /// How many bytes of memory all of it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.0.bytes()
    }

    /// How many bytes of memory one client may take, when `more` than now are taken by all.
    pub(crate) fn share(&self, more: usize) -> usize {
        let all = self.bytes().saturating_add(more);
        self.0.share(all, self.0.clients()).max(LEAST_SHARE)
    }

    pub(crate) fn add(&self, bytes: usize) {
        self.0.add(bytes);
    }

    pub(crate) fn remove(&self, bytes: usize) {
        self.0.remove(bytes);
    }

    /// Notes that something waits for one client more.
    pub(crate) fn add_client(&self) {
        self.0.add_client();
    }

    /// Notes that nothing waits for a client any more.
    pub(crate) fn remove_client(&self) {
        self.0.remove_client();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    /// The share of one of so many clients, when `all` bytes wait for them.
    fn share(most: usize, all: usize, clients: usize) -> usize {
        let queued = Queued::new(most);
        queued.add(all);
        (0..clients).for_each(|_| queued.add_client());
        queued.share(0)
    }

    #[test]
    fn past_half_each_may_have_an_equal_share_and_past_all_next_to_nothing() {
        for (all, clients, expected) in [
            (0, 0, usize::MAX),
            (32 * MIB, 10_000, usize::MAX),
            (32 * MIB + 1, 0, 32 * MIB),
            (32 * MIB + 1, 1, 32 * MIB),
            (64 * MIB, 400, 32 * MIB / 400),
            (64 * MIB, 1_000_000, LEAST_SHARE),
            (64 * MIB + 1, 1, LEAST_SHARE),
        ] {
            assert_eq!(share(64 * MIB, all, clients), expected, "{all} bytes, {clients} clients");
        }
    }

    #[test]
    fn ten_thousand_behind_in_one_room_take_little_and_may_have_it_however_full_it_is() {
        // A batch as large as they become waits for all of them.
        let part = 2 * MIB / 10_000 + 64;
        for all in [2 * MIB, 60 * MIB, 80 * MIB] {
            assert!(part <= share(64 * MIB, all, 10_000), "{all} bytes");
        }
    }

    #[test]
    fn whatever_clients_ask_for_there_is_never_much_more_than_all() {
        let queued = Queued::new(MIB);
        let mut taken = vec![0; 400];
        for bytes in [100, MIB, 10_000, 1_000, 1, MIB] {
            for own in &mut taken {
                if *own + bytes <= queued.share(bytes) {
                    if *own == 0 {
                        queued.add_client();
                    }
                    *own += bytes;
                    queued.add(bytes);
                }
            }
            assert!(queued.bytes() <= MIB + 400 * LEAST_SHARE, "{}", queued.bytes());
        }
    }
}
