//! Which rooms, and so which clients, each thread has.

use super::client::Client;
use crate::{Activity, Expect, OpenedWhen, Plan};

/// A room, as the thread that has it sees it.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) name: String,
    /// How many of its clients are open.
    pub(super) open: u32,
}

/// The part of a plan that one thread carries out.
#[derive(Debug)]
pub(crate) struct Share {
    pub(super) rooms: Vec<Room>,
    pub(super) clients: Vec<Client>,
    /// Those of the clients that send, in the order of their turns.
    pub(super) senders: Vec<usize>,
    /// Their turns among all senders of the run.
    pub(super) turns: Vec<u64>,
    /// Which thread has it, from 0.
    pub(super) thread: u32,
    /// How many threads there are.
    threads: u32,
    clients_per_room: u32,
}

impl Share {
    /// All shares of `plan`.
    pub(crate) fn all(plan: &Plan) -> Vec<Share> {
        let whole = match plan.activity {
            Activity::Messages | Activity::Hold => plan.rooms,
            Activity::ConnectOnly { connections, .. } => connections,
        };
        let threads = plan.threads.min(whole);
        (0..threads).map(|thread| Share::new(plan, thread, threads)).collect()
    }

    fn new(plan: &Plan, thread: u32, threads: u32) -> Share {
        let (mut rooms, mut clients) = (Vec::new(), Vec::new());
        let mut senders = Vec::new();
        let room = |number: u32| Room { name: format!("load-{number}"), open: 0 };
        if let Activity::ConnectOnly { connections, opened } = plan.activity {
            rooms.extend((0..plan.rooms).map(room));
            for number in (thread..connections).step_by(threads as usize) {
                let heard = if opened == OpenedWhen::Echo { number..number + 1 } else { 0..0 };
                clients.push(Client::new(number, number % plan.rooms, heard, false));
            }
        } else {
            let sending = plan.senders_per_room();
            for (index, number) in (thread..plan.rooms).step_by(threads as usize).enumerate() {
                rooms.push(room(number));
                let first = number * plan.clients;
                for place in 0..plan.clients {
                    let client = first + place;
                    let heard = match plan.expect {
                        Expect::Echo if place < sending => client..client + 1,
                        Expect::Broadcast => first..first + sending,
                        Expect::Echo | Expect::None => 0..0,
                    };
                    if place < sending {
                        // Rooms take turns before clients do.
                        let turn = u64::from(place) * u64::from(plan.rooms) + u64::from(number);
                        senders.push((turn, clients.len()));
                    }
                    clients.push(Client::new(client, index as u32, heard, place < sending));
                }
            }
        }
        senders.sort_unstable();
        let (turns, senders) = senders.into_iter().unzip();
        let clients_per_room = plan.clients;
        Share { rooms, clients, senders, turns, thread, threads, clients_per_room }
    }

    /// How many stamped messages the client `number` of the run, one of this thread's, has sent.
    pub(super) fn stamped_by(&self, number: u32) -> u32 {
        let room = number / self.clients_per_room / self.threads;
        let index = room * self.clients_per_room + number % self.clients_per_room;
        self.clients.get(index as usize).map_or(0, |client| client.stamped)
    }
}
