//! What is read of many rooms.

use super::{Result, View};
use crate::{
    ModuleHash, RoomCount, RoomSummary, Vitals,
    checkpoint::row::{self, RoomRow},
    log::compose::Known,
};
use std::{collections::HashMap, sync::Arc};

impl View<'_> {
    /// All rooms, of which `known` is what the log has, ordered by their names.
    pub(crate) fn list(&self, known: &HashMap<Arc<str>, Known>) -> Result<Vec<RoomSummary>> {
        let mut names: Vec<Arc<str>> = known.keys().cloned().collect();
        if let Some(connection) = self.connection {
            RoomRow::each(connection, "", None, |row| {
                if !known.contains_key(&row.room) {
                    names.push(row.room);
                }
                true
            })?;
        }
        names.sort_unstable();
        let mut list = Vec::with_capacity(names.len());
        for name in names {
            list.extend(self.summary(&name, known.get(&name).copied())?);
        }
        Ok(list)
    }

    /// How many rooms there are, and how many have other code. Reads no room.
    pub(crate) fn count(
        &self,
        known: &HashMap<Arc<str>, Known>,
        code: Option<&ModuleHash>,
    ) -> Result<RoomCount> {
        let mut count = RoomCount { rooms: 0, with_other_code: 0 };
        let mut add = |rooms: u64, module: Option<ModuleHash>| {
            count.rooms += rooms;
            if code.is_some_and(|code| module != Some(*code)) {
                count.with_other_code += rooms;
            }
        };
        // Those of which their row has to tell it.
        let mut untold = 0_u64;
        for known in known.values().filter(|known| known.after.is_some()) {
            match known.module {
                Some(module) => add(1, Some(module)),
                None => untold += 1,
            }
        }
        if let Some(connection) = self.connection {
            row::each_module(connection, |room, module| match known.get(room) {
                None => add(1, module),
                Some(Known { after: Some(_), module: None, .. }) => {
                    untold = untold.saturating_sub(1);
                    add(1, module);
                }
                Some(_) => {}
            })?;
        }
        // Damaged: their rows are missing.
        add(untold, None);
        Ok(count)
    }

    /// The rooms that need attention.
    pub(crate) fn needing_attention(
        &self,
        known: &HashMap<Arc<str>, Known>,
    ) -> Result<Vec<(Arc<str>, Vitals)>> {
        let of_log =
            known.iter().filter_map(|(room, known)| Some((room.clone(), known.after?.vitals)));
        let mut rooms: Vec<(Arc<str>, Vitals)> =
            of_log.filter(|(_, vitals)| vitals.need_attention()).collect();
        if let Some(connection) = self.connection {
            let condition = "AND (wake_at IS NOT NULL OR clients > 0)";
            RoomRow::each(connection, condition, None, |row| {
                if !known.contains_key(&row.room) {
                    rooms.push((row.room, row.vitals));
                }
                true
            })?;
        }
        Ok(rooms)
    }

    /// Rooms that nothing has happened in since `before`.
    pub(crate) fn forgettable(
        &self,
        known: &HashMap<Arc<str>, Known>,
        before: u64,
        most: usize,
    ) -> Result<Vec<Arc<str>>> {
        let is_quiet = |vitals: &Vitals| !vitals.need_attention() && vitals.heard_at < before;
        let of_log = known
            .iter()
            .filter(|(_, known)| known.after.is_some_and(|after| is_quiet(&after.vitals)));
        let mut rooms: Vec<Arc<str>> = of_log.map(|(room, _)| room.clone()).take(most).collect();
        if let Some(connection) = self.connection
            && rooms.len() < most
        {
            let condition =
                "AND wake_at IS NULL AND clients = 0 AND heard_at < ?1 ORDER BY heard_at";
            let bound = i64::try_from(before).unwrap_or(i64::MAX);
            RoomRow::each(connection, condition, Some(bound), |row| {
                if !known.contains_key(&row.room) {
                    rooms.push(row.room);
                }
                rooms.len() < most
            })?;
        }
        Ok(rooms)
    }
}
