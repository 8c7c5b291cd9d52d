//! A part that is owned: only by it records are appended.

use crate::{Epoch, LogError, Part, Unsettled, appender::Order, core::Place};
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

/// A part that is owned, since a claim of it was acknowledged. It is lost as soon as it is not known what has become of
/// a record.
#[derive(Debug)]
pub struct OwnedPart {
    part: Part,
    claim: Place,
    last: i64,
    orders: mpsc::UnboundedSender<Order>,
    state: State,
}

#[derive(Debug)]
enum State {
    Owned,
    /// A record is on its way, and if nobody waits for it any more, nobody knows what has become of it.
    Appending,
    Lost(Unsettled),
}

impl OwnedPart {
    pub(crate) fn new(part: Part, claim: Place, orders: mpsc::UnboundedSender<Order>) -> Self {
        // If nobody takes it, nor will anybody take a record.
        let _ = orders.send(Order::Adopt(part, claim));
        OwnedPart { part, claim, last: claim.seq, orders, state: State::Owned }
    }

    /// Which part.
    #[must_use]
    pub fn part(&self) -> Part {
        self.part
    }

    /// The epoch of the claim. Of two that speak for a part, the one with the lower epoch owns it no more.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.claim.epoch
    }

    /// The position of the claim. What lies below it is durable and all that the part has had; nothing that is not there
    /// now will come there.
    #[must_use]
    pub fn claimed_at(&self) -> i64 {
        self.claim.seq
    }

    /// The position of the last record that is known to be durable.
    #[must_use]
    pub fn last(&self) -> i64 {
        self.last
    }

    /// Appends a record, and gives its position once it is durable: nothing of it may be shown to anybody before.
    /// Meanwhile the records of other parts go with it.
    ///
    /// If the future is dropped while it waits, the part is lost: nobody knows then whether the record is there.
    ///
    /// # Errors
    /// [`Lost`](LogError::Lost) ends the ownership. [`TooLarge`](LogError::TooLarge) does not.
    pub async fn append(&mut self, body: impl Into<Bytes>) -> Result<i64, LogError> {
        let part = self.part;
        match &self.state {
            State::Owned => {}
            State::Appending => self.state = State::Lost(Unsettled::GivenUp),
            State::Lost(_) => {}
        }
        if let State::Lost(why) = &self.state {
            return Err(LogError::Lost { part, why: why.clone() });
        }
        self.state = State::Appending;
        let (answer, told) = oneshot::channel();
        let order = Order::Append(part, self.claim.epoch, body.into(), answer);
        self.orders.send(order).map_err(|_| LogError::Closed)?;
        let told = told.await.map_err(|_| LogError::Closed)?;
        self.state = match &told {
            Ok(seq) => {
                self.last = *seq;
                State::Owned
            }
            Err(LogError::Lost { why, .. }) => State::Lost(why.clone()),
            Err(_) => State::Owned,
        };
        told
    }

    /// Whether it can still be appended to, as far as is known.
    #[must_use]
    pub fn is_owned(&self) -> bool {
        matches!(self.state, State::Owned)
    }
}

impl Drop for OwnedPart {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::GiveUp(self.part, self.claim.epoch));
    }
}
