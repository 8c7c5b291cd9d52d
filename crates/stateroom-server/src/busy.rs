//! What to do about an event that takes long: let another thread go on with the other rooms.

use std::{thread, time::Duration};
use tokio::runtime::{Handle, RuntimeFlavor};

/// How long the thread rests so that another can take its work over. It has been busy for longer
/// than that already.
const HAND_OVER: Duration = Duration::from_micros(500);

/// Called on a thread of the server, in the middle of an event that takes long: has a spare thread
/// take over whatever else the thread had to do, so that a busy room holds up no other.
///
/// Meant for the `on_busy` setting of the module host. May be called again and again during one
/// event; anywhere but on a thread of the server it does nothing.
pub fn lend_thread() {
    let flavor = Handle::try_current().map(|handle| handle.runtime_flavor());
    if matches!(flavor, Ok(RuntimeFlavor::MultiThread)) {
        // Entering `block_in_place` offers the thread's queue to another thread; on return this
        // one goes on with its event alone if the offer was taken, which the rest allows for.
        tokio::task::block_in_place(|| thread::sleep(HAND_OVER));
    }
}
