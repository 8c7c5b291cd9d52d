//! Looks in how many places the database keeps what is durable.

use crate::{LogError, link, link::Link, options::Options, spare_link::SpareLink};
use std::sync::Arc;
use tokio::{sync::watch, time::sleep};

/// In how many places what is durable is, as far as the database tells. Managed databases may keep more copies than
/// they show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Copies {
    /// A commit waits for a standby, and this many are there that it may wait for.
    Standbys(u64),
    /// A commit would wait for a standby, but none is there: nothing can be written until one is.
    WaitsForStandby,
    /// A commit waits for nobody: the loss of the database's disk loses it.
    Alone,
    /// The database may not tell us. `grant pg_read_all_stats` to the user lets it.
    NotTold,
    /// The database could not be asked.
    NotSeen,
}

pub(crate) async fn look(link: &mut Link) -> Result<Copies, LogError> {
    const WHAT: &str = "look for standbys";
    // Whoever may not see a row's columns sees them empty.
    let standbys = "select current_setting('synchronous_standby_names'), count(*),
        count(*) filter (where sync_state in ('sync', 'quorum') and state = 'streaming'),
        count(*) filter (where state is null) from pg_stat_replication";
    let rows = link.read(WHAT, standbys, &[]).await?;
    let failed = |why: crate::Unsettled| LogError::Query { what: WHAT, reason: why.to_string() };
    let Some(row) = rows.first() else { return Ok(Copies::NotTold) };
    let names: String = link::column(row, 0).map_err(failed)?;
    let [_, waited_for, hidden] =
        [1, 2, 3].map(|place| link::column::<i64>(row, place).unwrap_or(0));
    Ok(match (names.trim().is_empty(), waited_for, hidden) {
        (true, ..) => Copies::Alone,
        (false, 0, 0) => Copies::WaitsForStandby,
        (false, 0, _) => Copies::NotTold,
        (false, standbys, _) => Copies::Standbys(u64::try_from(standbys).unwrap_or(0)),
    })
}

/// Looks again and again, until nobody wants to know.
pub(crate) async fn keep_looking(options: Arc<Options>, seen: watch::Sender<Copies>) {
    let mut link = SpareLink::new(options.clone());
    while !seen.is_closed() {
        sleep(options.look_interval).await;
        let found = match link.get().await {
            Ok(open) => look(open).await,
            Err(error) => Err(error),
        };
        let found = found.unwrap_or_else(|error| {
            tracing::debug!("{error}");
            link.discard();
            Copies::NotSeen
        });
        seen.send_if_modified(|before| {
            let is_new = *before != found;
            if is_new {
                tracing::info!("of what the database keeps there is: {found:?}");
                *before = found;
            }
            is_new
        });
    }
}
