//! The code that kept rooms run: what is known of it, and what is remembered.

use crate::{factory::RoomFactory, lock::lock};
use stateroom::CodeVersion;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, Weak},
};

/// How much code is remembered that no room in memory runs: what was used last. Beside that there is as
/// much in memory as rooms in memory run.
const REMEMBERED: usize = 8;

/// Code that can be kept.
pub(crate) struct Code<F> {
    pub(crate) factory: Arc<F>,
    pub(crate) version: CodeVersion,
}

impl<F> Clone for Code<F> {
    fn clone(&self) -> Self {
        Code { factory: self.factory.clone(), version: self.version }
    }
}

/// Code that was loaded, for the next room that runs it.
pub(crate) struct Codes<F>(Mutex<Known<F>>);

struct Known<F> {
    /// All that may be in use.
    used: Vec<(CodeVersion, Weak<F>)>,
    /// What was asked for last, the newest at the end.
    recent: VecDeque<Code<F>>,
}

impl<F: RoomFactory> Codes<F> {
    pub(crate) fn new() -> Self {
        Codes(Mutex::new(Known { used: Vec::new(), recent: VecDeque::new() }))
    }

    pub(crate) fn remember(&self, code: &Code<F>) {
        let known = &mut *lock(&self.0);
        known
            .used
            .retain(|(version, factory)| *version != code.version && factory.strong_count() > 0);
        known.used.push((code.version, Arc::downgrade(&code.factory)));
        known.recent.retain(|recent| recent.version != code.version);
        known.recent.push_back(code.clone());
        if known.recent.len() > REMEMBERED {
            known.recent.pop_front();
        }
    }

    pub(crate) fn find(&self, version: CodeVersion) -> Option<Code<F>> {
        let factory = {
            let known = lock(&self.0);
            let (_, factory) = known.used.iter().find(|(known, _)| *known == version)?;
            factory.upgrade()?
        };
        let code = Code { factory, version };
        self.remember(&code);
        Some(code)
    }
}
