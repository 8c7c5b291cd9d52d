//! How a room goes on with new code, while its clients stay.

use super::{core::Core, driven::DrivenRoom};
use crate::{
    factory::RoomFactory,
    kept::{
        archive::{OpenFailure, birth},
        code::Code,
    },
    sometimes::ClientLines,
};
use stateroom::RestoreFailure;
use stateroom_room::TakeOverFailure;
use std::{sync::Arc, time::Instant};

impl<F: RoomFactory> DrivenRoom<F> {
    /// Has the room go on with new code: with the state that the old code hands over, or anew. One that
    /// is kept may go on with the old code instead; it is in memory or saved, and nothing of it is on
    /// its way to the store.
    pub(super) fn swap(&mut self, factory: &Arc<F>, now: Instant) -> Result<(), OpenFailure> {
        let id = &*self.id;
        let birth = birth(self.shared.clock, now, factory.limits());
        match &mut self.core {
            Core::Ephemeral(room) => {
                let taken = room.take_over(&**factory, id, &birth);
                let start = || match room.start_anew(&**factory, id, &birth) {
                    Ok(()) => Ok(None),
                    Err(error) => Err(error.to_string()),
                };
                go_on(id, &self.shared.client_lines, taken, Some(start));
            }
            Core::Kept(kept) => {
                let Ok(version) = factory.version() else { return Ok(()) };
                if version == kept.code.version {
                    return Ok(());
                }
                kept.bring_in(id)?;
                if !kept.room.is_quiet() {
                    return Ok(());
                }
                let starts_anew = kept.archive.starts_anew;
                let taken = kept.room.take_over(&**factory, id, &birth);
                let start = || {
                    let beside = kept.keep_beside(id).unwrap_or_else(|error| {
                        let error = format!("what it was can't be kept beside: {error}");
                        self.shared.client_lines.room_not_kept(id, &error);
                        None
                    });
                    let started = kept.room.start_anew(&**factory, id, &birth);
                    started.map(|()| beside).map_err(|error| error.to_string())
                };
                let lines = &self.shared.client_lines;
                if go_on(id, lines, taken, starts_anew.then_some(start)) {
                    // What failed may be what was mended.
                    self.offenders = None;
                    kept.code = Code { factory: factory.clone(), version };
                }
            }
        }
        Ok(())
    }
}

/// Has a room start anew that could not be taken over, where it may, and tells whether it runs the new
/// code. `start_anew` tells the name that what it was is kept by.
fn go_on(
    id: &str,
    lines: &ClientLines,
    taken: Result<(), TakeOverFailure>,
    start_anew: Option<impl FnOnce() -> Result<Option<Arc<str>>, String>>,
) -> bool {
    let Err(reason) = taken else {
        tracing::info!(room = id, "the new code goes on with the state of the old");
        return true;
    };
    let reason = why(&reason);
    match start_anew.map(|start_anew| start_anew()) {
        None => lines.goes_on_with_old_code(id, &reason),
        Some(Ok(beside)) => {
            let kept = beside.map(|name| format!("; what it was is kept as the room {name}"));
            let kept = kept.unwrap_or_default();
            tracing::warn!(room = id, %reason, "the room starts anew with the new code{kept}");
            return true;
        }
        Some(Err(error)) => {
            lines.goes_on_with_old_code(id, &format!("{reason}; and anew: {error}"));
        }
    }
    false
}

/// Why new code could not take a room over: what a service says of that says it all.
fn why(failure: &TakeOverFailure) -> String {
    match failure {
        TakeOverFailure::TakeOver(RestoreFailure::Failed(failure)) => failure.detail.clone(),
        other => other.to_string(),
    }
}
