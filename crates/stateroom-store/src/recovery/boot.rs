//! Which start of the machine it is.

use crate::files::Files;
use sha2::{Digest, Sha256};

/// Names this start of the machine.
pub(super) fn boot_id(files: &dyn Files) -> [u8; 16] {
    let name = files.boot().unwrap_or_default();
    let hash: [u8; 32] = Sha256::digest(name.as_bytes()).into();
    hash.first_chunk().copied().unwrap_or_default()
}

/// The same, where the system tells.
pub(crate) fn boot_of(files: &dyn Files) -> Option<[u8; 16]> {
    files.boot().map(|_| boot_id(files))
}
