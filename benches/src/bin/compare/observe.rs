//! Carries out a plan, and looks at the server when measuring begins and when it ends.

use anyhow::{Context as _, ensure};
use stateroom_load::{Dialect, Phase, Plan, Report, run};

/// Carries out `plan`; what came of it, and what `look` saw when measuring began and when it ended.
/// `meanwhile` is called now and then.
pub(crate) fn observe<T>(
    plan: &Plan,
    dialect: &dyn Dialect,
    look: impl Fn() -> anyhow::Result<T>,
    mut meanwhile: impl FnMut(),
) -> anyhow::Result<(Report, T, T)> {
    let (mut begin, mut end) = (None, None);
    let report = run(plan, dialect, |progress| {
        meanwhile();
        match progress.phase {
            Phase::Measuring if begin.is_none() => begin = Some(look()),
            Phase::Finishing if end.is_none() => end = Some(look()),
            _ => {}
        }
    })?;
    let connected = report.counts.connected;
    let errors = || format!("after {connected} connections: {:?}", report.errors);
    ensure!(connected == plan.connections(), errors());
    // Where nothing was left to wait for, it ends now.
    let (begin, end) = (begin.with_context(errors)??, end.unwrap_or_else(look)?);
    Ok((report, begin, end))
}
