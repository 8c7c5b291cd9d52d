//! What there is in the small world.

use crate::{
    session::{
        Ledger, Life, Request, SessionHost, SessionSettings, SocketId,
        client::{ClientSettings, Message, SessionClient},
        fault::{Fault, is_on},
        tests::service::{Done, Ev, Service},
    },
    timestamp::Timestamp,
};
use stateroom::ClientId;
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

/// What may happen in a world, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(in super::super) struct Plan {
    /// What each client says: see [`Service::hear`]. `x` fails.
    pub(in super::super) says: [&'static str; 2],
    pub(in super::super) kills: u8,
    pub(in super::super) cuts: u8,
    pub(in super::super) snapshots: u8,
    pub(in super::super) expiries: u8,
    /// How often the disk loses what was durable.
    pub(in super::super) goes_back: u8,
    pub(in super::super) closes: u8,
    pub(in super::super) acks: u8,
    pub(in super::super) anews: u8,
    /// How often a handshake comes twice.
    pub(in super::super) twice: u8,
    /// What may be kept, in bytes; 0 for much.
    pub(in super::super) bound: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Step {
    Say(usize),
    Dial(usize),
    Ack(usize),
    Close(usize),
    ReadHandshake(SocketId),
    /// The handshake comes once more, on a connection that the client does not know of.
    Twice(SocketId),
    ReadUp(SocketId),
    ReadDown(SocketId),
    /// The client gives up its socket; what it wrote is lost, or still on its way.
    Cut(SocketId, bool),
    Submit,
    Kept,
    BackAgain,
    Snapshot,
    TellDurable,
    Expire,
    Anew,
    /// The server is killed and starts again; what was on its way to the disk is there, or not.
    Kill(bool),
    FinishReplay,
    /// As killed; the last that was durable is not there any more.
    GoBack,
}

#[derive(Debug, Clone, Hash)]
pub(in super::super) struct World {
    pub(super) left: Plan,
    pub(super) users: Vec<User>,
    pub(super) connections: BTreeMap<SocketId, Connection>,
    pub(super) next_socket: u64,
    pub(super) server: Server,
    pub(super) disk: Disk,
    pub(super) went_back: bool,
}

#[derive(Debug, Clone, Hash)]
pub(super) struct User {
    pub(super) client: SessionClient,
    pub(super) keys: u8,
    pub(super) said: u32,
    /// All that was said in this session, in order.
    pub(super) session: Vec<String>,
    /// What the application was told that nobody knows.
    pub(super) unsettled: Vec<String>,
    pub(super) got_from: u64,
    pub(super) got: Vec<Message>,
    /// Whether there is a reason to tell it that the room began anew.
    pub(super) cause: bool,
}

#[derive(Debug, Clone, Hash)]
pub(super) struct Connection {
    pub(super) user: usize,
    pub(super) attempt: u64,
    /// Until the server has read it.
    pub(super) handshake: Option<Request>,
    pub(super) up: VecDeque<Up>,
    pub(super) down: VecDeque<Down>,
    /// The server has closed it, or never knew it.
    pub(super) is_over: bool,
}

#[derive(Debug, Clone, Hash)]
pub(super) enum Up {
    Message(Message),
    End { by_client: bool },
}

#[derive(Debug, Clone, Hash)]
pub(super) enum Down {
    Message(Message),
    End(u16, String),
}

#[derive(Debug, Clone, Hash)]
pub(super) struct Server {
    pub(super) host: SessionHost,
    pub(super) service: Service,
    pub(super) events: u64,
    pub(super) durable: u64,
    pub(super) unsubmitted: Vec<Ev>,
    pub(super) on_its_way: Vec<Ev>,
    pub(super) saving: Option<(u64, Vec<u8>, Service)>,
    /// Who said what the room has failed at.
    pub(super) failed: Option<(ClientId, String)>,
    /// Which sockets are whose, as far as they were welcomed.
    pub(super) attached: BTreeMap<SocketId, ClientId>,
    pub(super) is_replaying: bool,
}

#[derive(Debug, Clone, Hash)]
pub(super) struct Disk {
    pub(super) snapshot: (u64, Vec<u8>, Service),
    pub(super) journal: Vec<Ev>,
    pub(super) incarnation: u64,
    /// The room after all that is on the disk.
    pub(super) room: Service,
}

pub(super) const START: Timestamp = Timestamp::from_origin(Duration::ZERO);

pub(super) fn later(seconds: u64) -> Timestamp {
    Timestamp::from_origin(Duration::from_secs(seconds))
}

impl Disk {
    pub(super) fn settings(plan: &Plan) -> SessionSettings {
        let default = SessionSettings::default();
        match plan.bound {
            0 => default,
            retained_bytes => SessionSettings { retained_bytes, ..default },
        }
    }

    /// The room as it is on the disk: its sessions, and itself.
    pub(super) fn bring_back(&self) -> Result<(Ledger, Service), String> {
        let (_, bytes, service) = &self.snapshot;
        let mut ledger = Ledger::decode(bytes).map_err(|error| error.to_string())?;
        let mut service = service.clone();
        for event in &self.journal {
            for done in service.hear(event)? {
                let is_said = matches!(done, Done::Sent(..));
                if !(is_said && is_on(Fault::ReplayForgetsCommands)) {
                    ledger.apply(done.happened());
                }
            }
        }
        Ok((ledger, service))
    }

    pub(super) fn events(&self) -> u64 {
        self.snapshot.0 + self.journal.len() as u64
    }
}

impl World {
    pub(in super::super) fn new(plan: Plan) -> Self {
        let life = Life { epoch: 1, incarnation: 1 };
        let ledger = Ledger::new(life);
        let mut service = Service::default();
        service.epoch = 1;
        let disk = Disk {
            snapshot: (0, ledger.encode(), service.clone()),
            journal: Vec::new(),
            incarnation: 1,
            room: service.clone(),
        };
        let host = SessionHost::open(ledger, Disk::settings(&plan), 0, START);
        let server = Server {
            host,
            service,
            events: 0,
            durable: 0,
            unsubmitted: Vec::new(),
            on_its_way: Vec::new(),
            saving: None,
            failed: None,
            attached: BTreeMap::new(),
            is_replaying: false,
        };
        let user = |_| User {
            client: SessionClient::new(ClientSettings::default(), START),
            keys: 0,
            said: 0,
            session: Vec::new(),
            unsettled: Vec::new(),
            got_from: 0,
            got: Vec::new(),
            cause: false,
        };
        let users =
            (0..2).filter(|user| *user == 0 || !plan.says[1].is_empty()).map(user).collect();
        let connections = BTreeMap::new();
        World { left: plan, users, connections, next_socket: 1, server, disk, went_back: false }
    }
}
