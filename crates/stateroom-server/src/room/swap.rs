//! How a room goes on with new code, while its clients stay.

use super::{DrivenRoom, RoomFactory};
use crate::archive::{Code, OpenFailure, birth};
use std::{sync::Arc, time::Instant};

impl<F: RoomFactory> DrivenRoom<F> {
    /// Has the room go on with new code: with the state that the old code hands over, or anew. One that
    /// is kept may go on with the old code instead; it is in memory or saved, and nothing of it is on
    /// its way to the store.
    pub(super) fn swap(&mut self, factory: &Arc<F>, now: Instant) -> Result<(), OpenFailure> {
        let Self { room, keep, shared, id, .. } = self;
        let id = &**id;
        let code = match keep {
            None => None,
            Some(keep) => {
                let Ok(version) = factory.version() else { return Ok(()) };
                if version == keep.code.version {
                    return Ok(());
                }
                keep.in_memory(room, id)?;
                Some(Code { factory: factory.clone(), version })
            }
        };
        let Some(room) = room else { return Ok(()) };
        let starts_anew = keep.as_ref().is_none_or(|keep| keep.archive.starts_anew);
        let birth = birth(shared.clock, now);
        match room.take_over(&**factory, id, &birth) {
            Ok(()) => tracing::info!(room = id, "the new code goes on with the state of the old"),
            Err(reason) if starts_anew => {
                if let Err(error) = room.start_anew(&**factory, id, &birth) {
                    tracing::error!(room = id, %error, "the room goes on with the old code");
                    return Ok(());
                }
                tracing::info!(room = id, %reason, "the room starts anew with the new code");
            }
            Err(reason) => {
                tracing::warn!(room = id, %reason, "the room goes on with the code it began with");
                return Ok(());
            }
        }
        if let (Some(keep), Some(code)) = (keep, code) {
            keep.runs(code, room);
        }
        Ok(())
    }
}
