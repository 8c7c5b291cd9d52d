//! Brings the checkpoint forward by one transaction.

use super::{
    apply::{self, Applied},
    database,
    round::{Fetched, Reference},
    run::Checkpoint,
};
use crate::{
    StoreError,
    faults::{Deliberate, is_on},
    recovery::chain::Mark,
};
use std::sync::atomic::Ordering::Relaxed;

/// One transaction takes rooms until it has so many bytes of them.
const BYTES_AT_ONCE: usize = 1 << 20;

impl Checkpoint {
    /// Applies some rooms of the round, or ends it.
    pub(super) fn apply(&mut self) -> Result<(), StoreError> {
        let Some(round) = &mut self.round else { return Ok(()) };
        let shared = &self.shared;
        let mut count = 0;
        let mut bytes = 0;
        for (_, references) in round.rooms.iter().rev().take(shared.options.rooms_at_once) {
            if bytes > BYTES_AT_ONCE {
                break;
            }
            bytes += references.iter().map(Reference::body_bytes).sum::<usize>();
            count += 1;
        }
        let rest = round.rooms.len() - count;
        let batch = round.rooms.get(rest..).unwrap_or_default();
        let is_last = rest == 0;
        let modules = if is_last { round.fetch(&round.modules)? } else { Vec::new() };
        let fetched = batch.iter().map(|(room, references)| Ok((room, round.fetch(references)?)));
        let fetched = fetched.collect::<Result<Vec<_>, StoreError>>()?;
        let mark = Mark { id: shared.id, applied: round.target, check: round.check };
        let mut large = Vec::new();
        let begins = !round.has_begun;
        let done = self.database.transaction(&*shared.files, |connection| {
            if begins {
                database::set_reach(connection, round.target)?;
                if is_on(Deliberate::AppliedAhead) {
                    database::set_mark(connection, &mark)?;
                }
            }
            for (room, changes) in &fetched {
                if is_on(Deliberate::AppliedWithoutEffects) && room.len() % 2 == 0 {
                    continue;
                }
                let changes: Vec<Applied<'_>> =
                    changes.iter().filter_map(Fetched::applied).collect();
                apply::apply_room(connection, room, &changes, round.target, &mut large)?;
            }
            if is_last {
                for change in modules.iter().filter_map(Fetched::applied) {
                    apply::apply_module(connection, &change, &mut large)?;
                }
                apply::drop_unused_modules(connection, &mut large)?;
                apply::purge(connection, round.target)?;
                if !is_on(Deliberate::AppliedAfterRemoval) {
                    database::set_mark(connection, &mark)?;
                }
            }
            Ok(())
        });
        if let Err(error) = done {
            if is_on(Deliberate::RemoveBeforeCheckpointFlush) && is_last {
                shared.applied.fetch_max(round.target, Relaxed);
                while self.spare.step(shared) {}
            }
            return Err(self.changed_not(&error));
        }
        round.has_begun = true;
        round.large.extend(large);
        let batch = round.rooms.split_off(rest);
        let target = round.target;
        {
            let mut state = shared.lock();
            for (room, _) in &batch {
                state.index.forget(room, target);
            }
            if is_last {
                state.index.forget_modules(target);
            }
        }
        if is_last {
            shared.applied.fetch_max(target, Relaxed);
            self.spare.add_large(std::mem::take(&mut round.large));
            self.round = None;
            if is_on(Deliberate::AppliedAfterRemoval) {
                while self.spare.step(shared) {}
                let set = |connection: &rusqlite::Connection| database::set_mark(connection, &mark);
                let set = self.database.transaction(&*shared.files, set);
                set.map_err(|error| self.changed_not(&error))?;
            }
        }
        Ok(())
    }
}
