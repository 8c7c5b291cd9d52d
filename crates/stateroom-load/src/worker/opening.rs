//! Opens connections: so many a second, or so many at once.

use super::{Worker, client::Stage};
use crate::{
    Activity, OpenedWhen, Who,
    errors_by_kind::Ending,
    wire::{Key, Kind, upgrade_request},
};
use mio::{Interest, Token, net::TcpStream};
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};

/// How many handshakes are under way at once, of all threads, where no ramp is given.
pub(crate) const AT_ONCE: u32 = 128;
/// How long a handshake may take, in nanoseconds.
const PATIENCE: u64 = 30_000_000_000;
/// How often handshakes that take too long are looked for, in nanoseconds.
const LOOK: u64 = 100_000_000;
/// How many connections may be half closed at once.
pub(crate) const MAX_CLOSING: usize = 1024;

impl Worker<'_> {
    /// Opens all connections of this thread, and returns when each is open or has failed.
    pub(super) fn open_all(&mut self) -> io::Result<()> {
        let threads = self.plan.threads.max(1);
        let at_once = if self.plan.ramp.is_some() { u32::MAX } else { (AT_ONCE / threads).max(1) };
        // Each thread opens its share of the ramp.
        let period = self.plan.ramp.map_or(0.0, |ramp| 1e9 * f64::from(threads) / ramp);
        let begin = self.common.clock.now();
        let mut next = 0;
        loop {
            let now = self.common.clock.now();
            let mut wake = now + LOOK;
            while next < self.share.clients.len() && self.opening < at_once {
                let due = begin + (next as f64 * period) as u64;
                if due > now {
                    wake = wake.min(due);
                    break;
                }
                let started = if self.plan.ramp.is_some() { due } else { self.common.clock.now() };
                self.start(next, started);
                next += 1;
            }
            self.give_up_slow(now);
            if next == self.share.clients.len() && self.opening == 0 {
                return Ok(());
            }
            self.pump(wake)?;
        }
    }

    fn start(&mut self, index: usize, started: u64) {
        self.opening += 1;
        self.handshakes.push_back(index);
        let connected = self.connect(index).and_then(|mut stream| {
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut stream, Token(index), interest)?;
            Ok(stream)
        });
        let Some(client) = self.share.clients.get_mut(index) else { return };
        match connected {
            Ok(stream) => client.connecting(stream, started),
            Err(error) => {
                client.stage = Stage::Connecting;
                self.end(index, Some(&Ending::Connect(error)));
            }
        }
    }

    fn connect(&self, index: usize) -> io::Result<TcpStream> {
        let address = self.common.address;
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        if self.plan.source_addresses > 1 {
            let last = (index % usize::from(self.plan.source_addresses)) as u8 + 1;
            let source = SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0));
            socket.bind(&source.into())?;
        }
        match socket.connect(&address.into()) {
            Err(error) if is_under_way(&error) => {}
            other => other?,
        }
        Ok(TcpStream::from_std(socket.into()))
    }

    /// TCP may have connected: says what comes first.
    pub(super) fn connected(&mut self, index: usize) -> Result<(), Ending> {
        let Some(client) = self.share.clients.get_mut(index) else { return Ok(()) };
        if !client.is_connected()? {
            return Ok(());
        }
        let room = self.share.rooms.get(client.room as usize).map_or("", |room| &room.name);
        match self.dialect.inquiry(Who { client: client.number, room }) {
            Some(inquiry) => {
                client.stage = Stage::Inquiring;
                client.write(&inquiry).map_err(Ending::Io)
            }
            None => self.upgrade(index, &[]),
        }
    }

    /// Asks for the upgrade, after the inquiry was answered with `answer`.
    pub(super) fn upgrade(&mut self, index: usize, answer: &[u8]) -> Result<(), Ending> {
        let Some(client) = self.share.clients.get_mut(index) else { return Ok(()) };
        let room = self.share.rooms.get(client.room as usize).map_or("", |room| &room.name);
        let who = Who { client: client.number, room };
        let path = self.plan.target.path_of(room);
        let path = self.dialect.path(who, path, answer).map_err(Ending::Greeting)?;
        let (key, offer) = (Key::random(), self.dialect.subprotocols(who));
        let request = upgrade_request(self.plan.target.host(), &path, offer.as_deref(), &key);
        client.stage = Stage::Upgrading(key);
        client.write(&request).map_err(Ending::Io)
    }

    /// The server has upgraded: the connection is open, unless more is waited for.
    pub(super) fn upgraded(&mut self, index: usize, now: u64) {
        let opened = match self.plan.activity {
            Activity::ConnectOnly { opened, .. } => opened,
            Activity::Messages | Activity::Hold => OpenedWhen::Handshake,
        };
        let is_greeted = self.first_reply.is_some() || self.own_first_byte.is_some();
        let waits = opened == OpenedWhen::Message || is_greeted;
        let Some(client) = self.share.clients.get_mut(index) else { return };
        if waits {
            client.stage = Stage::FirstMessage;
        } else if opened == OpenedWhen::Echo {
            self.send_first(index, now);
        } else {
            self.opened(index, now);
        }
    }

    /// The first message has come.
    pub(super) fn first_message(&mut self, index: usize, now: u64) {
        if let (Some(reply), Some(client)) = (&self.first_reply, self.share.clients.get_mut(index))
        {
            let mut frame = Vec::new();
            self.composer.append_other(Kind::Binary, reply, &mut frame);
            if let Err(error) = client.write(&frame) {
                return self.end(index, Some(&Ending::Io(error)));
            }
        }
        match self.plan.activity {
            Activity::ConnectOnly { opened: OpenedWhen::Echo, .. } => self.send_first(index, now),
            _ => self.opened(index, now),
        }
    }

    fn send_first(&mut self, index: usize, now: u64) {
        if let Some(client) = self.share.clients.get_mut(index) {
            client.stage = Stage::FirstEcho;
        }
        self.compose(index, now, now);
        self.write_outgoing(index);
    }

    /// The connection is open.
    pub(super) fn opened(&mut self, index: usize, now: u64) {
        let Some(client) = self.share.clients.get_mut(index) else { return };
        client.stage = Stage::Open;
        client.was_open = true;
        if let Some(room) = self.share.rooms.get_mut(client.room as usize) {
            room.open += 1;
        }
        self.opening -= 1;
        self.tally.counts.connected += 1;
        self.tally.counts.open += 1;
        self.tally.connected_at = now;
        self.tally.opening.note(now.saturating_sub(client.started));
        if matches!(self.plan.activity, Activity::ConnectOnly { .. }) {
            self.tally.counts.open -= 1;
            self.close(index);
            self.closing.push_back(index);
            if self.closing.len() > MAX_CLOSING
                && let Some(oldest) = self.closing.pop_front()
            {
                self.end(oldest, None);
            }
        }
    }

    /// Ends the handshakes that take too long.
    fn give_up_slow(&mut self, now: u64) {
        while let Some(&index) = self.handshakes.front() {
            let Some(client) = self.share.clients.get(index) else { return };
            let over = matches!(client.stage, Stage::Open | Stage::Closing | Stage::Ended);
            if !over {
                if now.saturating_sub(client.started) < PATIENCE {
                    return;
                }
                self.end(index, Some(&Ending::TooSlow));
            }
            self.handshakes.pop_front();
        }
    }
}

/// Whether connecting has begun, which a socket that does not block tells as an error.
fn is_under_way(error: &io::Error) -> bool {
    #[cfg(unix)]
    if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) {
        return true;
    }
    error.kind() == io::ErrorKind::WouldBlock
}
