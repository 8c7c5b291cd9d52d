//! `stateroom rooms show`: all that is known of one room.

use super::Place;
use crate::{
    bring_back::{self, ServiceState},
    failure::Failure,
    room_options::ShowOptions,
    short, terminal,
};
use anyhow::Context;
use bytesize::ByteSize;
use serde_json::{Value, json};
use stateroom::ClientId;
use stateroom_room::{Glance, Record};
use stateroom_store::{ExportedRoom, Quarantined, StoredRecords};
use std::{fmt::Write, time::Duration};

/// Where a value begins, after what it is.
const INDENT: usize = 13;

pub(super) fn show(place: &Place, options: &ShowOptions, as_json: bool) -> anyhow::Result<()> {
    let room = place.room(&options.room)?;
    let seen = Seen::of(&room)?;
    let state = if options.state {
        let factory = bring_back::load(&room, &place.config, &options.limits)?;
        let mut alive = bring_back::bring_back(&room, &factory)?;
        Some(bring_back::service_state(&mut alive)?)
    } else {
        None
    };
    let text = match as_json {
        true => for_programs(&room, &seen, state)?,
        false => for_people(&room, &seen, state)?,
    };
    terminal::print(&text)?;
    Ok(())
}

/// What state and journal tell together.
struct Seen {
    glance: Glance,
    members: Vec<(ClientId, bool)>,
    journal_events: u64,
    journal_bytes: u64,
}

impl Seen {
    fn of(room: &ExportedRoom) -> anyhow::Result<Seen> {
        let (snapshot, tail) = (&room.stored.snapshot, &room.stored.tail);
        let unreadable = || format!("the room {} cannot be read", short::name(&room.room));
        let mut glance = Glance::of(snapshot.at, &snapshot.state)
            .with_context(unreadable)
            .context(Failure::Store)?;
        for StoredRecords { follows, records, .. } in tail {
            let heard = glance.hear(*follows, records);
            heard.with_context(unreadable).context(Failure::Store)?;
        }
        Ok(Seen {
            members: glance.members().collect(),
            journal_events: room.stored.events().saturating_sub(snapshot.at),
            journal_bytes: tail.iter().map(|part| part.records.len() as u64).sum(),
            glance,
        })
    }
}

fn for_people(
    room: &ExportedRoom,
    seen: &Seen,
    state: Option<Option<ServiceState>>,
) -> anyhow::Result<String> {
    let snapshot = &room.stored.snapshot;
    let clients = |with_token| {
        let clients = seen.members.iter().filter(|(_, token)| *token == with_token);
        let clients: Vec<_> = clients.map(|(client, _)| client.to_string()).collect();
        if clients.is_empty() { "none".to_owned() } else { clients.join(", ") }
    };
    let timer = room.stored.vitals.wake_at.map(|time| short::time(Duration::from_nanos(time)));
    let mut text = String::new();
    let mut line = |what: &str, value: &str| writeln!(text, "{what:INDENT$}{value}");
    line("room", &short::name(&room.room))?;
    line("clients", &seen.members.len().to_string())?;
    line("  no token", &clients(false))?;
    line("  token", &clients(true))?;
    line("events", &seen.glance.events().to_string())?;
    line("last event", &short::timestamp(seen.glance.time()))?;
    line("next timer", timer.as_deref().unwrap_or("none"))?;
    let bytes = ByteSize(snapshot.state.len() as u64);
    line("snapshot", &format!("{bytes}, after {} events", snapshot.at))?;
    let bytes = ByteSize(seen.journal_bytes);
    line("journal", &format!("{bytes}, {} events since then", seen.journal_events))?;
    line("module", &snapshot.module.to_string())?;
    line("quarantined", &room.quarantined.len().to_string())?;
    for quarantined in &room.quarantined {
        let Quarantined { at, time, reason, event } = quarantined;
        let time = short::time(Duration::from_nanos(*time));
        writeln!(text, "\n  after {at} events, {time}")?;
        let what = match Record::read(event) {
            Ok((record, _)) => short::event(record.event),
            Err(error) => error.to_string(),
        };
        writeln!(text, "    {what}\n    {}", short::lines(reason, "    "))?;
    }
    match state {
        None => {}
        Some(None) => writeln!(text, "\nits service has not opted in to telling its state")?,
        Some(Some(ServiceState { state, timers })) => {
            let mut title = "\ntimers\n";
            for (name, due) in timers.iter() {
                let name = if name.is_empty() { "set_timer" } else { name };
                writeln!(text, "{title}  {}  {name}", short::time(due))?;
                title = "";
            }
            writeln!(text, "\nstate\n{state:#}")?;
        }
    }
    Ok(text)
}

fn for_programs(
    room: &ExportedRoom,
    seen: &Seen,
    state: Option<Option<ServiceState>>,
) -> anyhow::Result<String> {
    let snapshot = &room.stored.snapshot;
    let member = |(client, token): &(ClientId, bool)| json!({ "client": client.0, "token": token });
    let set_aside = |quarantined: &Quarantined| {
        let Quarantined { at, time, reason, event } = quarantined;
        let event = Record::read(event).ok().map(|(record, _)| record.event);
        json!({
            "at": at,
            "time": short::time(Duration::from_nanos(*time)),
            "reason": reason,
            "what": event.map(|event| stateroom_room::describe(event).to_string()),
            "payload": event.and_then(short::payload_json),
        })
    };
    let wake_at = room.stored.vitals.wake_at;
    let mut object = json!({
        "room": &*room.room,
        "members": seen.members.iter().map(member).collect::<Vec<_>>(),
        "events": seen.glance.events(),
        "last_event": short::timestamp(seen.glance.time()),
        "next_timer": wake_at.map(|time| short::time(Duration::from_nanos(time))),
        "snapshot": { "at": snapshot.at, "bytes": snapshot.state.len() },
        "journal": { "events": seen.journal_events, "bytes": seen.journal_bytes },
        "module": snapshot.module.to_string(),
        "quarantined": room.quarantined.iter().map(set_aside).collect::<Vec<_>>(),
    });
    if let (Some(state), Some(object)) = (state, object.as_object_mut()) {
        let told = state.map(|ServiceState { state, timers }| {
            let due = |(name, due): (&str, Duration)| (name.to_owned(), json!(short::time(due)));
            (state, Value::Object(timers.iter().map(due).collect()))
        });
        let (state, timers) = told.unwrap_or_default();
        object.insert("state".to_owned(), state);
        object.insert("timers".to_owned(), timers);
    }
    Ok(object.to_string() + "\n")
}
