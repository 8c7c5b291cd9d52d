//! Carries out the command that was given.

use super::{Place, backup, change, list, show, transport};
use crate::{
    failure::Failure,
    room_options::{RoomsCommand, RoomsOptions},
};
use anyhow::anyhow;

pub(crate) fn rooms(options: &RoomsOptions) -> anyhow::Result<()> {
    let place = Place::find(&options.store)?;
    match &options.command {
        None => list::list(&place, options.json),
        Some(RoomsCommand::Show(show)) => show::show(&place, show, options.json || show.json),
        Some(_) if options.json => {
            Err(anyhow!("--json is for the list of rooms and for show").context(Failure::Usage))
        }
        Some(RoomsCommand::Delete { rooms }) => change::delete(&place, rooms),
        Some(RoomsCommand::Restart(restart)) => change::restart(&place, restart),
        Some(RoomsCommand::Export { all: Some(folder), .. }) => backup::export_all(&place, folder),
        Some(RoomsCommand::Export { room, file, all: None }) => {
            transport::export(&place, room.as_deref().unwrap_or_default(), file.as_deref())
        }
        Some(RoomsCommand::Import(import)) => transport::import(&place, import),
    }
}
