//! Fan-out over real sockets: by a ring of the system, and one write at a time.

use super::*;
use fastrand::Rng;
use rustix::net::sockopt::set_socket_send_buffer_size;
use std::{
    io::{ErrorKind, Read},
    net::{Shutdown, TcpListener, TcpStream},
};

const SEED: u64 = 0x5EED;

/// So many that a flush takes several calls, and the last of them makes few writes.
const CLIENTS: u32 = 3 * WRITES_PER_LOOK as u32 + 2;

/// The socket of this client can't be written to.
const BROKEN: u32 = 40;

/// A room's sockets, and the other sides of them by client.
struct Room {
    listener: TcpListener,
    sockets: Sockets,
    clients: Vec<(ClientId, u32, TcpStream)>,
}

impl Room {
    fn new(clients: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut room = Room { listener, sockets: Sockets::default(), clients: Vec::new() };
        (1..=clients).for_each(|client| room.join(client));
        room
    }

    fn join(&mut self, client: u32) {
        let theirs = TcpStream::connect(self.listener.local_addr().unwrap()).unwrap();
        theirs.set_nonblocking(true).unwrap();
        let ours = self.listener.accept().unwrap().0;
        ours.set_nonblocking(true).unwrap();
        // So little that many a write is a short one.
        set_socket_send_buffer_size(&ours, 10_000).unwrap();
        if client == BROKEN {
            ours.shutdown(Shutdown::Write).unwrap();
        }
        let stream = mio::net::TcpStream::from_std(ours);
        let client = ClientId(client);
        let key = self.sockets.insert(client, Connection::new(stream, 0, client));
        self.clients.push((client, key, theirs));
    }

    /// Flushes to the end, and returns who was in trouble.
    fn flush(&mut self, limit: usize) -> Vec<(u32, Trouble)> {
        let mut troubles = Vec::new();
        let limits = QueueLimits { bytes: limit, stall: Duration::from_secs(60) };
        while self.sockets.flush(limits, |key, trouble| troubles.push((key, trouble)))
            == Flushed::Some
        {}
        troubles
    }

    /// Reads all that there is for each client, in the order in which they came.
    fn read(&mut self) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        for (_, key, stream) in &mut self.clients {
            let mut read = Vec::new();
            loop {
                let queued = self.sockets.get_mut(*key).map_or(0, |connection| {
                    let _ = connection.write_queue();
                    connection.queued_bytes()
                });
                match stream.read_to_end(&mut read) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock && queued > 0 => {}
                    Ok(_) | Err(_) => break,
                }
            }
            all.push(read);
        }
        all
    }
}

/// Does the same on a thread that may use a ring and on one that may not.
fn both_ways<T: Send + PartialEq + std::fmt::Debug>(act: impl Fn() -> T + Sync) -> T {
    let by_ring = || std::thread::scope(|scope| scope.spawn(&act).join().unwrap());
    let plainly = || {
        ring::refuse();
        act()
    };
    let (first, second) =
        (by_ring(), std::thread::scope(|scope| scope.spawn(plainly).join().unwrap()));
    assert!(first == second, "the two ways differ");
    first
}

fn text(random: &mut Rng) -> String {
    let length = if random.u8(..16) == 0 { random.usize(..300_000) } else { random.usize(..300) };
    let character = random.lowercase();
    std::iter::repeat_n(character, length).collect()
}

#[test]
fn clients_receive_the_same_bytes_whether_by_a_ring_or_one_write_at_a_time() {
    both_ways(|| {
        let mut random = Rng::with_seed(SEED);
        let mut room = Room::new(CLIENTS);
        let mut expected = vec![Vec::new(); CLIENTS as usize];
        let mut received = vec![Vec::new(); CLIENTS as usize];
        let mut troubles = Vec::new();
        let mut queued = 0;
        for _ in 0..20 {
            for _ in 0..random.usize(1..6) {
                let text = text(&mut random);
                let one = ClientId(random.u32(1..=CLIENTS));
                let to = match random.u8(..4) {
                    0 => Recipients::All,
                    1 | 2 => Recipients::AllExcept(one),
                    _ => Recipients::One(one),
                };
                room.sockets.send(to, MessageKind::Text, text.as_bytes());
                for (stream, (client, ..)) in expected.iter_mut().zip(&room.clients) {
                    if match to {
                        Recipients::All => true,
                        Recipients::One(one) => *client == one,
                        Recipients::AllExcept(one) => *client != one,
                    } {
                        encode_data(MessageKind::Text, text.as_bytes(), stream);
                    }
                }
            }
            troubles.extend(room.flush(usize::MAX));
            queued +=
                room.sockets.connections.iter().map(|(_, one)| one.queued_bytes()).sum::<usize>();
            for (stream, read) in received.iter_mut().zip(room.read()) {
                stream.extend(read);
            }
        }
        assert!(queued > 0, "no socket was ever full: this tries less than it seems to");
        assert!(!troubles.is_empty());
        assert!(troubles.iter().all(|trouble| *trouble == (BROKEN - 1, Trouble::Gone)));
        expected[BROKEN as usize - 1].clear();
        for (number, (read, expected)) in received.iter().zip(&expected).enumerate() {
            assert!(read == expected, "client {number}: {} of {}", read.len(), expected.len());
        }
        received
    });
}

#[test]
fn those_who_read_too_slowly_are_told_of_both_ways() {
    let troubles = both_ways(|| {
        let mut room = Room::new(CLIENTS);
        let megabyte = vec![b'x'; 1 << 20];
        let mut troubles = Vec::new();
        // More than the system keeps for a reader, whatever its settings are.
        for _ in 0..16 {
            room.sockets.send(Recipients::All, MessageKind::Binary, &megabyte);
            troubles = room.flush(1 << 20);
            room.sockets.send(Recipients::One(ClientId(1)), MessageKind::Binary, b"more");
        }
        troubles
    });
    let slow = troubles.iter().filter(|(_, trouble)| *trouble == Trouble::TooSlow).count();
    assert_eq!(slow, CLIENTS as usize - 1, "all but the one who is gone");
}

#[test]
fn who_takes_the_key_of_one_who_left_gets_only_what_is_for_them() {
    let received = both_ways(|| {
        let mut room = Room::new(WORTH_A_RING as u32 + 1);
        room.sockets.send(Recipients::All, MessageKind::Text, b"before");
        let (_, key, _) = room.clients.remove(0);
        room.sockets.remove(key);
        room.join(100);
        assert_eq!(room.clients.last().unwrap().1, key, "this tries nothing else");
        room.sockets.send(Recipients::All, MessageKind::Text, b"after");
        assert_eq!(room.flush(usize::MAX), []);
        room.read()
    });
    let (last, others) = received.split_last().unwrap();
    assert_eq!(last, b"\x81\x05after");
    assert!(others.iter().all(|bytes| bytes == b"\x81\x06before\x81\x05after"));
}

#[cfg(all(target_os = "linux", any(target_arch = "aarch64", target_arch = "x86_64")))]
#[test]
fn a_large_flush_uses_the_ring_where_there_is_one() {
    let available =
        <io_uring::IoUring>::builder().setup_single_issuer().setup_defer_taskrun().build(1).is_ok();
    let mut room = Room::new(WORTH_A_RING as u32);
    room.sockets.send(Recipients::AllExcept(ClientId(1)), MessageKind::Text, b"for few");
    room.flush(usize::MAX);
    assert!(!ring::is_in_use());
    room.sockets.send(Recipients::All, MessageKind::Text, b"for all");
    room.flush(usize::MAX);
    assert_eq!(ring::is_in_use(), available);
}
