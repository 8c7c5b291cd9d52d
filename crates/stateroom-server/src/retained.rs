//! How much the sessions of all rooms together keep, to be said again to clients that come back.
//!
//! Each room may keep its share of that ([`FairShare`]). One that keeps more drops what it has let out: a client that
//! has missed some of it is told so, and nobody else notices.

use crate::fair_share::FairShare;
use std::sync::Arc;

/// What one room keeps, until this is dropped.
#[derive(Debug)]
pub(crate) struct Retained {
    of: Arc<FairShare>,
    bytes: usize,
}

impl Retained {
    pub(crate) fn new(of: Arc<FairShare>) -> Self {
        Retained { of, bytes: 0 }
    }

    /// Notes that the room keeps so many bytes now. `false` if they are too many.
    pub(crate) fn hold(&mut self, bytes: usize) -> bool {
        let before = std::mem::replace(&mut self.bytes, bytes);
        if bytes <= before {
            self.of.remove(before - bytes);
            if before > 0 && bytes == 0 {
                self.of.remove_client();
            }
            return true;
        }
        if before == 0 {
            self.of.add_client();
        }
        let all = self.of.add(bytes - before);
        bytes <= self.of.share(all, self.of.clients())
    }
}

impl Drop for Retained {
    fn drop(&mut self) {
        self.hold(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn past_half_a_room_keeps_its_share_or_nothing() {
        let all = Arc::new(FairShare::new(1_000));
        let (mut one, mut other) = (Retained::new(all.clone()), Retained::new(all.clone()));
        assert!(one.hold(500) && one.hold(400));
        assert!(other.hold(100));
        assert!(other.hold(200), "less than half of the half");
        assert!(!one.hold(500) && one.hold(0));
        assert!(other.hold(500));
        assert!(!one.hold(501), "more than there is");
        drop((one, other));
        assert_eq!((all.bytes(), all.clients()), (0, 0));
    }
}
