//! A request on its way to the shard of its room, and the way back.

use super::waiting::Place;
use crate::request::Rejection;
use std::{net::IpAddr, sync::Arc};
use tokio::sync::oneshot;

/// A request that is in order.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) room_id: Arc<str>,
    /// A [`Request`](stateroom::Request), encoded.
    pub(crate) request: Vec<u8>,
    /// Who has sent it, if that is known.
    pub(crate) user: Option<String>,
    /// Where it comes from.
    pub(crate) address: Option<IpAddr>,
    pub(crate) reply: Reply,
}

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The room has answered with a [`Response`](stateroom::Response), encoded.
    Answered(Vec<u8>),
    /// The room failed at it, and is as it was before.
    Failed,
    /// No room has heard it.
    Refused(Rejection),
    /// Neither has this one: requests of the same sender made it fail.
    KeptAway,
}

/// The way back. If it is dropped, nobody knows what became of the request.
#[derive(Debug)]
pub(crate) struct Reply {
    sender: oneshot::Sender<(Outcome, Place)>,
    place: Place,
}

impl Reply {
    /// A way back for a request that takes this place.
    pub(super) fn new(place: Place) -> (Reply, oneshot::Receiver<(Outcome, Place)>) {
        let (sender, receiver) = oneshot::channel();
        (Reply { sender, place }, receiver)
    }

    /// Whether nobody waits for it any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    pub(crate) fn send(self, outcome: Outcome) {
        // Whoever has gone does not want to know.
        let _ = self.sender.send((outcome, self.place));
    }
}
