//! `stateroom rooms`: the list of them.

use super::Place;
use crate::{failure::Failure, short, terminal};
use anyhow::Context;
use bytesize::ByteSize;
use serde_json::json;
use stateroom_store::{Reader, RoomSummary};
use std::time::Duration;

const HEADINGS: [&str; COLUMNS] =
    ["ROOM", "CLIENTS", "EVENTS", "SNAPSHOT", "JOURNAL", "MODULE", "QUARANTINED", "NEXT TIMER"];
const COLUMNS: usize = 8;

/// How much of a module's hash tells it from others.
const HASH_DIGITS: usize = 8;

pub(super) fn list(place: &Place, as_json: bool) -> anyhow::Result<()> {
    if let Some(nothing) = place.nothing_yet() {
        terminal::say("Empty", nothing);
        return Ok(());
    }
    let rooms = place.reader()?.list().context(Failure::Store)?;
    let text = if as_json {
        rooms.iter().map(|room| for_programs(room) + "\n").collect()
    } else if rooms.is_empty() {
        terminal::say("Empty", format!("there are no rooms in {}", place.data_dir.display()));
        String::new()
    } else {
        let rows: Vec<[String; COLUMNS]> = std::iter::once(HEADINGS.map(str::to_owned))
            .chain(rooms.iter().map(for_people))
            .collect();
        table(&rows)
    };
    terminal::print(&text)?;
    Ok(())
}

fn for_people(room: &RoomSummary) -> [String; COLUMNS] {
    let name = short::name(&room.room);
    if room.damaged {
        // The rest may be wrong.
        let unknown = || "-".to_owned();
        let [clients, events, snapshot, journal, module, quarantined] = [(); 6].map(|()| unknown());
        let damaged = "damaged".to_owned();
        return [name, clients, events, snapshot, journal, module, quarantined, damaged];
    }
    let mut module = room.module.to_string();
    module.truncate(HASH_DIGITS);
    let timer = room.vitals.wake_at.map(|time| short::time(Duration::from_nanos(time)));
    [
        name,
        room.vitals.clients.to_string(),
        room.events.to_string(),
        ByteSize(room.snapshot_bytes).to_string(),
        ByteSize(room.journal_bytes).to_string(),
        module,
        room.quarantined.to_string(),
        timer.unwrap_or_else(|| "-".to_owned()),
    ]
}

fn for_programs(room: &RoomSummary) -> String {
    json!({
        "room": &*room.room,
        "damaged": room.damaged,
        "clients": room.vitals.clients,
        "events": room.events,
        "snapshot_bytes": room.snapshot_bytes,
        "journal_bytes": room.journal_bytes,
        "module": room.module.to_string(),
        "quarantined": room.quarantined,
        "next_timer": room.vitals.wake_at.map(|time| short::time(Duration::from_nanos(time))),
    })
    .to_string()
}

/// The rows, so that columns stand below each other.
fn table(rows: &[[String; COLUMNS]]) -> String {
    let mut widths = [0; COLUMNS];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &[String; COLUMNS]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}
