//! How a kept room goes on with new code.

use super::kept_room::KeptRoom;
use crate::{failure::StartFailure, new_code::TakeOverFailure, outbox::RoomContext};
use stateroom::{Birth, StateroomService, StateroomServiceFactory};

impl<S: StateroomService> KeptRoom<S> {
    /// Goes on with the code of `factory`, which takes the state over. To be called when the room [is
    /// quiet](Self::is_quiet) and in memory.
    ///
    /// # Errors
    /// When the two don't agree on the state, or the room is not quiet; the old code goes on then.
    pub fn take_over<F>(
        &mut self,
        factory: &F,
        id: &str,
        birth: &Birth,
    ) -> Result<(), TakeOverFailure>
    where
        F: StateroomServiceFactory<RoomContext, Service = S>,
    {
        if !self.is_quiet() {
            // The state of the new code would come before events that only the old one has heard.
            return Err(TakeOverFailure::NotNow);
        }
        let birth = self.own_birth(birth);
        let Some(room) = &mut self.room else { return Ok(()) };
        room.take_over(factory, id, &birth)?;
        self.runs_other_code();
        Ok(())
    }

    /// Goes on with a new service of `factory` in the place of the old one. To be called when the room [is
    /// quiet](Self::is_quiet) and in memory.
    ///
    /// # Errors
    /// When the new one cannot be started; the old one goes on then.
    pub fn start_anew<F>(
        &mut self,
        factory: &F,
        id: &str,
        birth: &Birth,
    ) -> Result<(), StartFailure<F::Error>>
    where
        F: StateroomServiceFactory<RoomContext, Service = S>,
    {
        let birth = self.own_birth(birth);
        let Some(room) = &mut self.room else { return Ok(()) };
        room.start_anew(factory, id, &birth)?;
        // It is as if nobody had been here.
        room.was_spoken_in = false;
        self.runs_other_code();
        Ok(())
    }

    fn own_birth(&self, birth: &Birth) -> Birth {
        Birth { time: birth.time.saturating_add(self.ahead), ..*birth }
    }

    fn runs_other_code(&mut self) {
        // With new code a timer that failed is tried at once.
        (self.saved, self.retry) = (None, None);
        if self.records_events {
            self.first = self.room.as_mut().and_then(|room| room.state());
            if self.first.is_some() {
                // What the new code has said in sessions waits for that state, as after an event.
                self.durable = self.events().saturating_sub(1);
            }
        }
    }
}
