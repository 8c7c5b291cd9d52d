//! Tells when what a statement has written is durable: each of its rows was reported, then the server was ready
//! for the next statement, and in all that time it has not warned.

use crate::Part;
use std::{collections::BTreeMap, mem, sync::Arc};

/// What comes of a statement, in the order in which the server says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard<T = ()> {
    /// A row was inserted. The transaction is not committed yet.
    Row(Part, T),
    /// A warning. So the server says that it has committed without waiting for its standby.
    Warning,
    /// The statement is over, and the server takes the next one.
    Ready,
    /// The statement has failed, and the server takes the next one.
    Failed(Arc<str>),
    /// The connection is gone.
    Cut(Arc<str>),
    /// Nothing has come for too long. The connection is to be dropped.
    TimedOut,
}

/// Why it is not known whether something was written, or how it is known that it was not. In each case it is settled by
/// claiming the part again, and by nothing else.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsettled {
    /// The server has not inserted it: somebody else has claimed the part.
    #[error("somebody else has claimed it")]
    NotInserted,
    /// The server has warned: it may be on no standby.
    #[error("the database has warned, so no standby may have it")]
    Warned,
    /// The server has refused the statement.
    #[error("the database has refused it: {0}")]
    Failed(Arc<str>),
    /// The connection was cut before the server was ready.
    #[error("the connection to the database was cut: {0}")]
    Cut(Arc<str>),
    /// The server has not answered in time.
    #[error("the database has not answered in time")]
    TimedOut,
    /// The server has reported what it was not asked for.
    #[error("the database has reported a row that it was not asked for")]
    Confused,
    /// Whoever waited for the answer has gone.
    #[error("it was given up while a record was on its way")]
    GivenUp,
}

/// What has become of a statement.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended<T> {
    /// Of these parts it is durable, in order.
    pub durable: Vec<(Part, T)>,
    /// Of these it is not known, in order.
    pub unsettled: Vec<(Part, Unsettled)>,
    /// Whether the connection takes the next statement.
    pub is_usable: bool,
}

/// A statement that is on its way: at most one on a connection, with at most one row for each part.
#[derive(Debug)]
pub struct InFlight<T = ()> {
    rows: BTreeMap<Part, Option<T>>,
    has_warned: bool,
    is_confused: bool,
}

impl<T> InFlight<T> {
    /// A statement that writes a row to each of these parts.
    pub fn new(parts: impl IntoIterator<Item = Part>) -> Self {
        let rows = parts.into_iter().map(|part| (part, None)).collect();
        InFlight { rows, has_warned: false, is_confused: false }
    }

    /// Tells what has become of the statement, once it is over.
    pub fn hear(&mut self, heard: Heard<T>) -> Option<Ended<T>> {
        match heard {
            Heard::Row(part, row) => {
                match self.rows.get_mut(&part) {
                    Some(place @ None) => *place = Some(row),
                    Some(Some(_)) | None => self.is_confused = true,
                }
                None
            }
            Heard::Warning => {
                self.has_warned = true;
                None
            }
            Heard::Ready if self.is_confused => Some(self.none(&Unsettled::Confused, true)),
            Heard::Ready if self.has_warned => Some(self.none(&Unsettled::Warned, true)),
            Heard::Ready => {
                let mut ended =
                    Ended { durable: Vec::new(), unsettled: Vec::new(), is_usable: true };
                for (part, row) in mem::take(&mut self.rows) {
                    match row {
                        Some(row) => ended.durable.push((part, row)),
                        None => ended.unsettled.push((part, Unsettled::NotInserted)),
                    }
                }
                Some(ended)
            }
            Heard::Failed(reason) => Some(self.none(&Unsettled::Failed(reason), true)),
            Heard::Cut(reason) => Some(self.none(&Unsettled::Cut(reason), false)),
            Heard::TimedOut => Some(self.none(&Unsettled::TimedOut, false)),
        }
    }

    /// Nothing is known of any row, however many were reported.
    fn none(&mut self, why: &Unsettled, is_usable: bool) -> Ended<T> {
        let parts = mem::take(&mut self.rows).into_keys();
        let unsettled = parts.map(|part| (part, why.clone())).collect();
        Ended { durable: Vec::new(), unsettled, is_usable }
    }
}

#[cfg(test)]
mod tests {
    use super::{Ended, Heard, InFlight, Unsettled};
    use crate::Part;

    fn part(number: u16) -> Part {
        Part::new(number).unwrap()
    }

    fn end(parts: &[u16], heard: &[Heard]) -> Option<Ended<()>> {
        let mut statement = InFlight::new(parts.iter().copied().map(part));
        let mut ended = heard.iter().filter_map(|heard| statement.hear(heard.clone()));
        let first = ended.next();
        assert!(ended.next().is_none_or(|more| more.durable.is_empty()));
        first
    }

    fn row(number: u16) -> Heard {
        Heard::Row(part(number), ())
    }

    #[test]
    fn a_row_is_durable_once_the_server_is_ready_and_no_sooner() {
        assert_eq!(end(&[1], &[row(1)]), None);
        let ended = end(&[1], &[row(1), Heard::Ready]).unwrap();
        assert_eq!(ended.durable, [(part(1), ())]);
        assert!(ended.unsettled.is_empty() && ended.is_usable);
    }

    #[test]
    fn a_row_that_was_not_reported_is_not_durable_and_others_are() {
        let ended = end(&[1, 2, 3], &[row(3), row(1), Heard::Ready]).unwrap();
        assert_eq!(ended.durable, [(part(1), ()), (part(3), ())]);
        assert_eq!(ended.unsettled, [(part(2), Unsettled::NotInserted)]);
    }

    #[test]
    fn whatever_else_ends_a_statement_settles_nothing_of_it() {
        let cut = || Heard::Cut("gone".into());
        for (last, is_usable) in
            [(Heard::Failed("23505".into()), true), (cut(), false), (Heard::TimedOut, false)]
        {
            for rows in [&[][..], &[row(1)], &[row(1), row(2)]] {
                let heard: Vec<_> = rows.iter().cloned().chain([last.clone()]).collect();
                let ended = end(&[1, 2], &heard).unwrap();
                assert_eq!((ended.durable.len(), ended.unsettled.len()), (0, 2), "{heard:?}");
                assert_eq!(ended.is_usable, is_usable);
            }
        }
    }

    #[test]
    fn after_a_warning_nothing_of_a_statement_is_durable_wherever_it_came() {
        for place in 0..=2 {
            let mut heard = vec![row(1), row(2)];
            heard.insert(place, Heard::Warning);
            heard.push(Heard::Ready);
            let ended = end(&[1, 2], &heard).unwrap();
            assert!(ended.durable.is_empty());
            assert_eq!(ended.unsettled[1], (part(2), Unsettled::Warned));
        }
    }

    #[test]
    fn a_server_that_reports_what_it_was_not_asked_for_is_not_believed() {
        for odd in [row(7), row(1)] {
            let ended = end(&[1], &[row(1), odd, Heard::Ready]).unwrap();
            assert_eq!(ended.unsettled, [(part(1), Unsettled::Confused)]);
        }
    }
}
