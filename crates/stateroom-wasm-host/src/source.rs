//! A room's clock and its randomness. Both follow from the room's birth and from what it was told
//! since, so a room that hears the same again lives the same life again.

use chacha20::{
    ChaCha20Rng,
    rand_core::{Rng, SeedableRng},
};
use stateroom::Birth;
use std::time::{Duration, SystemTime};

/// The clock and the randomness of one room.
///
/// The clock shows the time that the room was last told and stands still in between. One that was
/// never told any shows the system's. The randomness is the ChaCha20 stream of the room's seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    /// When the room was born, since 1970-01-01 00:00 UTC.
    pub(crate) born: Duration,
    pub(crate) seed: [u8; 32],
    /// What the clock showed last.
    pub(crate) now: Duration,
    /// Whether somebody tells the time.
    pub(crate) told: bool,
    /// Where in the stream the next random bytes are, in its words of four bytes.
    pub(crate) position: u128,
}

impl Source {
    /// That of a room which is born so, and is told the time from then on.
    pub(crate) fn born(birth: &Birth) -> Source {
        Source::new(birth.time, birth.seed, true)
    }

    /// That of a room which is born now, with a seed from the system, and may never be told the
    /// time.
    pub(crate) fn of_the_system() -> Result<Source, getrandom::Error> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        Ok(Source::new(system_time(), seed, false))
    }

    /// That of a module which is only tried.
    pub(crate) fn of_a_trial() -> Source {
        Source::new(system_time(), [0; 32], true)
    }

    fn new(born: Duration, seed: [u8; 32], told: bool) -> Source {
        Source { born, seed, now: born, told, position: 0 }
    }

    /// Sets the clock, unless that would set it back.
    pub(crate) fn set_time(&mut self, now: Duration) {
        self.now = if self.told { now.max(self.now) } else { now };
        self.told = true;
    }

    /// The time of day, since 1970-01-01 00:00 UTC.
    pub(crate) fn wall_clock(&mut self) -> Duration {
        if !self.told {
            self.now = system_time().max(self.now);
        }
        self.now
    }

    /// The time since the room was born, which tells nothing about the machine.
    pub(crate) fn monotonic_clock(&mut self) -> Duration {
        self.wall_clock().saturating_sub(self.born)
    }

    /// Fills `bytes` with the next of the stream. What is left of its last word is passed over.
    pub(crate) fn random(&mut self, bytes: &mut [u8]) {
        // Made anew each time: that takes a fraction of a microsecond, and a room that sleeps has
        // nothing to keep but the position.
        let mut stream = ChaCha20Rng::from_seed(self.seed);
        stream.set_word_pos(self.position);
        stream.fill_bytes(bytes);
        self.position = stream.get_word_pos();
    }
}

/// A machine whose clock stands before 1970 has no better answer than 1970.
pub(crate) fn system_time() -> Duration {
    SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use stateroom::MemoryLimits;

    const BIRTH: Birth =
        Birth { time: Duration::from_secs(100), seed: [7; 32], limits: MemoryLimits::NONE };

    #[test]
    fn a_clock_shows_what_it_was_told_and_never_goes_back() {
        let mut source = Source::born(&BIRTH);
        assert_eq!(source.wall_clock(), Duration::from_secs(100));
        for (told, shown) in [(105, 105), (103, 105), (106, 106)] {
            source.set_time(Duration::from_secs(told));
            assert_eq!(source.wall_clock(), Duration::from_secs(shown));
            assert_eq!(source.monotonic_clock(), Duration::from_secs(shown - 100));
        }
    }

    #[test]
    fn a_clock_that_was_never_told_the_time_shows_the_systems() {
        let mut source = Source::of_the_system().unwrap();
        let first = source.wall_clock();
        assert!(first > Duration::from_secs(1_700_000_000));
        assert!(source.monotonic_clock() < Duration::from_secs(1_000));
        assert!(source.wall_clock() >= first);
        source.set_time(Duration::from_secs(5));
        assert_eq!(source.wall_clock(), Duration::from_secs(5));
    }

    /// As RFC 8439 has it, in its first test of the block function with this key.
    #[test]
    fn randomness_is_the_chacha20_stream_of_the_seed() {
        let mut bytes = [0; 8];
        Source::born(&Birth { seed: [0; 32], ..BIRTH }).random(&mut bytes);
        assert_eq!(bytes, [0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90]);
    }

    #[test]
    fn the_stream_goes_on_from_its_position_whatever_pieces_are_taken() {
        let mut whole = [0; 1000];
        Source::born(&BIRTH).random(&mut whole);
        let mut source = Source::born(&BIRTH);
        let mut at = 0;
        for length in [4, 8, 0, 252, 256, 260, 220] {
            let mut piece = vec![0; length];
            source.random(&mut piece);
            assert_eq!(piece, whole[at..at + length], "{at}");
            at += length;
            assert_eq!(source.position, at as u128 / 4);
        }
        source.random(&mut [0; 1]);
        assert_eq!(source.position, 251, "a word that was begun is used up");
    }

    #[test]
    fn seeds_of_the_system_differ() {
        let [one, other] = [(); 2].map(|()| Source::of_the_system().unwrap().seed);
        assert_ne!(one, other);
    }
}
