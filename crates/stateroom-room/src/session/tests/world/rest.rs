//! How the small world must be where nothing more happens.

use super::state::World;
use crate::session::{client::Status, tests::service::Name};

impl World {
    /// Whether all is well where nothing more happens.
    pub(in super::super) fn rest(&self) -> Result<(), String> {
        for (user, it) in self.users.iter().enumerate() {
            let room = &self.disk.room;
            let name: Name = (user, it.keys);
            let client = room.names.get(&name);
            if it.client.status() == Status::Closed {
                continue;
            }
            if it.client.status() != Status::Live {
                return Err(format!("client {user} stays {:?}", it.client.status()));
            }
            if it.client.settled() != it.client.sent() {
                return Err(format!("what client {user} has said is never durable"));
            }
            let said = client.and_then(|client| room.streams.get(client)).map_or(0, Vec::len);
            let have = it.client.received_count();
            if have != said as u64 {
                return Err(format!("client {user} has got {have} of {said} messages"));
            }
            let is_there = client.is_some_and(|client| room.members.contains_key(client));
            if !is_there {
                return Err(format!("client {user} is not in the room"));
            }
        }
        if self.went_back {
            return Ok(());
        }
        for (user, it) in self.users.iter().enumerate() {
            for text in &it.session {
                let is_heard = self.disk.room.log.contains(&(user, text.clone()));
                if !is_heard && !it.unsettled.contains(text) {
                    return Err(format!("{text} of client {user} was never heard"));
                }
            }
        }
        Ok(())
    }
}
