//! Services that panic where no event is heard: that ends their room, and no other, unless it was in a
//! thread of the server's own.

use crate::support::{Client, within};
use stateroom::{ClientId, Compression, Sleep, StateroomService, StateroomServiceFactory};
use stateroom::{MessageRecipient, StateroomContext as _};
use stateroom_room::RoomContext;
use stateroom_server::{RunError, Server};
use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    time::Duration,
};
use tokio_tungstenite::connect_async;

/// How many services have panicked where they were to.
static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Panics where its room's name says, once it has heard something.
struct Fragile {
    room_id: String,
    context: RoomContext,
    has_heard: bool,
    is_awake: bool,
}

impl Fragile {
    fn comes_to(&self, place: &str) {
        if self.has_heard && self.room_id.contains(place) {
            PANICS.fetch_add(1, SeqCst);
            panic!("as asked");
        }
    }
}

impl StateroomService for Fragile {
    fn message(&mut self, client: ClientId, message: &str) {
        (self.has_heard, self.is_awake) = (true, true);
        self.context.send_message(MessageRecipient::Client(client), message);
    }

    fn is_awake(&self) -> bool {
        self.comes_to("awake");
        self.is_awake
    }

    fn sleep(&mut self) -> Sleep {
        self.comes_to("sleep");
        self.is_awake = false;
        let compression = Compression::new(|| panic!("as asked"));
        Sleep::Asleep(self.room_id.contains("compress").then_some(compression))
    }

    fn footprint(&self) -> usize {
        self.comes_to("footprint");
        0
    }
}

impl Drop for Fragile {
    fn drop(&mut self) {
        self.comes_to("drop");
    }
}

struct Factory;

impl StateroomServiceFactory<RoomContext> for Factory {
    type Service = Fragile;
    type Error = Infallible;

    fn build(&self, room_id: &str, context: RoomContext) -> Result<Fragile, Infallible> {
        Ok(Fragile { room_id: room_id.to_owned(), context, has_heard: false, is_awake: true })
    }
}

async fn join(address: SocketAddr, room: &str) -> Client {
    Client(connect_async(format!("ws://{address}/ws/{room}")).await.unwrap().0)
}

#[tokio::test]
async fn a_service_that_panics_between_events_ends_no_room_but_its_own() {
    let mut server = Server::new().with_port(0).with_ip("127.0.0.1".into());
    server.config.shards = 1;
    server.config.sleep_after = Duration::from_millis(1);
    server.config.empty_room_timeout = Duration::ZERO;
    let running = server.bind(Factory).unwrap();
    let (address, handle) = (running.local_addr(), running.handle());
    let ended = std::thread::spawn(move || running.run());
    let mut ann = join(address, "sound").await;
    assert_eq!(ann.ask("hello").await, "hello");
    for room in ["sleep", "footprint", "awake", "drop", "footprint-drop", "sleep-drop"] {
        let before = PANICS.load(SeqCst);
        let mut bob = join(address, room).await;
        bob.send("hello").await;
        if room == "drop" {
            assert_eq!(bob.text().await, "hello");
            bob.0.close(None).await.unwrap();
        }
        within(async {
            while PANICS.load(SeqCst) - before < room.split('-').count() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
        assert_eq!(ann.ask("still here").await, "still here", "after a panic in {room}");
        // The same room starts anew.
        let mut eve = join(address, room).await;
        if room == "sleep" || room == "drop" {
            assert_eq!(eve.ask("hello").await, "hello");
        }
    }
    // Those that are there at the end are dropped, too.
    drop(ann);
    handle.shutdown();
    ended.join().unwrap().unwrap();
}

#[tokio::test]
async fn a_panic_in_a_thread_that_is_no_rooms_ends_the_server_which_names_it() {
    let mut server = Server::new().with_port(0).with_ip("127.0.0.1".into());
    server.config.sleep_after = Duration::from_millis(1);
    let running = server.bind(Factory).unwrap();
    let address = running.local_addr();
    let (tell, ended) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || tell.send(running.run()));
    let mut witness = join(address, "sound").await;
    assert_eq!(witness.ask("hello").await, "hello");
    let mut client = join(address, "compress").await;
    client.send("hello").await;
    assert_eq!(witness.closed().await, (1012, "the server restarts".to_owned()));
    drop((witness, client));
    match within(ended).await.unwrap() {
        Err(RunError::ThreadGone { thread, panicked: true }) => assert_eq!(thread, "compressor"),
        other => panic!("it ended otherwise: {other:?}"),
    }
}
