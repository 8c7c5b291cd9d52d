//! How many rooms are awake at once, even when all of them are being talked in.

use crate::support::{Client, within};
use stateroom::{
    ClientId, Sleep, StateroomContext as _, StateroomService, StateroomServiceFactory,
};
use stateroom_room::RoomContext;
use stateroom_server::Server;
use std::{
    convert::Infallible,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
};
use tokio_tungstenite::connect_async;

const LIMIT: usize = 2;
const ROOMS: usize = 12;
const MESSAGES: usize = 200;

static AWAKE: AtomicUsize = AtomicUsize::new(0);
static MOST_AWAKE: AtomicUsize = AtomicUsize::new(0);
static SLEEPS: AtomicUsize = AtomicUsize::new(0);

/// Echoes, and counts itself while it is awake.
struct Sleeper {
    context: RoomContext,
    is_awake: bool,
}

impl Sleeper {
    fn wakes(&mut self) {
        if !self.is_awake {
            self.is_awake = true;
            MOST_AWAKE.fetch_max(AWAKE.fetch_add(1, SeqCst) + 1, SeqCst);
        }
    }
}

impl StateroomService for Sleeper {
    fn connect(&mut self, _: ClientId) {
        self.wakes();
    }

    fn message(&mut self, client: ClientId, message: &str) {
        self.wakes();
        self.context.send_message(client, message);
    }

    fn disconnect(&mut self, _: ClientId) {
        self.wakes();
    }

    fn is_awake(&self) -> bool {
        self.is_awake
    }

    fn sleep(&mut self) -> Sleep {
        AWAKE.fetch_sub(1, SeqCst);
        SLEEPS.fetch_add(1, SeqCst);
        self.is_awake = false;
        Sleep::Asleep(None)
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        AWAKE.fetch_sub(usize::from(self.is_awake), SeqCst);
    }
}

struct Factory;

impl StateroomServiceFactory<RoomContext> for Factory {
    type Service = Sleeper;
    type Error = Infallible;

    fn build(&self, _: &str, context: RoomContext) -> Result<Sleeper, Infallible> {
        let mut sleeper = Sleeper { context, is_awake: false };
        sleeper.wakes();
        Ok(sleeper)
    }
}

#[tokio::test]
async fn rooms_whose_input_never_ends_keep_to_the_limit_too() {
    let mut server = Server::new().with_port(0).with_ip("127.0.0.1".into());
    server.config.shards = 1;
    server.config.max_awake_rooms = LIMIT;
    let running = server.bind(Factory).unwrap();
    let (address, handle) = (running.local_addr(), running.handle());
    let ended = std::thread::spawn(move || running.run());
    let mut clients = Vec::new();
    for room in 0..ROOMS {
        let url = format!("ws://{address}/ws/{room}");
        clients.push(Client(connect_async(url).await.unwrap().0));
    }
    // Each room has something to hear whenever it is looked at, and loses nothing of it.
    for message in 0..MESSAGES {
        for client in &mut clients {
            client.send(&message.to_string()).await;
        }
    }
    for client in &mut clients {
        for message in 0..MESSAGES {
            assert_eq!(within(client.text()).await, message.to_string());
        }
    }
    assert!(SLEEPS.load(SeqCst) >= ROOMS - LIMIT, "{SLEEPS:?} times one slept");
    assert!(MOST_AWAKE.load(SeqCst) <= LIMIT, "{MOST_AWAKE:?} were awake at once");
    drop(clients);
    handle.shutdown();
    ended.join().unwrap().unwrap();
}
