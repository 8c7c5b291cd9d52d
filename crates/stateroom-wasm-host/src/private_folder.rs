//! Whether a folder is one that only the user of this process can write to, so that what lies in it
//! is as trustworthy as this program.

use std::path::{Path, PathBuf};

/// Why a folder is not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotPrivate {
    /// It can't be made or looked at.
    #[cfg(unix)]
    #[error("{} cannot be made or looked at: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    /// Somebody else can change it.
    #[cfg(unix)]
    #[error("{} {problem}", path.display())]
    Open { path: PathBuf, problem: Problem },
    /// This system has other ways to tell who may write.
    #[cfg(not(unix))]
    #[error("on this system it cannot be told who may write to {}", path.display())]
    Unknown { path: PathBuf },
}

/// Makes `folder` if it is not there, and gives its path without links once it is sure that nobody
/// else can write to it or put another in its place.
#[cfg(unix)]
pub(crate) fn open(folder: &Path) -> Result<PathBuf, NotPrivate> {
    use std::{
        fs::DirBuilder,
        os::unix::fs::{DirBuilderExt, MetadataExt},
    };

    let unreadable = |path: &Path, source| NotPrivate::Unreadable { path: path.to_owned(), source };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| unreadable(folder, error))?;
    let folder = folder.canonicalize().map_err(|error| unreadable(folder, error))?;
    let user = rustix::process::geteuid().as_raw();
    // From the root down, so that each is known to stay what it is when the next is looked at.
    let mut path = PathBuf::new();
    for component in folder.components() {
        path.push(component);
        let metadata = path.symlink_metadata().map_err(|error| unreadable(&path, error))?;
        let place = if path == folder { Place::Itself } else { Place::Above };
        if let Some(problem) = problem(place, user, metadata.uid(), metadata.mode()) {
            return Err(NotPrivate::Open { path, problem });
        }
    }
    Ok(folder)
}

#[cfg(not(unix))]
pub(crate) fn open(folder: &Path) -> Result<PathBuf, NotPrivate> {
    Err(NotPrivate::Unknown { path: folder.to_owned() })
}

#[cfg(unix)]
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Itself,
    Above,
}

/// What is wrong with the owner or the mode of a folder.
#[cfg(unix)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    #[error("belongs to somebody else")]
    Owner,
    #[error("can be written to by others")]
    Writable,
}

#[cfg(unix)]
fn problem(place: Place, user: u32, owner: u32, mode: u32) -> Option<Problem> {
    const ROOT: u32 = 0;
    const WRITABLE_BY_OTHERS: u32 = 0o022;
    /// Only the owner of a thing in such a folder may rename or remove it.
    const STICKY: u32 = 0o1000;

    if owner != user && (place == Place::Itself || owner != ROOT) {
        return Some(Problem::Owner);
    }
    let protected = place == Place::Above && mode & STICKY != 0;
    (mode & WRITABLE_BY_OTHERS != 0 && !protected).then_some(Problem::Writable)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_else_can_change_is_private() {
        let me = 1000;
        for (place, owner, mode, found) in [
            (Place::Itself, me, 0o40700, None),
            (Place::Itself, me, 0o40755, None),
            (Place::Itself, me, 0o40770, Some(Problem::Writable)),
            (Place::Itself, me, 0o40702, Some(Problem::Writable)),
            (Place::Itself, me, 0o41777, Some(Problem::Writable)),
            (Place::Itself, 0, 0o40700, Some(Problem::Owner)),
            (Place::Above, 0, 0o40755, None),
            (Place::Above, me, 0o40755, None),
            (Place::Above, 0, 0o41777, None),
            (Place::Above, 0, 0o40777, Some(Problem::Writable)),
            (Place::Above, 0, 0o40775, Some(Problem::Writable)),
            (Place::Above, 1001, 0o40700, Some(Problem::Owner)),
            (Place::Above, 1001, 0o41777, Some(Problem::Owner)),
        ] {
            assert_eq!(problem(place, me, owner, mode), found, "{owner} {mode:o}");
        }
    }
}
