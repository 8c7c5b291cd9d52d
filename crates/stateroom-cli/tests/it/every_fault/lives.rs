//! Lives of a server in which something fails: how they begin and end, and what must become of a server
//! that has failed somebody.

use super::{
    run::rooms,
    script::{DELETED, PATIENCE, ROOMS, Script},
};
use crate::{
    kept::ledger,
    ledgers::Talker,
    preload::cached,
    process::{Running, try_get},
};
use std::{
    process::ExitStatus,
    time::{Duration, Instant},
};

/// Whether there is anything left to be done.
enum Next {
    GoOn,
    /// The process was killed, or ended for what had happened.
    Check,
}

type Told<T> = Result<T, String>;

impl Script<'_> {
    pub(super) async fn play(&mut self) -> Told<()> {
        if let Next::Check = self.live(1, "-TERM").await? {
            return Ok(());
        }
        if let Next::Check = self.delete()? {
            return Ok(());
        }
        self.site.deploy(&ledger(1));
        if let Next::Check = self.live(2, "-KILL").await? {
            return Ok(());
        }
        self.live(3, "-TERM").await.map(drop)
    }

    /// A life of the server, which this signal ends.
    async fn live(&mut self, life: u8, signal: &str) -> Told<Next> {
        let mut command = cached(self.site.command());
        self.fault.put_on(&mut command);
        let mut server = Running::start(&mut command);
        let Some(address) = server.try_address(PATIENCE) else {
            return self.ended(&mut server, None, false);
        };
        let talked = match life {
            1 => self.first_life(&address).await,
            2 => self.second_life(&address).await,
            _ => self.third_life(&address).await,
        };
        let mut signal = Some(signal);
        if let Err(stop) = talked {
            if !self.has_happened() {
                return Err(format!(
                    "nothing has failed, but in life {life} a client was told {stop}\n{}",
                    server.said()
                ));
            }
            match self.afterwards(&address, &mut server).await {
                Afterwards::Serves => {}
                Afterwards::Ends => signal = None,
                Afterwards::Neither(problem) => {
                    return Err(format!("{problem}, after {stop}\n{}", server.said()));
                }
            }
        }
        if let Some(signal) = signal
            && server.ends_within(Duration::ZERO).is_none()
        {
            server.signal(signal);
        }
        for talker in std::mem::take(&mut self.talkers) {
            self.visits.push(talker.rest(PATIENCE).await);
        }
        self.ended(&mut server, signal, true)
    }

    /// How a server ended, which may have been told to.
    fn ended(&self, server: &mut Running, signal: Option<&str>, has_served: bool) -> Told<Next> {
        let status = server.ends_within(PATIENCE);
        let said = server.said();
        let problem = |what: &str| Err(format!("the server {what}; it said\n{said}"));
        let Some(status) = status else { return problem("goes on") };
        // Guests may.
        if said.lines().any(|line| line.contains("panicked") && !line.contains("guest")) {
            return problem("panicked");
        }
        if signal == Some("-KILL") && status.code().is_none() {
            return Ok(Next::GoOn);
        }
        match status.code() {
            Some(0) if signal == Some("-TERM") => Ok(Next::GoOn),
            None if self.is_kill && self.has_happened() && was_killed(status) => Ok(Next::Check),
            Some(74) if self.has_happened() => Ok(Next::Check),
            // It says why it does not start, or which rooms it could not save.
            Some(1..=8) if self.has_happened() && (!has_served || signal.is_some()) => {
                Ok(Next::Check)
            }
            _ => problem(&format!("ended with {status}")),
        }
    }

    /// Something has failed: what becomes of a server that has said so to a client.
    async fn afterwards(&mut self, address: &str, server: &mut Running) -> Afterwards {
        let deadline = Instant::now() + PATIENCE;
        let mut left: Vec<usize> = (0..ROOMS.len()).collect();
        let mut last = None;
        while Instant::now() < deadline {
            if server.ends_within(Duration::ZERO).is_some() {
                return Afterwards::Ends;
            }
            if try_get(address, "/healthz").is_some_and(|(status, _)| status == 503) {
                return match server.ends_within(PATIENCE) {
                    Some(_) => Afterwards::Ends,
                    None => Afterwards::Neither("it fails, and does not end".to_owned()),
                };
            }
            let Some(&room) = left.first() else { return Afterwards::Serves };
            self.next_number += 1;
            let number = self.next_number;
            let patience = Duration::from_secs(2);
            match Talker::enter(address, ROOMS[room], room, patience).await {
                Ok(mut talker) => {
                    match talker.enters("add", number, patience).await {
                        Ok(()) => _ = left.remove(0),
                        Err(stop) => last = Some(stop),
                    }
                    self.talkers.push(talker);
                }
                Err(stop) => last = Some(stop),
            }
            if last.is_some() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Afterwards::Neither(format!(
            "it says that it is well, but {} is refused: {last:?}",
            ROOMS[left[0]]
        ))
    }

    /// Has a room deleted while no server runs.
    fn delete(&mut self) -> Told<Next> {
        let mut command = rooms(self.site, &["delete", ROOMS[DELETED]]);
        self.fault.put_on(&mut command);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let status = output.status;
        let has_failed = !status.success();
        if said.contains("panicked") || has_failed && !self.has_happened() {
            return Err(format!("`rooms delete` ended with {status}: {said}"));
        }
        if status.code().is_none() && !(self.is_kill && was_killed(status)) {
            return Err(format!("`rooms delete` ended with {status}: {said}"));
        }
        // It said that it is gone; or nobody can know.
        self.may_be_deleted = has_failed;
        self.visits.retain(|visit| has_failed || visit.room != DELETED);
        Ok(if has_failed { Next::Check } else { Next::GoOn })
    }
}

/// What became of a server after a fault.
enum Afterwards {
    Serves,
    Ends,
    Neither(String),
}

fn was_killed(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    status.signal() == Some(9)
}
