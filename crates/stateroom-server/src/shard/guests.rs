//! From an accepted connection to a client in a room: reads the request, decides who gets in.

use super::{
    Shard,
    farewell::Farewell,
    mailbox::Letter,
    places::{News, Place, PlaceKind},
};
use crate::{
    connections::{Admission, Kind, Permit},
    factory::RoomFactory,
    http::HttpClient,
    names::RoomKey,
    request::{self, Head, Join, Rejection},
    room::{Arrival, Order},
    scratch::with_scratch,
};
use mio::{Interest, Token, net::TcpStream};
use std::{
    hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher},
    io::{self, ErrorKind, Read as _, Write as _},
    time::{Duration, Instant},
};

/// How long a client may take to send its request's head.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// How many connections are accepted before others have a turn.
const ACCEPTED_AT_ONCE: usize = 64;

/// How long the listener rests when there is no descriptor left for another connection.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// A connection whose request has not been read whole.
#[derive(Debug)]
pub(crate) struct Greeting {
    stream: TcpStream,
    head: Vec<u8>,
}

/// A client whose handshake is in order, on its way to the shard of its room.
#[derive(Debug)]
pub(crate) struct Guest {
    stream: TcpStream,
    join: Join,
    /// What it sent after the handshake.
    early: Vec<u8>,
    /// Its part in the count of all connections, while it goes from one shard to the other.
    permit: Option<Permit>,
}

impl<F: RoomFactory> Shard<F> {
    /// Accepts the connections that wait, as far as its turn goes.
    pub(super) fn accept(&mut self, now: Instant) {
        for _ in 0..ACCEPTED_AT_ONCE {
            let Some(listener) = &self.listener else { return };
            // Before it is accepted, for that takes a descriptor.
            let (permit, is_refused) = match self.shared.connections.admit() {
                Admission::Admitted(permit) => (permit, false),
                Admission::TurnedAway(permit) => (permit, true),
                Admission::Full => {
                    self.accepting.rests_until = Some(now + EXHAUSTED_PAUSE);
                    break;
                }
            };
            match listener.accept() {
                Ok((stream, _)) => {
                    // On Linux it is so already, see `server`.
                    #[cfg(not(target_os = "linux"))]
                    let _ = stream.set_nodelay(true);
                    self.accepting.exhausted = false;
                    self.receive(stream, permit, is_refused);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.accepting.ready = false;
                    break;
                }
                Err(error) if is_the_clients(&error) => {}
                Err(error) => {
                    if !self.accepting.exhausted {
                        tracing::error!(%error, "no further connection can be accepted for now");
                    }
                    self.accepting.exhausted = true;
                    self.accepting.rests_until = Some(now + EXHAUSTED_PAUSE);
                    break;
                }
            }
        }
    }

    /// Begins with a connection that was accepted.
    fn receive(&mut self, mut stream: TcpStream, permit: Permit, is_refused: bool) {
        let Some(socket) = self.register(&mut stream, Some(permit)) else { return };
        if is_refused {
            self.shared.client_lines.turned_away(None, &Rejection::TooManyConnections);
            return self.reject(stream, &Rejection::TooManyConnections, socket);
        }
        let greeting = Box::new(Greeting { stream, head: Vec::new() });
        self.set_place(socket, PlaceKind::Greeting(greeting));
        self.look_after(socket, REQUEST_TIMEOUT);
    }

    /// Reads on in the request of a connection, whose end may have been told of.
    pub(super) fn greet(&mut self, socket: u32, at_end: bool) {
        let Some(Place { kind: PlaceKind::Greeting(greeting), .. }) =
            self.places.get_mut(socket as usize)
        else {
            return;
        };
        let (head, bytes) = match greeting.read() {
            Ok(None) => return,
            Ok(Some(read)) => read,
            Err(_) => return self.free(socket),
        };
        let Some(PlaceKind::Greeting(greeting)) = self.vacate(socket) else { return };
        let mut stream = greeting.stream;
        match head {
            Head::Partial | Head::Http => {
                let permit = self.places.get_mut(socket as usize).and_then(|p| p.permit.take());
                let Some(mut permit) = permit else { return self.free(socket) };
                if !permit.become_kind(Kind::Http) {
                    self.return_permit(socket, permit);
                    return self.reject(stream, &Rejection::TooManyConnections, socket);
                }
                self.withdraw(&mut stream);
                self.free(socket);
                // Once the server has stopped, nobody is served any more.
                let _ = self.http.send(HttpClient { stream: stream.into(), read: bytes, permit });
            }
            Head::Refused(rejection) | Head::WebSocket { join: Err(rejection), .. } => {
                self.reject(stream, &rejection, socket);
            }
            Head::WebSocket { join: Ok(join), length } => {
                let early = bytes.get(length..).unwrap_or_default().to_vec();
                let early_bytes = early.len();
                let shard = shard_of(&join.room_id, self.shards.len());
                let mut guest = Guest { stream, join, early, permit: None };
                if shard == self.number {
                    let news = match at_end {
                        true => News::AtEnd,
                        false if early_bytes > 0 => News::Ready,
                        false => News::None,
                    };
                    self.admit(guest, Some((socket, news)));
                } else if let Some(mailbox) = self.shards.get(shard).cloned() {
                    self.withdraw(&mut guest.stream);
                    guest.permit =
                        self.places.get_mut(socket as usize).and_then(|p| p.permit.take());
                    self.free(socket);
                    mailbox.send(Letter::Guest(guest));
                }
            }
        }
    }

