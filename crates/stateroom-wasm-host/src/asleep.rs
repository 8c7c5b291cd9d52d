//! What a sleeping room keeps of its state: raw at first, compressed when somebody has found time.

use crate::{
    compress::{DamagedState, SleepingState},
    snapshot::Snapshot,
};
use stateroom::Compression;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// The state of one sleeping room, which another thread may compress meanwhile.
pub(crate) struct Kept(Arc<Mutex<Form>>);

/// A state, as it is kept. Cloning it gives another handle to the same.
#[derive(Clone)]
pub(crate) enum Form {
    Raw(Arc<Snapshot>),
    Compressed(SleepingState),
}

impl Kept {
    /// Keeps `snapshot`, and gives the work that makes it smaller.
    pub(crate) fn new(snapshot: Snapshot) -> (Kept, Compression) {
        let form = Arc::new(Mutex::new(Form::Raw(Arc::new(snapshot))));
        let kept = Arc::downgrade(&form);
        (Kept(form), Compression::new(move || compress(&kept)))
    }

    /// Keeps what was kept before.
    pub(crate) fn again(form: Form) -> Kept {
        Kept(Arc::new(Mutex::new(form)))
    }

    /// The state, which stays kept.
    pub(crate) fn snapshot(&self) -> Result<Arc<Snapshot>, DamagedState> {
        match self.form() {
            Form::Raw(snapshot) => Ok(snapshot),
            Form::Compressed(sleeping) => Ok(Arc::new(sleeping.decompress()?)),
        }
    }

    /// The state as it is kept just now.
    pub(crate) fn form(&self) -> Form {
        lock(&self.0).clone()
    }

    /// How many bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        match &*lock(&self.0) {
            Form::Raw(snapshot) => snapshot.bytes(),
            Form::Compressed(sleeping) => sleeping.bytes(),
        }
    }
}

/// Compresses what is kept, if the room sleeps still. The lock is not held while it does so, for
/// the room may want to wake.
fn compress(kept: &Weak<Mutex<Form>>) {
    let Some(form) = kept.upgrade() else { return };
    let Form::Raw(snapshot) = lock(&form).clone() else { return };
    drop(form);
    let compressed = snapshot.compress();
    drop(snapshot);
    // Whoever took a snapshot of this room took a new one, so it is still the same that is kept.
    let Some(form) = kept.upgrade() else { return };
    match compressed {
        Ok(sleeping) => *lock(&form) = Form::Compressed(sleeping),
        Err(error) => tracing::warn!(%error, "the state of a sleeping room stays uncompressed"),
    }
}

fn lock(form: &Mutex<Form>) -> MutexGuard<'_, Form> {
    // A form is whole at every point.
    form.lock().unwrap_or_else(PoisonError::into_inner)
}
