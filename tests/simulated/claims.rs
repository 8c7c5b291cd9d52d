//! What the tokens of clients say of them: the room is told before they come, and its service knows it then.

use super::{ledger::GRADE, misdeed::Misdeed, world::World};
use stateroom_room::Event;

impl World {
    /// Somebody comes with this token, or with none: the room is told what it says, and hears of them.
    pub(super) fn comes(
        &mut self,
        id: &'static str,
        token: Option<&str>,
        hear: impl FnOnce(&mut World),
    ) {
        let grade = token.map(|token| self.tell_claims(id, token));
        let before = self.greeted(id);
        hear(self);
        let after = self.greeted(id);
        if after.len() == before.len() + 1 {
            assert_eq!(after.last(), Some(&grade.flatten()), "it is told of {token:?}");
        }
    }

    /// The room is told what a token says at the moment. Returns that.
    fn tell_claims(&mut self, id: &'static str, token: &str) -> Option<String> {
        let grade = [None, Some(1), Some(2)][self.random.usize(..3)];
        let claims = grade.map_or_else(String::new, |grade| format!("{{\"{GRADE}\":{grade}}}"));
        if self.misdeed != Some(Misdeed::HidesClaims) {
            self.tell(id, |_| Some(Event::Claims { token, claims: &claims }));
        }
        grade.map(|grade: u8| grade.to_string())
    }

    /// What the service was told of each who has come.
    fn greeted(&mut self, id: &'static str) -> Vec<Option<String>> {
        if self.live(id).is_none_or(|live| live.kept.is_blocked()) {
            return Vec::new();
        }
        self.bring_in(id);
        let room = self.rooms.get_mut(id).and_then(|live| live.kept.room_mut());
        room.map(|room| room.service_mut().pages.grades.clone()).unwrap_or_default()
    }
}
