//! The task of a connection that parts stick to: carries what the [`Lane`] decides between owners and the database.

use crate::{
    Epoch, LogError, Part, Unsettled,
    core::{Fate, Heard, Lane, NotTaken, Place},
    link::{self, Backend, Link, Parameters},
    options::Options,
    statements::Statements,
};
use bytes::Bytes;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    time::sleep,
};

/// How long it waits before it tries to connect again, at first and at most.
const PAUSES: [Duration; 2] = [Duration::from_millis(20), Duration::from_secs(1)];

/// What is told when a record is settled: its position.
pub(crate) type Answer = oneshot::Sender<Result<i64, LogError>>;

/// What it is asked for.
pub(crate) enum Order {
    /// A part was claimed.
    Adopt(Part, Place),
    /// A record of an owner by that epoch.
    Append(Part, Epoch, Bytes, Answer),
    /// That owner is gone.
    GiveUp(Part, Epoch),
}

/// See the [module](self).
pub(crate) struct Appender {
    options: Arc<Options>,
    statements: Arc<Statements>,
    /// Of each owner at most one record, and what comes once in its life.
    orders: mpsc::UnboundedReceiver<Order>,
    lane: Lane,
    answers: BTreeMap<Part, Answer>,
    link: Option<Link>,
    /// The connection before, which the server may still know.
    earlier: Option<Backend>,
}

impl Appender {
    pub(crate) fn new(
        options: Arc<Options>,
        statements: Arc<Statements>,
        orders: mpsc::UnboundedReceiver<Order>,
    ) -> Self {
        let (lane, answers) = (Lane::default(), BTreeMap::new());
        Appender { options, statements, orders, lane, answers, link: None, earlier: None }
    }

    /// Runs until nobody can order anything any more.
    pub(crate) async fn run(mut self) {
        while let Some(order) = self.orders.recv().await {
            self.take(order);
            while self.lane.is_due() {
                let Some(link) = self.connected().await else { return };
                // What has come while the statement before was on its way goes out together.
                while let Ok(order) = self.orders.try_recv() {
                    self.take(order);
                }
                self.append(link).await;
            }
        }
    }

    /// A connection, as soon as there is one; until then records wait. `None` once nobody can order anything any more.
    async fn connected(&mut self) -> Option<Link> {
        if let Some(link) = self.link.take().filter(|link| !link.is_closed()) {
            return Some(link);
        }
        let [mut pause, longest] = PAUSES;
        loop {
            match self.connect().await {
                Ok(link) => return Some(link),
                Err(error) => tracing::warn!("{error}; records wait for it"),
            }
            if self.orders.is_closed() {
                return None;
            }
            sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }

    async fn connect(&mut self) -> Result<Link, LogError> {
        // An append that waits for somebody's claim learns what becomes of it.
        let mut link = Link::connect(&self.options, Duration::ZERO).await?;
        if let Some(earlier) = &self.earlier {
            link.end(self.options.owner(), earlier).await?;
        }
        self.earlier = Some(link.backend.clone());
        Ok(link)
    }

    /// Carries what is due, and tells everybody what has become of it.
    async fn append(&mut self, mut link: Link) {
        let rows = self.lane.next_statement();
        let parts: Vec<i16> = rows.iter().map(|row| row.part.column()).collect();
        let seqs: Vec<i64> = rows.iter().map(|row| row.place.seq).collect();
        let epochs: Vec<i64> = rows.iter().map(|row| row.place.epoch.number()).collect();
        let bodies: Vec<&[u8]> = rows.iter().map(|row| &row.body[..]).collect();
        let parameters: Parameters<'_> = &[&parts, &seqs, &epochs, &bodies];
        let mut fates = Vec::with_capacity(rows.len());
        let lane = &mut self.lane;
        let is_usable = link
            .write(
                &self.statements.append,
                parameters,
                |row| Ok(Heard::Row(link::part(row, 0)?, ())),
                |heard| fates.extend(lane.hear(heard)),
            )
            .await;
        self.link = is_usable.then_some(link);
        fates.into_iter().for_each(|fate| self.tell(fate));
    }

    fn tell(&mut self, fate: Fate) {
        let (part, answer) = match fate {
            Fate::Durable(part, seq) => (part, Ok(seq)),
            Fate::Lost(part, why) => (part, Err(LogError::Lost { part, why })),
        };
        let Some(waiting) = self.answers.remove(&part) else { return };
        if waiting.send(answer).is_err() {
            // Whoever owned it does not know how far the part is.
            self.lane.give_up(part);
        }
    }

    fn take(&mut self, order: Order) {
        match order {
            Order::Adopt(part, claim) => self.lane.adopt(part, claim),
            Order::Append(part, epoch, body, answer) => self.put(part, epoch, body, answer),
            Order::GiveUp(part, epoch) if self.owns(part, epoch) => {
                self.lane.give_up(part);
                self.answers.remove(&part);
            }
            Order::GiveUp(..) => {}
        }
    }

    /// Whether it is that very claim by which the part is owned.
    fn owns(&self, part: Part, epoch: Epoch) -> bool {
        self.lane.last(part).is_some_and(|last| last.epoch == epoch)
    }

    fn put(&mut self, part: Part, epoch: Epoch, body: Bytes, answer: Answer) {
        let bytes = body.len();
        let taken = match self.owns(part, epoch) {
            true => self.lane.put(part, body),
            false => Err(NotTaken::NotOwned),
        };
        let error = match taken {
            Ok(()) => {
                self.answers.insert(part, answer);
                return;
            }
            Err(NotTaken::NotOwned) => LogError::Lost { part, why: Unsettled::NotInserted },
            Err(NotTaken::Busy) => LogError::Lost { part, why: Unsettled::GivenUp },
            Err(NotTaken::TooLarge) => LogError::TooLarge { part, bytes },
        };
        // Nobody is there to be told if this fails.
        let _ = answer.send(Err(error));
    }
}
