//! Each call of the file system in the lives of a server, as it fails, or as the process is killed
//! there: what clients were told is there afterwards, once and in order, and every room opens.
//!
//! `FAULT_RUN=all` tries all calls, each in every way in which it can fail (or, with `FAULT_EVERY=K`,
//! each `K`th of these runs); `FAULT_RUN=LEVEL/CALL/KIND` one of them, as in `power-loss/137/eio`;
//! without it some are tried, chosen by `FAULT_SEED`.

mod lives;
mod run;
mod script;

use crate::preload::{KINDS, can_happen};
use run::{LEVELS, Run};
use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Instant,
};

/// How many servers at most are tried at once.
const AT_ONCE: usize = 2;

/// How many runs there are where not all of them are asked for.
const SAMPLE: usize = 48;

#[test]
fn whatever_call_fails_or_is_the_last_nothing_is_lost_that_was_told() {
    let asked = std::env::var("FAULT_RUN").unwrap_or_default();
    if !matches!(&*asked, "" | "all") {
        let run = Run::parse(&asked).expect("FAULT_RUN is LEVEL/CALL/KIND");
        let ended = run.carry_out();
        eprintln!("{asked}: {ended:?}");
        ended.unwrap_or_else(|problem| panic!("{asked}: {problem}"));
        return;
    }
    let started = Instant::now();
    let mut runs = all_runs();
    let number = |name, default| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    if asked == "all" {
        runs = runs.into_iter().step_by(number("FAULT_EVERY", 1) as usize).collect();
    } else {
        let seed = number("FAULT_SEED", 1);
        eprintln!("FAULT_SEED={seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        // Spread over all of the calls.
        let every = runs.len() as f64 / SAMPLE as f64;
        let chosen = (0..SAMPLE).map(|part| ((part as f64 + random.f64()) * every) as usize);
        runs = chosen.filter_map(|place| runs.get(place).cloned()).collect();
    }
    let (next, met) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(run) = runs.get(next.fetch_add(1, Relaxed)) {
                    match run.carry_out() {
                        Ok(has_happened) => _ = met.fetch_add(has_happened.into(), Relaxed),
                        Err(problem) => {
                            let profile = if cfg!(debug_assertions) { "" } else { "--release " };
                            let command = format!("cargo test {profile}-p stateroom-cli --test it");
                            eprintln!("WRONG: {problem}\n  FAULT_RUN={run} {command} every_fault");
                            wrong.lock().unwrap().push(run.to_string());
                        }
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    let (runs, met) = (runs.len(), met.into_inner());
    let (count, seconds) = (wrong.len(), started.elapsed().as_secs());
    eprintln!("{runs} runs in {seconds} s, in {met} of them the fault was met; {count} wrong");
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(met > runs / 2, "most of them meet their fault");
}

/// All that can be tried, call after call.
fn all_runs() -> Vec<Run> {
    let mut runs = Vec::new();
    for level in LEVELS {
        let undisturbed = Run::new(level, 0, "kill-before");
        let told = undisturbed.count().unwrap_or_else(|problem| panic!("{undisturbed}: {problem}"));
        eprintln!("{level}: {} calls", told.len());
        for (call, told) in (1..).zip(told) {
            let kinds = KINDS.into_iter().filter(|kind| can_happen(kind, told));
            runs.extend(kinds.map(|kind| Run::new(level, call, kind)));
        }
    }
    runs
}
