//! Who has got what, as the promises of sessions say it in few words.

use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;

pub(super) const PEOPLE: usize = 3;

/// What happens, as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Somebody comes, or comes back.
    Come(usize),
    /// Their connection is lost, and they cannot come back for now.
    Cut(usize),
    /// They say something, whether or not they are there. The room says it to everybody.
    Say(usize),
    /// The room says something to them alone.
    Tell(usize),
    /// The room says something to all others.
    TellOthers(usize),
    /// The room closes them.
    Kick(usize),
    /// They leave for good.
    Leave(usize),
    /// The server is killed, and starts again; whoever was there comes back at once.
    Restart,
    /// So much time passes that whoever is away has been away too long.
    TooLong,
}

/// Where somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Nowhere,
    Here,
    Away,
    /// Closed by the room, or gone for good.
    Over,
}

#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) place: Place,
    /// Whether the room has a session of theirs in which it says something to them.
    in_room: bool,
    /// Whether the room has closed them, and they have yet to hear of it; and whether their session is kept so long.
    pub(super) kicked: Option<bool>,
    /// All that they have got of this session, if they are there.
    pub(super) stream: Vec<String>,
    /// What they have said while they were away.
    waiting: Vec<String>,
    /// What they were given back, and how often a session of theirs was over.
    pub(super) given_back: Vec<String>,
    pub(super) begun_again: u32,
    said: u32,
}

#[derive(Debug, Clone)]
pub(super) struct Model {
    pub(super) people: Vec<Person>,
    /// What the room has heard.
    pub(super) heard: Vec<String>,
    pub(super) told: u32,
}

impl Model {
    pub(super) fn new() -> Model {
        let nobody = Person {
            place: Place::Nowhere,
            in_room: false,
            kicked: None,
            stream: Vec::new(),
            waiting: Vec::new(),
            given_back: Vec::new(),
            begun_again: 0,
            said: 0,
        };
        Model { people: vec![nobody; PEOPLE], heard: Vec::new(), told: 0 }
    }

    /// What somebody says next.
    pub(super) fn line(who: usize, number: u32) -> String {
        // Some of it has to be doubled.
        let mark = if number % 3 == 2 { "\0" } else { "" };
        format!("{mark}{who} says {number}")
    }

    fn room_hears(&mut self, line: &str) {
        self.heard.push(line.to_owned());
        self.room_says(|_| true, line);
    }

    fn room_says(&mut self, is_for: impl Fn(usize) -> bool, text: &str) {
        for (who, person) in self.people.iter_mut().enumerate() {
            if person.in_room && is_for(who) {
                person.stream.push(text.to_owned());
            }
        }
    }

    fn comes(&mut self, who: usize) {
        let person = &mut self.people[who];
        if person.kicked.is_some() {
            let waiting = std::mem::take(&mut person.waiting);
            person.given_back.extend(waiting);
            person.place = Place::Over;
            return;
        }
        let waiting = std::mem::take(&mut person.waiting);
        let is_over = person.place == Place::Away && !person.in_room;
        person.place = Place::Here;
        if is_over {
            person.given_back.extend(waiting);
            person.begun_again += 1;
            person.stream.clear();
            person.in_room = true;
            return;
        }
        person.in_room = true;
        for line in waiting {
            self.room_hears(&line);
        }
    }
}

impl ReferenceStateMachine for Model {
    type State = Model;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Model> {
        Just(Model::new()).boxed()
    }

    fn transitions(state: &Model) -> BoxedStrategy<Step> {
        let of_one = (0..PEOPLE).flat_map(|who| {
            let some = [Step::Come(who), Step::Cut(who), Step::Say(who), Step::Say(who)];
            let few = [Step::Tell(who), Step::TellOthers(who), Step::Kick(who), Step::Leave(who)];
            // The last two end it.
            [some, some, some, few].into_iter().flatten()
        });
        let steps = of_one.chain([Step::Restart, Step::TooLong]);
        let possible = steps.filter(|step| Model::preconditions(state, step));
        prop::sample::select(possible.collect::<Vec<_>>()).boxed()
    }

    fn preconditions(state: &Model, step: &Step) -> bool {
        let place = |who: usize| state.people[who].place;
        match *step {
            Step::Come(who) => matches!(place(who), Place::Nowhere | Place::Away),
            Step::Cut(who) | Step::Leave(who) => place(who) == Place::Here,
            Step::Say(who) => matches!(place(who), Place::Here | Place::Away),
            Step::Tell(who) | Step::TellOthers(who) | Step::Kick(who) => state.people[who].in_room,
            Step::Restart | Step::TooLong => true,
        }
    }

    fn apply(mut state: Model, step: &Step) -> Model {
        match *step {
            Step::Come(who) => state.comes(who),
            Step::Cut(who) => state.people[who].place = Place::Away,
            Step::Say(who) => {
                let person = &mut state.people[who];
                let line = Model::line(who, person.said);
                person.said += 1;
                match person.place {
                    Place::Here => state.room_hears(&line),
                    _ => person.waiting.push(line),
                }
            }
            Step::Tell(who) => {
                let text = format!("for {who} {}", state.told);
                state.told += 1;
                state.room_says(|other| other == who, &text);
            }
            Step::TellOthers(who) => {
                let text = format!("for others {}", state.told);
                state.told += 1;
                state.room_says(|other| other != who, &text);
            }
            Step::Kick(who) => {
                let person = &mut state.people[who];
                (person.in_room, person.kicked) = (false, Some(true));
                if person.place == Place::Here {
                    person.place = Place::Over;
                }
            }
            Step::Leave(who) => {
                let person = &mut state.people[who];
                (person.place, person.in_room) = (Place::Over, false);
            }
            Step::Restart => {}
            Step::TooLong => {
                for person in &mut state.people {
                    if person.place == Place::Away {
                        person.in_room = false;
                        person.kicked = person.kicked.map(|_| false);
                    }
                }
            }
        }
        state
    }
}
