//! How many connections there are, of every kind in one count: never more than the process has
//! descriptors for, beside those that its store and itself need.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// This part of the connections is kept for telling newcomers that there is no room for them.
const FOR_REFUSALS: usize = 16;

/// And no more than so many: the others wait to be accepted.
const MOST_REFUSALS: usize = 128;

/// What a connection is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Its request has not been read whole.
    Handshaking,
    /// It is answered by the HTTP server.
    Http,
    /// It is a client's, or about to be.
    WebSocket,
    /// It is being closed, or turned away.
    Closing,
}

impl Kind {
    /// All kinds, with the name of each for whoever operates the server.
    pub(crate) const ALL: [(Kind, &str); 4] = [
        (Kind::Handshaking, "greeting"),
        (Kind::Http, "http"),
        (Kind::WebSocket, "websocket"),
        (Kind::Closing, "closing"),
    ];

    /// How many descriptors it takes: whoever asks for a file has that open, too.
    fn descriptors(self) -> usize {
        if self == Kind::Http { 2 } else { 1 }
    }
}

/// All connections of a server.
#[derive(Debug)]
pub(crate) struct Connections {
    /// How many descriptors they may take.
    most: usize,
    taken: AtomicUsize,
    by_kind: [AtomicUsize; Kind::ALL.len()],
}

/// Whether there is room for one more connection.
#[derive(Debug)]
pub(crate) enum Admission {
    /// There is.
    Admitted(Permit),
    /// Only for telling it that there is not.
    TurnedAway(Permit),
    /// Not even for that.
    Full,
}

impl Connections {
    pub(crate) fn new(most: usize) -> Self {
        Connections { most, taken: AtomicUsize::new(0), by_kind: Default::default() }
    }

    /// How many there may be that are not turned away.
    pub(crate) fn most_admitted(&self) -> usize {
        self.most - (self.most / FOR_REFUSALS).clamp(1, MOST_REFUSALS).min(self.most)
    }

    /// Takes room for one more connection, before it is accepted.
    pub(crate) fn admit(self: &Arc<Self>) -> Admission {
        if self.take(1, self.most_admitted()) {
            return Admission::Admitted(self.permit(Kind::Handshaking));
        }
        match self.take(1, self.most) {
            true => Admission::TurnedAway(self.permit(Kind::Closing)),
            false => Admission::Full,
        }
    }

    /// How many there are of a kind.
    pub(crate) fn count(&self, kind: Kind) -> usize {
        self.of(kind).map_or(0, |count| count.load(Relaxed))
    }

    fn permit(self: &Arc<Self>, kind: Kind) -> Permit {
        self.add(kind);
        Permit { connections: self.clone(), kind }
    }

    fn take(&self, descriptors: usize, most: usize) -> bool {
        let fits = |taken: usize| taken.checked_add(descriptors).filter(|taken| *taken <= most);
        self.taken.fetch_update(Relaxed, Relaxed, fits).is_ok()
    }

    fn of(&self, kind: Kind) -> Option<&AtomicUsize> {
        self.by_kind.get(kind as usize)
    }

    fn add(&self, kind: Kind) {
        if let Some(count) = self.of(kind) {
            count.fetch_add(1, Relaxed);
        }
    }

    fn remove(&self, kind: Kind) {
        if let Some(count) = self.of(kind) {
            count.fetch_sub(1, Relaxed);
        }
    }
}

/// One connection's part in the count, which goes with it wherever it goes.
#[derive(Debug)]
pub(crate) struct Permit {
    connections: Arc<Connections>,
    kind: Kind,
}

impl Permit {
    /// Notes that the connection is there for something else now. `false` where there is no room for that,
    /// and it stays what it was.
    pub(crate) fn become_kind(&mut self, kind: Kind) -> bool {
        if kind == self.kind {
            return true;
        }
        let (before, after) = (self.kind.descriptors(), kind.descriptors());
        if after > before && !self.connections.take(after - before, self.connections.most) {
            return false;
        }
        if before > after {
            self.connections.taken.fetch_sub(before - after, Relaxed);
        }
        self.connections.remove(self.kind);
        self.connections.add(kind);
        self.kind = kind;
        true
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.connections.remove(self.kind);
        self.connections.taken.fetch_sub(self.kind.descriptors(), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_never_more_than_fit_and_the_last_are_for_refusals() {
        let connections = Arc::new(Connections::new(32));
        let mut admitted = Vec::new();
        while let Admission::Admitted(permit) = connections.admit() {
            admitted.push(permit);
        }
        assert_eq!(admitted.len(), 30);
        let refused: Vec<_> = (0..2).map(|_| connections.admit()).collect();
        assert!(refused.iter().all(|admission| matches!(admission, Admission::TurnedAway(_))));
        assert!(matches!(connections.admit(), Admission::Full));
        drop(refused);
        assert!(matches!(connections.admit(), Admission::TurnedAway(_)));
        admitted.pop();
        assert!(matches!(connections.admit(), Admission::Admitted(_)));
    }

    #[test]
    fn a_connection_of_http_takes_two_and_gives_both_back() {
        let connections = Arc::new(Connections::new(4));
        let Admission::Admitted(mut permit) = connections.admit() else { panic!("not admitted") };
        assert!(permit.become_kind(Kind::Http));
        assert_eq!((connections.count(Kind::Handshaking), connections.count(Kind::Http)), (0, 1));
        let Admission::Admitted(mut other) = connections.admit() else { panic!("not admitted") };
        let Admission::TurnedAway(_third) = connections.admit() else { panic!("not turned away") };
        assert!(!other.become_kind(Kind::Http), "there are four descriptors");
        drop(permit);
        assert!(other.become_kind(Kind::Http));
        assert!(other.become_kind(Kind::Closing));
        drop((other, _third));
        assert_eq!(connections.taken.load(Relaxed), 0);
        assert!(Kind::ALL.iter().all(|(kind, _)| connections.count(*kind) == 0));
    }

    #[test]
    fn even_the_smallest_server_can_refuse() {
        for most in [0, 1, 2] {
            let connections = Arc::new(Connections::new(most));
            assert_eq!(connections.most_admitted(), most.saturating_sub(1));
        }
    }
}
