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
        let link = self.take().await?;
        Ok(self.link.insert(link))
    }

    /// The one that is there, if it is not gone, or another.
    async fn take(&mut self) -> Result<Link, LogError> {
        match self.link.take().filter(|link| !link.is_closed()) {
            Some(link) => Ok(link),
            None => Link::connect(&self.options, self.options.lock_timeout).await,
        }
    }

    /// Has the next one be made anew.
    pub(crate) fn discard(&mut self) {
        self.link = None;
    }

    /// Runs a statement that can be run twice: if the connection was there before and is found to be gone, on another one.
    pub(crate) async fn read(
        &mut self,
        what: &'static str,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, LogError> {
        let was_there = self.link.is_some();
        let mut rows = self.ask(sql, parameters).await?;
        if was_there && matches!(rows, Err(Unsettled::Cut(_))) {
            rows = self.ask(sql, parameters).await?;
        }
        rows.map_err(|why| LogError::Query { what, reason: why.to_string() })
    }

    async fn ask(
        &mut self,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<Result<Vec<Row>, Unsettled>, LogError> {
        // It is put back only once it has answered: a future that is dropped takes the connection with it.
        let mut link = self.take().await?;
        let rows = link.ask(sql, parameters).await;
        if !matches!(rows, Err(Unsettled::Cut(_) | Unsettled::TimedOut)) {
            self.link = Some(link);
        }
        Ok(rows)
    }
}
