//! `stateroom replay`: lets a room hear again what it has heard, and tells what it does.

use crate::{
    bring_back::{self, ServiceState},
    failure::Failure,
    room_options::ReplayOptions,
    rooms::{Place, read_file},
    short, terminal,
};
use anyhow::anyhow;
use serde_json::json;
use stateroom_room::{Event, Record, Room, describe};
use stateroom_wasm_host::WasmHost;
use std::path::Path;

/// How many digits of a state's digest tell it from others.
const DIGEST_DIGITS: usize = 16;

pub(crate) fn replay(options: &ReplayOptions) -> anyhow::Result<()> {
    let place = Place::find(&options.store)?;
    let file = Path::new(&options.room);
    let exported = if file.is_file() {
        read_file(file)?
    } else if place.exists() && place.nothing_yet().is_none() {
        place.room(&options.room)?
    } else {
        return Err(place.neither_file_nor_room(&options.room));
    };
    let at = exported.stored.snapshot.at;
    if let Some(until) = options.until.filter(|until| *until < at) {
        let problem = anyhow!("--until {until}: what is kept begins after event {at}");
        return Err(problem.context(Failure::Usage));
    }
    let factory = bring_back::load(&exported, &place.config, &options.limits)?;
    let mut room = bring_back::begin(&exported, &factory)?;
    let mut teller = Teller { as_json: options.json };
    if !teller.tell_beginning(&mut room)? {
        return Ok(());
    }
    for part in &exported.stored.tail {
        let (mut rest, mut number) = (part.records.as_slice(), part.follows);
        while !rest.is_empty() {
            let (record, after) = Record::read(rest)
                .map_err(|error| bring_back::explain(&exported, &error.into()))?;
            rest = after;
            number = number.saturating_add(1);
            if options.until.is_some_and(|until| number > until) {
                break;
            }
            // The snapshot may be from the midst of the part.
            if number > at {
                let before = room.deadline();
                room.hear_again(&record)
                    .map_err(|failure| bring_back::explain(&exported, &failure))?;
                if !teller.tell(&mut room, record.event, before)? {
                    return Ok(());
                }
            }
        }
    }
    if options.state {
        teller.tell_state(bring_back::service_state(&mut room)?)?;
    }
    Ok(())
}

/// Prints, and tells whether anybody reads it still.
struct Teller {
    as_json: bool,
}

impl Teller {
    fn tell_beginning(&mut self, room: &mut Room<WasmHost>) -> anyhow::Result<bool> {
        let (number, time) = (room.events(), short::timestamp(room.heard_at()));
        let digest = digest(room);
        let text = if self.as_json {
            let timer = room.deadline().map(short::timestamp);
            let snapshot = json!({
                "event": number, "time": time, "what": "the snapshot", "timer": timer, "state": digest,
            });
            format!("{snapshot}\n")
        } else {
            format!("{number:>8}  {time}  the snapshot\n          state {digest}\n")
        };
        Ok(terminal::print(&text)?)
    }

    /// Tells of an event that was just heard, before which the timer was `timer_before`.
    fn tell(
        &mut self,
        room: &mut Room<WasmHost>,
        event: Event<'_>,
        timer_before: Option<stateroom_room::Timestamp>,
    ) -> anyhow::Result<bool> {
        let (number, time) = (room.events(), short::timestamp(room.heard_at()));
        let timer = room.deadline();
        let digest = digest(room);
        let mut text = String::new();
        if self.as_json {
            let mut commands = Vec::new();
            room.drain_commands(|command| commands.push(short::command_json(command)));
            let object = json!({
                "event": number,
                "time": time,
                "what": describe(event).to_string(),
                "payload": short::payload_json(event),
                "commands": commands,
                "timer": timer.map(short::timestamp),
                "state": digest,
            });
            text = format!("{object}\n");
        } else {
            let mut line = |lead: &str, what: &str| text.extend([lead, what, "\n"]);
            line(&format!("{number:>8}  {time}  "), &short::event(event));
            let indent = " ".repeat(10);
            room.drain_commands(|command| line(&indent, &short::command(command)));
            match timer {
                Some(timer) if Some(timer) != timer_before => {
                    line(&indent, &format!("set the timer to {}", short::timestamp(timer)));
                }
                None if timer_before.is_some() && event != Event::Timer => {
                    line(&indent, "clear the timer");
                }
                _ => {}
            }
            line(&indent, &format!("state {digest}"));
        }
        Ok(terminal::print(&text)?)
    }

    fn tell_state(&mut self, told: Option<ServiceState>) -> anyhow::Result<()> {
        let state = told.map(|told| told.state);
        let text = match (self.as_json, state) {
            (true, state) => format!("{}\n", json!({ "service_state": state })),
            (false, Some(state)) => format!("{state:#}\n"),
            (false, None) => {
                let none = "this service has not opted in to it with #[stateroom_wasm(carry_over)]";
                terminal::complain("No state", none);
                String::new()
            }
        };
        terminal::print(&text)?;
        Ok(())
    }
}

/// The first digits of the digest of all that the room's future rests on.
fn digest(room: &mut Room<WasmHost>) -> String {
    let digest = room.service_mut().state_digest();
    let mut digits = digest.map_or_else(|| "unknown".to_owned(), |it| short::hexadecimal(&it));
    digits.truncate(DIGEST_DIGITS);
    digits
}
