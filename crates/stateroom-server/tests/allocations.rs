//! A message in steady state allocates nothing on the thread that has its room.

#![allow(unsafe_code)]

use stateroom::{
    ClientId, MessageRecipient, SimpleServiceFactory, SimpleStateroomService, StateroomContext,
};
use stateroom_server::Server;
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

/// More than the sizes at which buffers that are kept still grow.
const WARM_UP: usize = 500;
const COUNTED: usize = 500;

const CLIENTS: usize = 8;

const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;

thread_local! {
    /// Whether this thread has rooms.
    static HAS_ROOMS: Cell<bool> = const { Cell::new(false) };
}

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, which counts for threads that have rooms.
struct Counting;

fn count() {
    // A thread that is ending has no rooms any more.
    if HAS_ROOMS.try_with(Cell::get).unwrap_or(false) {
        ALLOCATIONS.fetch_add(1, Relaxed);
    }
}

// SAFETY: everything is left to the system's allocator; counting touches no memory of its own.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: what our caller promises is what `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above; the pointer came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count();
        // SAFETY: as above; the pointer came from `System`.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Sends a text back to its sender, and binary messages to all.
struct EchoAndBroadcast;

impl SimpleStateroomService for EchoAndBroadcast {
    fn new(_: &str, _: &impl StateroomContext) -> Self {
        EchoAndBroadcast
    }

    fn connect(&mut self, _: ClientId, _: &impl StateroomContext) {
        HAS_ROOMS.set(true);
    }

    fn message(&mut self, client: ClientId, message: &str, context: &impl StateroomContext) {
        context.send_message(client, message);
    }

    fn binary(&mut self, _: ClientId, message: &[u8], context: &impl StateroomContext) {
        context.send_binary(MessageRecipient::Broadcast, message);
    }
}

fn join(address: SocketAddr, room: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let request = format!(
        "GET /ws/{room} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    stream
}

/// A frame as a client sends it, masked with zeroes, and as the server does.
fn frames(opcode: u8, length: usize) -> (Vec<u8>, Vec<u8>) {
    let payload = vec![b'x'; length];
    let (short, long) = match u16::try_from(length).unwrap() {
        length @ 0..126 => (length as u8, Vec::new()),
        length => (126, length.to_be_bytes().to_vec()),
    };
    let masked = [&[0x80 | opcode, 0x80 | short][..], &long, &[0; 4], &payload].concat();
    (masked, [&[0x80 | opcode, short][..], &long, &payload].concat())
}

#[test]
fn echoes_and_broadcasts_allocate_nothing() {
    let mut server = Server::new().with_port(0).with_ip("127.0.0.1".into());
    server.config.shards = 1;
    let running = server.bind(SimpleServiceFactory::<EchoAndBroadcast>::new()).unwrap();
    let (address, handle) = (running.local_addr(), running.handle());
    let ended = std::thread::spawn(move || running.run());

    // Two rooms, so that what is kept between turns goes from one to the other.
    let rooms = ["one", "two"].map(|room| [(); CLIENTS].map(|()| join(address, room)));
    let frames: Vec<_> = [0, 100, 125, 126, 2_000]
        .iter()
        .flat_map(|&length| [TEXT, BINARY].map(|opcode| (opcode, frames(opcode, length))))
        .collect();
    let mut heard = [0; 4096];
    let mut talk = |number: usize| {
        let (opcode, (question, answer)) = &frames[number % frames.len()];
        let room = &rooms[number / frames.len() % rooms.len()];
        let sender = number / 3 % CLIENTS;
        // Sometimes more than one at once.
        let count = 1 + number % 2;
        (&room[sender]).write_all(&question.repeat(count)).unwrap();
        for (client, mut stream) in room.iter().enumerate() {
            if *opcode == BINARY || client == sender {
                for _ in 0..count {
                    let heard = &mut heard[..answer.len()];
                    stream.read_exact(heard).unwrap();
                    assert!(heard == answer, "message {number}, client {client}");
                }
            }
        }
    };
    (0..WARM_UP).for_each(&mut talk);
    assert!(ALLOCATIONS.load(Relaxed) > 0, "nothing is counted");
    // A thread that loses its core in the middle of a turn has to keep what it has not heard yet. So
    // the best of some runs counts; what allocates for each message allocates in all of them.
    let mut least = usize::MAX;
    for _ in 0..100 {
        let before = ALLOCATIONS.load(Relaxed);
        (0..COUNTED).for_each(&mut talk);
        least = least.min(ALLOCATIONS.load(Relaxed) - before);
        if least == 0 {
            break;
        }
    }
    assert_eq!(least, 0, "allocations for {COUNTED} messages");

    handle.shutdown();
    drop(rooms);
    ended.join().unwrap().unwrap();
}