    /// Lets a client into its room, unless there is a reason not to. Its socket has a place on this
    /// shard already, or not yet.
    pub(super) fn admit(&mut self, guest: Guest, place: Option<(u32, News)>) {
        let Guest { mut stream, join, early, permit } = guest;
        // The system tells a shard that it is new to of all that is there to be read.
        let place = place.or_else(|| Some((self.register(&mut stream, permit)?, News::None)));
        let Some((socket, news)) = place else { return };
        let room = match self.seat(&join.room_id) {
            Ok(room) => room,
            Err(rejection) => {
                self.shared.client_lines.turned_away(Some(&join.room_id), &rejection);
                return self.reject(stream, &rejection, socket);
            }
        };
        let response = join.response();
        let opened = stream.write(response.as_bytes());
        // A socket this fresh takes it whole, unless its client has gone.
        if !opened.is_ok_and(|written| written == response.len()) {
            self.unseat(room);
            return self.free(socket);
        }
        let arrival = Arrival { stream, socket, early, token: join.token };
        self.set_place(socket, PlaceKind::Joining { room, news });
        self.order(room, Order::Join(arrival));
    }

    /// Takes a seat for one more client in the room of this id, which need not exist yet.
    fn seat(&mut self, room_id: &str) -> Result<RoomKey, Rejection> {
        let config = &self.shared.config;
        let census = &self.shared.census;
        if census.is_stopping() {
            return Err(Rejection::Stopping);
        }
        if self.kept.as_ref().is_some_and(|(archive, _)| archive.keeper.is_broken()) {
            return Err(Rejection::NotKept);
        }
        let known = self.rooms.find(room_id);
        if known.is_some_and(|room| self.rooms.seats(room) >= config.max_clients_per_room) {
            return Err(Rejection::RoomFull);
        }
        if !census.client_comes(config.max_clients) {
            return Err(Rejection::ServerFull);
        }
        let room = match known {
            Some(room) => room,
            None if census.room_comes(config.max_rooms) => self.rooms.add(room_id),
            None => {
                census.client_goes();
                return Err(Rejection::TooManyRooms);
            }
        };
        self.rooms.sit_down(room);
        Ok(room)
    }

    fn reject(&mut self, stream: TcpStream, rejection: &Rejection, socket: u32) {
        self.shared.refusals.add(rejection.label());
        let farewell = Farewell::with_response(stream, rejection.response());
        self.take_leave(socket, farewell, None);
    }

    fn return_permit(&mut self, socket: u32, permit: Permit) {
        if let Some(place) = self.places.get_mut(socket as usize) {
            place.permit = Some(permit);
        }
    }

    /// Gives a socket a place, and has the system tell of it.
    fn register(&mut self, stream: &mut TcpStream, permit: Option<Permit>) -> Option<u32> {
        let socket = self.places.insert(Place { kind: PlaceKind::Open, permit });
        let interest = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = self.poll.registry().register(stream, Token(socket), interest) {
            self.shared.client_lines.unwatched(&error);
            self.places.remove(socket);
            return None;
        }
        Some(socket as u32) // There are far fewer descriptors than that.
    }

    /// Has the system tell no more of a socket that goes elsewhere.
    fn withdraw(&self, stream: &mut TcpStream) {
        // It can only fail for a socket that is broken, which its next owner will notice.
        let _ = self.poll.registry().deregister(stream);
    }
}

impl Greeting {
    /// Reads what is there. `None` while the head is not whole; else what it is, and all that was
    /// read.
    fn read(&mut self) -> io::Result<Option<(Head, Vec<u8>)>> {
        with_scratch(|scratch| {
            loop {
                let length = match self.stream.read(scratch) {
                    Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                    Ok(length) => length,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(error) => return Err(error),
                };
                self.head.extend_from_slice(scratch.get(..length).unwrap_or_default());
                match request::read(&self.head) {
                    Head::Partial => {}
                    head => return Ok(Some((head, std::mem::take(&mut self.head)))),
                }
            }
        })
    }
}

/// The shard that a room is on.
pub(crate) fn shard_of(room_id: &str, shards: usize) -> usize {
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    (hasher.hash_one(room_id) % shards.max(1) as u64) as usize
}

/// Whether accepting failed because that one client hung up.
fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
