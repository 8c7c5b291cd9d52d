//! Fan-out over real sockets: by a ring of the system, and one write at a time.

use super::*;
use crate::queued::Queued;
use crate::websocket::encode_data;
use fastrand::Rng;
use rustix::net::sockopt::set_socket_send_buffer_size;
use std::{
    io::{ErrorKind, Read},
    net::{Shutdown, TcpListener, TcpStream},
    sync::Arc,
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
    queued: Arc<Queued>,
    clients: Vec<(ClientId, u32, TcpStream)>,
}

impl Room {
    fn new(clients: u32) -> Self {
        Room::with_bound(clients, usize::MAX)
    }

    /// One of a server with this bound on what waits.
    fn with_bound(clients: u32, most: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let queued = Arc::new(Queued::new(most));
        let (sockets, joined) = (Sockets::default(), Vec::new());
        let mut room = Room { listener, sockets, queued, clients: joined };
        (1..=clients).for_each(|client| room.join(client));
        room
    }

    fn limits(&self, bytes: usize) -> QueueLimits {
        QueueLimits { bytes, stall: Duration::from_secs(60), all: self.queued.clone() }
    }

    /// Sends more to each of so many clients than their sockets take.
    fn fill(&mut self, clients: u32) {
        for client in 1..=clients {
            let to = Recipients::One(ClientId(client));
            self.sockets.send(Line::Plain, to, MessageKind::Binary, &vec![b'x'; 1 << 20]);
        }
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
        let limits = self.limits(limit);
        while self.sockets.flush(&limits, |key, trouble| troubles.push((key, trouble)))
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
                room.sockets.send(Line::Plain, to, MessageKind::Text, text.as_bytes());
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
            room.sockets.send(Line::Plain, Recipients::All, MessageKind::Binary, &megabyte);
            troubles.extend(room.flush(1 << 20));
            room.sockets.send(
                Line::Plain,
                Recipients::One(ClientId(1)),
                MessageKind::Binary,
                b"more",
            );
        }
        troubles
    });
    let slow = troubles.iter().filter(|(_, trouble)| *trouble == Trouble::TooSlow).count();
    assert_eq!(slow, CLIENTS as usize - 1, "all but the one who is gone, each once");
}

