//! From an accepted connection to a client, a plain HTTP request, or a refusal: reads the request, and sends
//! the client to the shard of its room.

use super::{
    handshaking::{Handshaking, NewClient},
    mailbox::ShardMessage,
    socket_state::{Readiness, SocketSlot, SocketState},
    state::Shard,
};
use crate::{
    connections::{Kind, Permit},
    factory::RoomFactory,
    forwarded,
    http::HttpClient,
    names::shard_of,
    request::{self, Head, Rejection},
};
use mio::net::TcpStream;
use std::{net::IpAddr, time::Duration};

/// How long a client may take to send its request's head.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// And one that is told then that there is no room for it, unless it asks how the server does.
const REFUSED_TIMEOUT: Duration = Duration::from_secs(1);

impl<F: RoomFactory> Shard<F> {
    /// Begins with a connection that was accepted.
    pub(super) fn receive(&mut self, mut stream: TcpStream, permit: Permit, is_refused: bool) {
        let Some(socket) = self.register(&mut stream, Some(permit)) else { return };
        let handshaking = Box::new(Handshaking::new(stream, is_refused));
        self.set_state(socket, SocketState::Handshaking(handshaking));
        self.check_after(socket, if is_refused { REFUSED_TIMEOUT } else { REQUEST_TIMEOUT });
    }

    /// Reads on in the request of a connection, whose end may have been told of.
    pub(super) fn read_handshake(&mut self, socket: u32, at_end: bool) {
        let Some(SocketSlot { state: SocketState::Handshaking(handshaking), .. }) =
            self.sockets.get_mut(socket as usize)
        else {
            return;
        };
        let (head, bytes) = match handshaking.read(&self.shared.config) {
            Ok(None) => return,
            Ok(Some(read)) => read,
            Err(_) => return self.free(socket),
        };
        let Some(SocketState::Handshaking(handshaking)) = self.take_state(socket) else { return };
        let mut stream = handshaking.stream;
        // Whoever looks after the server is to know that it does well also when it is full.
        if handshaking.is_refused && !request::is_about_the_server(&bytes) {
            return self.refuse_connection(stream, socket);
        }
        match head {
            Head::Partial | Head::Http => {
                let permit =
                    self.sockets.get_mut(socket as usize).and_then(|slot| slot.permit.take());
                let Some(mut permit) = permit else { return self.free(socket) };
                if !permit.become_kind(Kind::Http) {
                    self.return_permit(socket, permit);
                    return self.refuse_connection(stream, socket);
                }
                self.withdraw(&mut stream);
                self.free(socket);
                // Once the server has stopped, nobody is served any more.
                let _ = self.http.send(HttpClient { stream: stream.into(), read: bytes, permit });
            }
            Head::Refused(rejection) | Head::WebSocket { join: Err(rejection), .. } => {
                // Whoever writes a page or a client does not see why.
                if matches!(
                    rejection,
                    Rejection::Origin(_) | Rejection::Refused(_) | Rejection::Session(_)
                ) {
                    self.shared.client_lines.refused(&rejection);
                }
                self.reject(stream, &rejection, socket);
            }
            Head::WebSocket { join: Ok(join), length } => {
                let (head, early) = bytes.split_at_checked(length).unwrap_or((&bytes, &[]));
                let forwarded_for = self.forwarded_for(&stream, head);
                let early = early.to_vec();
                let early_bytes = early.len();
                let shard = shard_of(&join.room_id, self.shards.len());
                let mut new_client = NewClient { stream, join, forwarded_for, early, permit: None };
                if shard == self.number {
                    let readiness = match at_end {
                        true => Readiness::AtEnd,
                        false if early_bytes > 0 => Readiness::Ready,
                        false => Readiness::Nothing,
                    };
                    self.admit(new_client, Some((socket, readiness)));
                } else if let Some(mailbox) = self.shards.get(shard).cloned() {
                    self.withdraw(&mut new_client.stream);
                    new_client.permit =
                        self.sockets.get_mut(socket as usize).and_then(|slot| slot.permit.take());
                    self.free(socket);
                    mailbox.send(ShardMessage::NewClient(new_client));
                }
            }
        }
    }

    /// Whom a connection is for, if a proxy has made it that is to be believed.
    fn forwarded_for(&self, stream: &TcpStream, head: &[u8]) -> Option<IpAddr> {
        let trusted = &self.shared.config.trusted_proxies;
        if trusted.is_empty() {
            return None;
        }
        forwarded::client_address(stream.peer_addr().ok()?.ip(), head, trusted)
    }

    /// Gives up on a connection that has not sent its request in time.
    pub(super) fn handshake_timed_out(&mut self, socket: u32) {
        match self.take_state(socket) {
            Some(SocketState::Handshaking(handshaking)) if handshaking.is_refused => {
                self.refuse_connection(handshaking.stream, socket);
            }
            _ => self.free(socket),
        }
    }

    /// Tells a connection that there is no room for it.
    fn refuse_connection(&mut self, stream: TcpStream, socket: u32) {
        let rejection = Rejection::TooManyConnections;
        self.shared.client_lines.turned_away(None, &rejection);
        self.reject(stream, &rejection, socket);
    }
}
