//! `stateroom rooms export` and `import`: a room on its way to another place.

use super::{Place, change};
use crate::{bring_back, failure::Failure, room_options::ImportOptions, short, terminal};
use anyhow::{Context, anyhow};
use bytesize::ByteSize;
use stateroom_store::{ExportedRoom, Quarantined, Store, Write};
use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    sync::Arc,
};

/// How much of an id is in the name of a file: with all that is added to it, a system takes 255 bytes.
const FILE_NAME_BYTES: usize = 200;

/// The longest id that a client can name a room by, in bytes.
const NAME_BYTES: usize = 128;

pub(super) fn export(place: &Place, id: &str, file: Option<&Path>) -> anyhow::Result<()> {
    let room = place.room(id)?;
    let file = file.map_or_else(|| PathBuf::from(file_name(id)), Path::to_owned);
    let bytes = write(&room, &file)?;
    let (events, size) = (room.stored.events(), ByteSize(bytes as u64));
    let name = short::name(id);
    terminal::say(
        "Exported",
        format!("{name} after {events} events to {}, {size}", file.display()),
    );
    Ok(())
}

/// Writes the file of a room, and tells how large it is.
pub(super) fn write(room: &ExportedRoom, file: &Path) -> anyhow::Result<usize> {
    let bytes = room.encode();
    // So that there is a whole one of that name at every moment.
    let mut unfinished = file.to_owned().into_os_string();
    unfinished.push(".unfinished");
    let written = fs::write(&unfinished, &bytes).and_then(|()| fs::rename(&unfinished, file));
    if let Err(error) = written {
        let _ = fs::remove_file(&unfinished);
        return Err(error).with_context(|| format!("{} cannot be written", file.display()));
    }
    Ok(bytes.len())
}

/// The name of the file for a room, another one for each id: what is not plain in it is written like `%2F`.
pub(super) fn file_name(id: &str) -> String {
    let mut name = String::new();
    for c in id.chars() {
        // One that begins with a dot would be hidden.
        let is_plain = c.is_alphanumeric() || "-_~".contains(c) || (c == '.' && !name.is_empty());
        match is_plain {
            true => name.push(c),
            false => {
                c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| name += &format!("%{byte:02X}"))
            }
        }
    }
    if name.len() > FILE_NAME_BYTES {
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        name.truncate(name.floor_char_boundary(FILE_NAME_BYTES));
        // No other name has this sign twice.
        name += &format!("%%{:016x}", hasher.finish());
    }
    name + ".room"
}

/// Reads a file that `export` made.
pub(crate) fn read_file(file: &Path) -> anyhow::Result<ExportedRoom> {
    let bytes = fs::read(file)
        .with_context(|| format!("{} cannot be read", file.display()))
        .context(Failure::Usage)?;
    ExportedRoom::decode(&bytes)
        .with_context(|| format!("in {}", file.display()))
        .context(Failure::RoomFile)
}

/// The room is brought back, to be sure that it can be, and kept as it is then: its journal would not
/// do the same under another id.
pub(super) fn import(place: &Place, options: &ImportOptions) -> anyhow::Result<()> {
    let exported = read_file(&options.file)?;
    let id = options.name.as_deref().unwrap_or(&exported.room);
    if !(1..=NAME_BYTES).contains(&id.len()) {
        let problem = anyhow!("the id of a room has 1 to {NAME_BYTES} bytes, not {}", id.len());
        return Err(problem.context(Failure::Usage));
    }
    let factory = bring_back::load(&exported, &place.config, &options.limits)?;
    let mut room = bring_back::bring_back(&exported, &factory)?;
    if room.events() == 0 && *id != *exported.room {
        // It would be started again under the other id, where it is to be the same.
        room.start_anew(&factory, id, &bring_back::birth(&factory)?)
            .map_err(|failure| anyhow!("the room cannot start: {failure}"))?;
    }
    let hash = exported.stored.snapshot.module;
    let name: Arc<str> = id.into();

    let mut store = place.store()?;
    let known = store.reader().and_then(|mut reader| reader.summary(id));
    let mut writes = Vec::new();
    if known.context(Failure::Store)?.is_some() {
        if !options.replace {
            let (id, folder) = (short::name(id), place.data_dir.display());
            return Err(anyhow!(
                "there is a room {id} in {folder} already: give the new one another id with --as, or \
                 have that one forgotten with --replace"
            )
            .context(Failure::Usage));
        }
        writes.push(Write::Delete { room: name.clone() });
    }
    let events = room.events();
    writes.push(Write::Module { hash, bytes: exported.module });
    writes.push(change::snapshot(&mut room, id, hash)?);
    let set_aside = |Quarantined { at, time, reason, event }| {
        let room = name.clone();
        Write::Quarantine { room, at, time, reason, event }
    };
    writes.extend(exported.quarantined.into_iter().map(set_aside));
    store.commit(&writes).context(Failure::Store)?;
    let (id, folder) = (short::name(id), place.data_dir.display());
    terminal::say("Imported", format!("{id} after {events} events into {folder}"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn every_room_can_be_a_file_of_its_own() {
        for (id, name) in [
            ("lobby-1.a", "lobby-1.a.room"),
            ("Zoë_2", "Zoë_2.room"),
            ("lobby~1", "lobby~1.room"),
            ("a_b", "a_b.room"),
            ("a/b", "a%2Fb.room"),
            ("a%2Fb", "a%252Fb.room"),
            ("../a b", "%2E.%2Fa%20b.room"),
            ("☕", "%E2%98%95.room"),
        ] {
            assert_eq!(file_name(id), name);
        }
        let long = ["/", "?", "é"].map(|text| text.repeat(128 / text.len()));
        for id in &long {
            assert!(file_name(id).len() + ".unfinished".len() < 256, "{}", file_name(id));
        }
        let like = format!("{}?", "/".repeat(127));
        assert_ne!(file_name(&long[0]), file_name(&like));
    }
}
