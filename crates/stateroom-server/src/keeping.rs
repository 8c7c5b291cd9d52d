//! How a server is told to keep its rooms.

use crate::factory::RoomFactory;
use stateroom_store::{Durability, Store};
use std::sync::Arc;

/// What a room's clients may rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Survives {
    /// A room's state is kept when the room hibernates and when the server is stopped. What has
    /// happened since is lost when the process ends in another way.
    Nothing,
    /// Whatever a client has seen survives the end of the process, in whatever way it ends.
    Crash,
    /// Whatever a client has seen survives power loss too, on a disk that honours a flush.
    PowerLoss,
}

impl Survives {
    /// What the store must be opened for.
    #[must_use]
    pub fn durability(self) -> Durability {
        match self {
            Survives::Nothing | Survives::Crash => Durability::Buffered,
            Survives::PowerLoss => Durability::Synced,
        }
    }
}

/// Makes the factory of code that was kept: of its bytes, or says why not.
pub type LoadCode<F> = Arc<dyn Fn(&[u8]) -> Result<F, String> + Send + Sync>;

/// Where and how a server keeps its rooms, see [`Server::bind_keeping`](crate::Server::bind_keeping).
pub struct Keeping<F: RoomFactory> {
    /// Where.
    pub store: Box<dyn Store>,
    /// How much of a room survives what.
    pub survives: Survives,
    /// For rooms that go on with code from before.
    pub load_code: LoadCode<F>,
    /// What becomes of a room when there is new code that does not take over the state of the old:
    /// with `true` it starts anew, as is wanted while one writes the code, and what it was is kept beside
    /// it, as a room `ID~1`, `ID~2` and so on; with `false` it goes on with the old code.
    pub starts_anew: bool,
}
