//! `stateroom rooms delete` and `restart`: for rooms that are to begin anew.

use super::Place;
use crate::{bring_back, failure::Failure, room_options::RestartOptions, short, terminal};
use anyhow::{Context, anyhow};
use stateroom_room::Room;
use stateroom_store::{ExportedRoom, ModuleHash, Store, Write};
use stateroom_wasm_host::WasmHost;
use std::sync::Arc;

/// All or, if one of them is not there, none.
pub(super) fn delete(place: &Place, rooms: &[String]) -> anyhow::Result<()> {
    // A store is not made only to find nothing in it.
    place.reader()?;
    let mut store = place.store()?;
    let mut reader = store.reader().context(Failure::Store)?;
    for room in rooms {
        if reader.summary(room).context(Failure::Store)?.is_none() {
            return Err(place.no_such_room(room));
        }
    }
    let writes: Vec<Write> =
        rooms.iter().map(|room| Write::Delete { room: room.as_str().into() }).collect();
    store.commit(&writes).context(Failure::Store)?;
    for room in rooms {
        terminal::say("Deleted", short::name(room));
    }
    Ok(())
}

pub(super) fn restart(place: &Place, options: &RestartOptions) -> anyhow::Result<()> {
    place.reader()?;
    let mut store = place.store()?;
    let mut reader = store.reader().context(Failure::Store)?;
    let id = &*options.room;
    let exported = ExportedRoom::read(&mut *reader, id).context(Failure::Store)?;
    let exported = exported.ok_or_else(|| place.no_such_room(id))?;
    let factory = bring_back::load(&exported, &place.config, &options.limits)?;
    let mut room = bring_back::bring_back(&exported, &factory)
        .map_err(|error| error.context("to forget it altogether, delete it"))?;
    room.start_anew(&factory, id, &bring_back::birth(&factory)?)
        .map_err(|failure| anyhow!("the room {} cannot start: {failure}", short::name(id)))?;
    let snapshot = snapshot(&mut room, id, exported.stored.snapshot.module)?;
    store.commit(&[snapshot]).context(Failure::Store)?;
    terminal::say("Restarted", short::name(id));
    Ok(())
}

/// What has a room kept as it is now.
pub(super) fn snapshot(
    room: &mut Room<WasmHost>,
    id: &str,
    module: ModuleHash,
) -> anyhow::Result<Write> {
    let not_saved = || format!("the room {} cannot be saved", short::name(id));
    let vitals = bring_back::vitals(room);
    let state = room.state().with_context(not_saved)?;
    let at = state.at;
    let state = state.encode().with_context(not_saved)?;
    Ok(Write::Snapshot { room: Arc::from(id), at, module, state, vitals })
}
