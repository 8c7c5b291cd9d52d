//! A connection that is made anew when it is needed and the one before is gone.

use crate::{
    LogError, Unsettled,
    link::{Link, Parameters},
    options::Options,
};
use std::sync::Arc;
use tokio_postgres::Row;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct SpareLink {
    options: Arc<Options>,
    link: Option<Link>,
}

impl SpareLink {
    pub(crate) fn new(options: Arc<Options>) -> Self {
        SpareLink { options, link: None }
    }

    pub(crate) async fn get(&mut self) -> Result<&mut Link, LogError> {
        let earlier = self.link.take().filter(|link| !link.is_closed());
        let link = match earlier {
            Some(link) => link,
            None => Link::connect(&self.options).await?,
        };
        Ok(self.link.insert(link))
    }

    /// Has the next one be made anew.
    pub(crate) fn discard(&mut self) {
        self.link = None;
    }

    /// Runs a statement of which the caller can do without the answer.
    pub(crate) async fn read(
        &mut self,
        what: &'static str,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, LogError> {
        // What is dropped while it waits must not be gone on with: an answer may still be on its way.
        let mut link = match self.link.take().filter(|link| !link.is_closed()) {
            Some(link) => link,
            None => Link::connect(&self.options).await?,
        };
        let rows = link.ask(sql, parameters).await;
        if !matches!(rows, Err(Unsettled::Cut(_) | Unsettled::TimedOut)) {
            self.link = Some(link);
        }
        rows.map_err(|why| LogError::Query { what, reason: why.to_string() })
    }
}