#[test]
fn who_takes_the_key_of_one_who_left_gets_only_what_is_for_them() {
    let received = both_ways(|| {
        let mut room = Room::new(WORTH_A_RING as u32 + 1);
        room.sockets.send(Line::Plain, Recipients::All, MessageKind::Text, b"before");
        let (_, key, _) = room.clients.remove(0);
        room.sockets.remove(key);
        room.join(100);
        assert_eq!(room.clients.last().unwrap().1, key, "this tries nothing else");
        room.sockets.send(Line::Plain, Recipients::All, MessageKind::Text, b"after");
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
    room.sockets.send(
        Line::Plain,
        Recipients::AllExcept(ClientId(1)),
        MessageKind::Text,
        b"for few",
    );
    room.flush(usize::MAX);
    assert!(!ring::is_in_use());
    room.sockets.send(Line::Plain, Recipients::All, MessageKind::Text, b"for all");
    room.flush(usize::MAX);
    assert_eq!(ring::is_in_use(), available);
}

#[test]
fn what_waits_for_many_takes_the_memory_of_one_and_gives_it_back() {
    let mut room = Room::new(CLIENTS);
    room.sockets.send(Line::Plain, Recipients::All, MessageKind::Binary, &vec![b'x'; 1 << 20]);
    room.flush(usize::MAX);
    let taken = room.queued.bytes();
    assert!((1 << 20..9 << 17).contains(&taken), "{taken}");
    let all = room.sockets.keys();
    let (last, others) = all.split_last().unwrap();
    others.iter().for_each(|key| drop(room.sockets.remove(*key)));
    assert!(room.queued.bytes() >= 1 << 20, "the last one still waits for it");
    room.sockets.remove(*last);
    assert_eq!(room.queued.bytes(), 0);
}

#[test]
fn a_small_rest_keeps_no_large_batch() {
    let mut room = Room::new(8);
    room.fill(1);
    room.flush(usize::MAX);
    let before = room.queued.bytes();
    // The others take what is theirs; the first has one more small message to wait for.
    for client in 1..=8 {
        room.sockets.send(
            Line::Plain,
            Recipients::One(ClientId(client)),
            MessageKind::Binary,
            &[b'y'; 1000],
        );
    }
    room.sockets.send(
        Line::Plain,
        Recipients::AllExcept(ClientId(1)),
        MessageKind::Binary,
        &[b'z'; 5000],
    );
    room.flush(usize::MAX);
    let more = room.queued.bytes() - before;
    assert!((1000..1500).contains(&more), "{more}");
    assert!(room.read()[0].ends_with(&[b'y'; 1000]));
}

#[test]
fn past_half_of_the_bound_whoever_would_take_more_than_a_share_is_told_of() {
    both_ways(|| {
        let mut room = Room::with_bound(8, 3 << 20);
        room.fill(8);
        let troubles = room.flush(usize::MAX);
        assert!(!troubles.is_empty() && troubles.len() < 8, "{troubles:?}");
        assert!(
            troubles.iter().all(|(_, trouble)| *trouble == Trouble::CutOff),
            "each has had the beginning: {troubles:?}"
        );
        assert!(room.queued.bytes() <= 3 << 20);
        let waits =
            room.sockets.connections.iter().find(|(_, it)| it.queued_bytes() > 0).unwrap().0;
        // One that has begun to wait before is told that it is too slow.
        let client = ClientId(waits as u32 + 1);
        room.sockets.send(
            Line::Plain,
            Recipients::One(client),
            MessageKind::Binary,
            &vec![b'x'; 3 << 20],
        );
        assert_eq!(room.flush(usize::MAX), [(waits as u32, Trouble::TooSlow)]);
        // Nobody gets what follows on what was left out.
        room.sockets.send(Line::Plain, Recipients::All, MessageKind::Text, b"later");
        room.flush(usize::MAX);
        let read = room.read();
        for (key, _) in &troubles {
            assert!(!read[*key as usize].ends_with(b"later"), "{key} was cut off");
        }
        assert!(!read[waits].ends_with(b"later"), "{waits} was too slow");
        troubles.len()
    });
}

#[test]
fn a_crowd_that_is_behind_for_a_moment_waits_however_full_the_server_is() {
    let mut room = Room::with_bound(CLIENTS, 3 << 20);
    // Others have taken all that there is, and more.
    room.queued.add(4 << 20);
    let is_behind = |room: &Room| {
        let all = room.sockets.connections.iter();
        all.filter(|(_, connection)| connection.queued_bytes() > 0).map(|(key, _)| key).last()
    };
    let behind = loop {
        room.sockets.send(Line::Plain, Recipients::All, MessageKind::Binary, &[b'x'; 10_000]);
        let troubles = room.flush(usize::MAX);
        assert!(troubles.iter().all(|trouble| *trouble == (BROKEN - 1, Trouble::Gone)));
        if let Some(key) = is_behind(&room) {
            break key as u32;
        }
    };
    // But nothing large waits for one alone.
    let client = room.sockets.get_mut(behind).unwrap().client.unwrap();
    room.sockets.send(Line::Plain, Recipients::One(client), MessageKind::Binary, &[b'x'; 10_000]);
    assert_eq!(room.flush(usize::MAX), [(behind, Trouble::TooSlow)]);
}

#[test]
fn who_leaves_too_little_for_others_for_long_is_told_of_though_it_reads() {
    for (others, expected) in [(0, None), (3 << 20, Some(Trouble::TooSlow))] {
        let mut room = Room::with_bound(1, 3 << 20);
        room.fill(1);
        assert_eq!(room.flush(usize::MAX), []);
        let limits = room.limits(usize::MAX);
        let later = Instant::now() + limits.stall;
        let _ = room.clients[0].2.read_exact(&mut vec![0; 1 << 19]);
        room.sockets.get_mut(0).unwrap().write_queue().unwrap();
        room.queued.add(others);
        let mut found = None;
        room.sockets.look_for_stalled(&limits, later, &mut |_, trouble| found = Some(trouble));
        assert_eq!(found, expected);
    }
}

#[test]
fn who_was_to_get_more_than_a_batch_can_have_is_cut_off_rather_than_told_something_else() {
    let mut room = Room::new(3);
    let megabyte = vec![b'x'; 1 << 20];
    let to = |client| Recipients::One(ClientId(client));
    room.sockets.send(Line::Plain, to(1), MessageKind::Text, b"first");
    for _ in 0..80 {
        room.sockets.send(Line::Plain, to(2), MessageKind::Binary, &megabyte);
    }
    assert!(room.sockets.batch_bytes() <= 64 << 20);
    assert_eq!(room.flush(usize::MAX), [(0, Trouble::CutOff), (1, Trouble::CutOff)]);
    room.sockets.send(Line::Plain, Recipients::All, MessageKind::Text, b"after");
    assert_eq!(room.flush(usize::MAX), []);
    assert_eq!(room.read(), [&b""[..], b"", b"\x81\x05after"]);
}
