//! How much of messages that have not come whole all clients together may have the server hold.
//!
//! Each may have its share of that ([`FairShare`]), so that few who begin large messages do not keep all others
//! from sending any. The one that would grow is refused.

use crate::fair_share::FairShare;
use std::sync::Arc;

/// What all clients of a server have the server hold.
#[derive(Debug)]
pub(crate) struct Unfinished(FairShare);

impl Unfinished {
    pub(crate) fn new(most: usize) -> Self {
        Unfinished(FairShare::new(most))
    }

    /// How many bytes are held.
    pub(crate) fn bytes(&self) -> usize {
        self.0.bytes()
    }

    /// Notes that a client has `bytes` held now, for whom there was `held`. `false` if they are too many.
    pub(crate) fn hold(self: &Arc<Self>, held: &mut Option<Box<Held>>, bytes: usize) -> bool {
        let before = held.as_ref().map_or(0, |held| held.bytes);
        if bytes <= before {
            if let Some(held) = held {
                held.bytes = bytes;
                self.0.remove(before - bytes);
            }
            if bytes == 0 {
                *held = None;
            }
            return true;
        }
        let more = bytes - before;
        let all = self.0.add(more);
        let clients = self.0.clients() + usize::from(before == 0);
        if bytes > self.0.share(all, clients) {
            self.0.remove(more);
            return false;
        }
        match held {
            Some(held) => held.bytes = bytes,
            None => {
                self.0.add_client();
                *held = Some(Box::new(Held { of: self.clone(), bytes }));
            }
        }
        true
    }
}

/// What one client has the server hold, until this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    of: Arc<Unfinished>,
    bytes: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.of.0.remove(self.bytes);
        self.of.0.remove_client();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn past_half_only_those_with_less_than_their_share_may_have_more() {
        let unfinished = Arc::new(Unfinished::new(1000));
        let (mut large, mut small, mut other) = (None, None, None);
        assert!(unfinished.hold(&mut large, 500));
        assert!(!unfinished.hold(&mut large, 501));
        assert!(unfinished.hold(&mut small, 250), "half of the half");
        assert!(!unfinished.hold(&mut small, 251));
        assert!(unfinished.hold(&mut other, 166), "a third of it");
        assert!(!unfinished.hold(&mut other, 167));
        drop(large);
        assert!(unfinished.hold(&mut small, 300));
        assert!(unfinished.hold(&mut small, 0));
        assert!(small.is_none());
        drop(other);
        assert_eq!(unfinished.bytes(), 0);
        assert_eq!(unfinished.0.clients(), 0);
    }

    #[test]
    fn there_is_never_more_than_all() {
        let unfinished = Arc::new(Unfinished::new(1000));
        let mut clients: Vec<Option<Box<Held>>> = (0..5000).map(|_| None).collect();
        for bytes in [1, 10, 100, 500] {
            for held in &mut clients {
                unfinished.hold(held, bytes);
                assert!(unfinished.bytes() <= 1000);
            }
        }
        drop(clients);
        assert_eq!(unfinished.bytes(), 0);
    }
}
