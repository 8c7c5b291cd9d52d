//! What clients of ledgers have said and seen, and whether a ledger agrees with all of them.

use crate::kept::{End, Member};
use futures_util::SinkExt as _;
use std::{collections::HashSet, fmt, time::Duration};
use tokio::time::timeout;

/// From here on an entry of the ledger is a tick of its timer.
pub(crate) const TICK: u64 = 1 << 32;

/// From joining a room to the end of the connection.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) room: usize,
    pub(crate) id: u32,
    /// How many entries there were.
    pub(crate) joined_at: usize,
    /// Those that came then, as far as it was told.
    pub(crate) seen: Vec<u64>,
    /// What it said to be entered, in order.
    pub(crate) sent: Vec<u64>,
    /// What it said last, so that the message fails.
    pub(crate) trapped: Option<u64>,
    pub(crate) end: End,
}

impl Visit {
    /// Of a client that was given this welcome.
    pub(crate) fn new(room: usize, welcome: &str) -> Visit {
        let mut words = welcome.split(' ').skip(1);
        Visit {
            room,
            id: words.next().unwrap().parse().unwrap(),
            joined_at: words.next().unwrap().parse().unwrap(),
            seen: Vec::new(),
            sent: Vec::new(),
            trapped: None,
            end: None,
        }
    }

    /// Notes what it was told.
    pub(crate) fn hears(&mut self, text: &str) {
        if let Some(number) = text.strip_prefix("added ") {
            self.seen.push(number.parse().unwrap());
        }
    }

    /// Whether it was closed because its message failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.end.as_ref().is_some_and(|(code, _)| *code == 1011)
    }
}

/// What is known of a room.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) log: Vec<u64>,
    sent: HashSet<u64>,
    ids: HashSet<u32>,
}

impl Known {
    /// Whether this can be its ledger now, after these visits, and then takes it for that. Unless the
    /// disk failed, a client is closed for what it sent alone.
    pub(crate) fn compare(
        &mut self,
        log: Vec<u64>,
        visits: &[Visit],
        has_disk_failed: bool,
    ) -> Result<(), String> {
        if !log.starts_with(&self.log) {
            return Err("what was there before has changed".to_owned());
        }
        let entries: HashSet<_> = log.iter().collect();
        for visit in visits {
            let at = visit.joined_at;
            if log.get(at..at + visit.seen.len()) != Some(&visit.seen) {
                return Err(format!("client {} has seen something else", visit.id));
            }
            if visit.trapped.is_some_and(|trapped| entries.contains(&trapped)) {
                return Err(format!("a message of client {} that failed is there", visit.id));
            }
            let mut rest = log.iter();
            let entered =
                visit.sent.iter().take_while(|sent| rest.any(|entry| entry == *sent)).count();
            let (_, lost) = visit.sent.split_at(entered);
            if lost.iter().any(|number| entries.contains(number)) {
                return Err(format!("client {}'s {} is missing before others", visit.id, lost[0]));
            }
            let is_fault_of_its_own = visit.trapped.is_some() && lost.is_empty();
            if visit.has_failed() && !is_fault_of_its_own && !has_disk_failed {
                return Err(format!("client {} was closed: {:?}", visit.id, visit.end));
            }
            if !self.ids.insert(visit.id) {
                return Err(format!("client {} was there before", visit.id));
            }
            self.sent.extend(&visit.sent);
        }
        if entries.len() != log.len() {
            return Err("an entry is there twice".to_owned());
        }
        let (ticks, numbers): (Vec<u64>, Vec<u64>) = log.iter().partition(|entry| **entry >= TICK);
        if let Some(unknown) = numbers.iter().find(|number| !self.sent.contains(number)) {
            return Err(format!("nobody has said {unknown}"));
        }
        if !ticks.iter().zip(TICK..).all(|(tick, wanted)| *tick == wanted) {
            return Err("a tick of the timer is missing".to_owned());
        }
        self.log = log;
        Ok(())
    }
}

/// Why a client did not get what it waited for.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It was turned away, or its connection ended.
    Ended(String),
    /// Nothing was said for long.
    Silent,
}

impl fmt::Display for Stop {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Ended(how) => write!(formatter, "its connection has ended: {how}"),
            Stop::Silent => write!(formatter, "nothing is said"),
        }
    }
}

/// A client that says one thing after the other, and notes all that it is told.
pub(crate) struct Talker {
    pub(crate) member: Member,
    pub(crate) visit: Visit,
}

impl Talker {
    /// Joins a room, which the caller counts as its `number`th.
    pub(crate) async fn enter(
        address: &str,
        room: &str,
        number: usize,
        patience: Duration,
    ) -> Result<Talker, Stop> {
        let joining = async {
            let ended = |end: String| Stop::Ended(end);
            let mut member =
                Member::try_join(address, room).await.map_err(|error| ended(error.to_string()))?;
            loop {
                let text = member.next().await.map_err(|end| ended(format!("{end:?}")))?;
                if text.starts_with("welcome") {
                    let visit = Visit::new(number, &text);
                    return Ok(Talker { member, visit });
                }
            }
        };
        timeout(patience, joining).await.unwrap_or(Err(Stop::Silent))
    }

    /// What it is told next.
    pub(crate) async fn next(&mut self, patience: Duration) -> Result<String, Stop> {
        match timeout(patience, self.member.next()).await {
            Ok(Ok(text)) => {
                self.visit.hears(&text);
                Ok(text)
            }
            Ok(Err(end)) => {
                let stop = Stop::Ended(format!("{end:?}"));
                self.visit.end = end;
                Err(stop)
            }
            Err(_) => Err(Stop::Silent),
        }
    }

    /// The rest of the next message that begins with `start`.
    pub(crate) async fn hears(&mut self, start: &str, patience: Duration) -> Result<String, Stop> {
        loop {
            if let Some(rest) = self.next(patience).await?.strip_prefix(start) {
                return Ok(rest.to_owned());
            }
        }
    }

    pub(crate) async fn says(&mut self, text: &str) -> Result<(), Stop> {
        let sent = self.member.socket.send(text.to_owned().into()).await;
        sent.map_err(|error| Stop::Ended(error.to_string()))
    }

    /// Has a number entered, by this verb, and waits until it is told so.
    pub(crate) async fn enters(
        &mut self,
        verb: &str,
        number: u64,
        patience: Duration,
    ) -> Result<(), Stop> {
        self.visit.sent.push(number);
        self.says(&format!("{verb} {number}")).await?;
        let entered = format!("added {number}");
        while self.next(patience).await? != entered {}
        Ok(())
    }

    /// Asks for what the room answers under the same word.
    pub(crate) async fn ask(&mut self, word: &str, patience: Duration) -> Result<String, Stop> {
        self.says(word).await?;
        self.hears(&format!("{word} "), patience).await
    }

    /// The whole ledger.
    pub(crate) async fn log(&mut self, patience: Duration) -> Result<Vec<u64>, Stop> {
        let log = self.ask("log", patience).await?;
        Ok(serde_json::from_str(&log).unwrap())
    }

    /// Hears all that there is, to the end of the connection.
    pub(crate) async fn rest(mut self, patience: Duration) -> Visit {
        let _ = timeout(patience, async { while self.next(patience).await.is_ok() {} }).await;
        self.visit
    }
}
