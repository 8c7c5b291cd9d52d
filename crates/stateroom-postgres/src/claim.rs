//! Claims parts: ends the connections of their owners, and tries until it is acknowledged.

use crate::{
    Epoch, LogError, Part, Unsettled,
    core::{Ended, Heard, InFlight, Place},
    link::{self, Parameters},
    options::{Options, random},
    spare_link::SpareLink,
    statements::Statements,
};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::{Instant, sleep};

/// How long it waits before it tries again, at first and at most.
const PAUSES: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(200)];

/// Tries to claim all of `parts`, and tells of which it is durable.
pub(crate) async fn claim(
    options: &Options,
    statements: &Statements,
    control: &mut SpareLink,
    parts: &[Part],
) -> Result<Ended<Place>, LogError> {
    let until = Instant::now() + options.claim_limit;
    let [mut pause, longest] = PAUSES;
    let mut left: BTreeMap<Part, Unsettled> =
        parts.iter().map(|part| (*part, Unsettled::NotInserted)).collect();
    let mut durable = BTreeMap::new();
    // One part that is held must not hold up the others for ever.
    let mut at_once = left.len();
    loop {
        let wanted: Vec<Part> = left.keys().copied().collect();
        for some in wanted.chunks(at_once.max(1)) {
            let ended = match try_once(options, statements, control, some).await {
                Ok(ended) => ended,
                // The database may be on its way back, or its standby to its place.
                Err(error) if Instant::now() < until => {
                    tracing::debug!("{error}");
                    continue;
                }
                Err(error) if durable.is_empty() => return Err(error),
                Err(_) => continue,
            };
            for (part, place) in ended.durable {
                left.remove(&part);
                durable.insert(part, place);
            }
            for (part, why) in ended.unsettled {
                if matches!(why, Unsettled::Failed(_)) {
                    at_once = some.len() / 2;
                }
                left.insert(part, why);
            }
        }
        if left.is_empty() || Instant::now() >= until {
            let (durable, unsettled) = (durable.into_iter().collect(), left.into_iter().collect());
            return Ok(Ended { durable, unsettled, is_usable: true });
        }
        // Not in step with somebody else who wants the same.
        let share = 64 + (random()? % 128) as u32;
        sleep(pause * share / 128).await;
        pause = (pause * 2).min(longest);
    }
}

async fn try_once(
    options: &Options,
    statements: &Statements,
    control: &mut SpareLink,
    parts: &[Part],
) -> Result<Ended<Place>, LogError> {
    let columns: Vec<i16> = parts.iter().map(|part| part.column()).collect();
    let owner = options.owner();
    // So that no statement of theirs holds it up. That they can write nothing any more does not rest on it.
    let end: Parameters<'_> = &[&columns, &owner];
    if let Err(error) =
        control.read("end the connections of owners", &statements.end_owners, end).await
    {
        tracing::debug!("{error}");
    }
    let bits = i64::from(random()? as u32);
    let parameters: Parameters<'_> = &[&columns, &bits, &owner];
    let mut in_flight = InFlight::new(parts.iter().copied());
    let mut ended = None;
    let is_usable = control
        .get()
        .await?
        .write(
            &statements.claim,
            parameters,
            |row| {
                let seq = link::column(row, 1)?;
                let epoch = Epoch::from_database(link::column(row, 2)?);
                Ok(Heard::Row(link::part(row, 0)?, Place { seq, epoch }))
            },
            |heard| ended = in_flight.hear(heard),
        )
        .await;
    if !is_usable {
        control.discard();
    }
    // The last thing that is heard ends it.
    ended.ok_or(LogError::Closed)
}
