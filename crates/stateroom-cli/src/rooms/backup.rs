//! `stateroom rooms export --all`: a file for each room, in a folder of their own.

use super::{Place, transport};
use crate::{failure::Failure, short, terminal};
use anyhow::{Context, anyhow};
use bytesize::ByteSize;
use stateroom_store::{ExportedRoom, Reader};
use std::{collections::HashSet, fs, path::Path};

/// Each room is as it is when its turn comes. One that cannot be read keeps no other from being written.
pub(super) fn export_all(place: &Place, folder: &Path) -> anyhow::Result<()> {
    let mut reader = place.reader()?;
    make_empty(folder)?;
    let rooms = reader.list().context(Failure::Store)?;
    let (mut taken, mut bytes, mut damaged) = (HashSet::new(), 0_usize, 0_usize);
    for summary in rooms {
        let id = &*summary.room;
        match ExportedRoom::read(&mut reader, id) {
            Ok(Some(room)) => {
                let file = folder.join(free_name(&transport::file_name(id), &mut taken));
                bytes = bytes.saturating_add(transport::write(&room, &file)?);
            }
            // It has been forgotten since.
            Ok(None) => {}
            Err(error) => {
                terminal::complain("Damaged", format!("{}: {error}", short::name(id)));
                damaged += 1;
            }
        }
    }
    let (rooms, size) = (taken.len(), ByteSize(bytes as u64));
    terminal::say("Exported", format!("{rooms} rooms to {}, {size}", folder.display()));
    if damaged > 0 {
        return Err(anyhow!("{damaged} rooms are damaged, and not among those that were exported")
            .context(Failure::Store));
    }
    Ok(())
}

/// A new folder, so that no room of an earlier day is taken for one of these.
fn make_empty(folder: &Path) -> anyhow::Result<()> {
    let unusable = || format!("the folder {} cannot be used", folder.display());
    fs::create_dir_all(folder).with_context(unusable)?;
    if fs::read_dir(folder).with_context(unusable)?.next().is_some() {
        let problem = anyhow!("{} is not empty: name a new folder", folder.display());
        return Err(problem.context(Failure::Usage));
    }
    Ok(())
}

/// Two names may be the same file where capital letters are not told from small ones.
fn free_name(wanted: &str, taken: &mut HashSet<String>) -> String {
    let stem = wanted.strip_suffix(".room").unwrap_or(wanted);
    let numbered = (2_u64..).map(|number| format!("{stem}-{number}.room"));
    let mut names = std::iter::once(wanted.to_owned()).chain(numbered);
    let free = names.find(|name| taken.insert(name.to_lowercase()));
    free.unwrap_or_else(|| wanted.to_owned())
}

#[cfg(test)]
mod tests {
    use super::free_name;
    use std::collections::HashSet;

    #[test]
    fn no_room_takes_the_file_of_another() {
        let mut taken = HashSet::new();
        let names = ["a.room", "A.room", "a-2.room", "a.room"];
        let files = names.map(|name| free_name(name, &mut taken));
        assert_eq!(files, ["a.room", "A-2.room", "a-2-2.room", "a-3.room"]);
    }
}
