//! Rows of `quarantine`, with their checksums.

use crate::{
    Quarantined,
    log::{entry::Place, layout::crc},
};
use rusqlite::Connection;

/// The checksum of an event that was set aside.
pub(crate) fn check(number: i64, event: &Quarantined) -> u32 {
    let mut check = crc(0, &number.to_le_bytes());
    for number in [event.at, event.time, event.reason.len() as u64] {
        check = crc(check, &number.to_le_bytes());
    }
    crc(crc(check, event.reason.as_bytes()), &event.event)
}

/// The events of the room of that number that were set aside, and whether each is as it was written.
pub(crate) fn read(
    connection: &Connection,
    number: i64,
) -> rusqlite::Result<Vec<(Place, Quarantined, bool)>> {
    let sql = "SELECT position, place, at, time, reason, event, check_row FROM quarantine \
               WHERE number = ?1 ORDER BY position, place";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([number], |row| {
        let place = Place {
            position: row.get::<_, i64>(0)?.cast_unsigned(),
            at: u32::try_from(row.get::<_, i64>(1)?).unwrap_or(u32::MAX),
        };
        let reason = row.get_ref(4)?.as_bytes().unwrap_or_default();
        let event = Quarantined {
            at: row.get::<_, i64>(2)?.cast_unsigned(),
            time: row.get::<_, i64>(3)?.cast_unsigned(),
            reason: String::from_utf8_lossy(reason).into_owned(),
            event: row.get(5)?,
        };
        let is_intact = row.get::<_, i64>(6)? == i64::from(check(number, &event));
        Ok((place, event, is_intact))
    })?;
    rows.collect()
}
