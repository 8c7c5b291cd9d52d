//! What is to happen, as the environment says.
#![allow(unsafe_code)]

use crate::{control::Control, refuse::refuse};
use std::{os::unix::ffi::OsStringExt as _, sync::OnceLock, time::Duration};

/// What is to happen, read once.
pub(crate) struct Plan {
    folder: Option<Vec<u8>>,
    /// At which call; 0 for none.
    pub(crate) call: u64,
    pub(crate) kind: Kind,
    pub(crate) is_sticky: bool,
    pub(crate) flush_delay: Duration,
    /// Seconds that the wall clock is ahead.
    pub(crate) clock_offset: i64,
    pub(crate) control: &'static Control,
}

/// What can happen to a call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It fails with this number of an error.
    Fails(libc::c_int),
    Short,
    Torn,
    KilledBefore,
    KilledAfter,
}

static PLAN: OnceLock<Plan> = OnceLock::new();

/// Before `main`, while there is one thread.
// SAFETY: the section holds functions of this type, which libc calls once.
#[unsafe(link_section = ".init_array")]
#[used]
static BEGIN: extern "C" fn() = begin;

extern "C" fn begin() {
    let plan = Plan::read();
    let _ = PLAN.set(plan);
}

/// `None` until it has been read: what is called before is let through.
pub(crate) fn plan() -> Option<&'static Plan> {
    PLAN.get()
}

/// The folder whose calls are counted.
pub(crate) fn folder() -> Option<&'static [u8]> {
    plan()?.folder.as_deref()
}

impl Plan {
    fn read() -> Plan {
        let variable = |name: &str| std::env::var_os(format!("STATEROOM_FAULT_{name}"));
        let text = |name: &str| variable(name).map(|value| value.to_string_lossy().into_owned());
        let number = |name: &str| {
            text(name).map_or(0_i64, |value| value.parse().unwrap_or_else(|_| refuse(name, &value)))
        };
        let kind = text("KIND").map_or(Kind::KilledBefore, |kind| Kind::named(&kind));
        Plan {
            folder: variable("FOLDER").map(|folder| folder.into_vec()),
            call: number("CALL").unsigned_abs(),
            kind,
            is_sticky: number("STICKY") != 0,
            flush_delay: Duration::from_millis(number("DELAY_FLUSH").unsigned_abs()),
            clock_offset: number("CLOCK_OFFSET"),
            control: Control::open(variable("FILE")),
        }
    }
}

impl Kind {
    fn named(name: &str) -> Kind {
        match name {
            "eio" => Kind::Fails(libc::EIO),
            "enospc" => Kind::Fails(libc::ENOSPC),
            "emfile" => Kind::Fails(libc::EMFILE),
            "eacces" => Kind::Fails(libc::EACCES),
            "short" => Kind::Short,
            "torn" => Kind::Torn,
            "kill-before" => Kind::KilledBefore,
            "kill-after" => Kind::KilledAfter,
            _ => refuse("KIND", name),
        }
    }
}
