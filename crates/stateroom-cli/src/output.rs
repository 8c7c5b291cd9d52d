//! The folder that `stateroom build` makes: the one from before stays until the new one is whole.

use crate::config::FILE_NAME;
use anyhow::{Context, bail};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The folder's name, in the project's.
pub(crate) const OUTPUT: &str = "dist";

/// The module's name there.
pub(crate) const MODULE: &str = "server.wasm";
/// The folder of static files there; a client is in `client` inside of it.
pub(crate) const STATIC: &str = "static";

/// Where it is made. It is hidden from whoever watches the sources.
const UNFINISHED: &str = ".dist-unfinished";

/// What builds make; the last is there while `wasm-opt` runs.
const OURS: [&str; 4] = [MODULE, STATIC, FILE_NAME, "server.wasm-opt"];

/// An output that is being made. When it is dropped unfinished, what was made of it is gone.
pub(crate) struct Output {
    /// Where its files go.
    pub(crate) new: PathBuf,
    /// Where it will be.
    place: PathBuf,
}

impl Output {
    /// Begins one in the project's folder.
    pub(crate) fn begin(project: &Path) -> anyhow::Result<Output> {
        let (new, place) = (project.join(UNFINISHED), project.join(OUTPUT));
        // A build that was killed may have left it, perhaps with what it was to hand on.
        hand_on(&new, &place)?;
        remove(&new)?;
        let output = Output { new, place };
        fs::create_dir_all(&output.new)
            .with_context(|| format!("could not make {}", output.new.display()))?;
        Ok(output)
    }

    /// Puts it in its place, with what somebody else has put into the one from before; tells where that is.
    pub(crate) fn finish(self) -> anyhow::Result<PathBuf> {
        exchange(&self.new, &self.place)
            .with_context(|| format!("could not replace {}", self.place.display()))?;
        let place = self.place.clone();
        if let Err(error) = hand_on(&self.new, &self.place) {
            // What is still there is somebody's.
            std::mem::forget(self);
            return Err(error);
        }
        Ok(place)
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        let _ = remove(&self.new);
    }
}

/// Moves what no build has made from one output to another, which is there.
fn hand_on(from: &Path, to: &Path) -> anyhow::Result<()> {
    if !from.is_dir() || !to.is_dir() {
        return Ok(());
    }
    let unlisted = || format!("could not list {}", from.display());
    for entry in fs::read_dir(from).with_context(unlisted)? {
        let name = entry.with_context(unlisted)?.file_name();
        if OURS.iter().any(|ours| name == *ours) {
            continue;
        }
        let (left, target) = (from.join(&name), to.join(&name));
        if target.exists() {
            bail!(
                "{} is left from before, and {} is there too: move one of them away",
                left.display(),
                target.display()
            );
        }
        fs::rename(&left, &target).with_context(|| {
            format!("could not move {} to {}", left.display(), target.display())
        })?;
    }
    Ok(())
}

fn remove(folder: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("could not remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// Gives each of two folders the place of the other, at once where the system can do that.
fn exchange(new: &Path, place: &Path) -> io::Result<()> {
    if !place.exists() {
        return fs::rename(new, place);
    }
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        if renameat_with(CWD, new, CWD, place, RenameFlags::EXCHANGE).is_ok() {
            return Ok(());
        }
    }
    let before = new.with_extension("before");
    fs::rename(place, &before)?;
    fs::rename(new, place).inspect_err(|_| {
        // So that there is one.
        let _ = fs::rename(&before, place);
    })?;
    fs::rename(&before, new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_was_there_stays_until_the_new_one_is_whole_and_what_is_somebody_s_stays_then_too() {
        let project = tempfile::tempdir().unwrap();
        let place = project.path().join(OUTPUT);
        for text in ["one", "two"] {
            let output = Output::begin(project.path()).unwrap();
            fs::write(output.new.join(MODULE), text).unwrap();
            assert_eq!(output.finish().unwrap(), place);
            assert_eq!(fs::read_to_string(place.join(MODULE)).unwrap(), text);
            fs::write(place.join("notes"), "somebody's").unwrap();
        }
        let failed = Output::begin(project.path()).unwrap();
        fs::write(failed.new.join(MODULE), "three").unwrap();
        drop(failed);
        assert_eq!(fs::read_to_string(place.join(MODULE)).unwrap(), "two");
        assert_eq!(files(&place), ["notes", MODULE]);
        assert_eq!(files(project.path()), [OUTPUT]);
    }

    #[test]
    fn what_a_killed_build_had_yet_to_hand_on_is_handed_on_by_the_next() {
        let project = tempfile::tempdir().unwrap();
        let (place, left) = (project.path().join(OUTPUT), project.path().join(UNFINISHED));
        fs::create_dir(&place).unwrap();
        fs::create_dir(&left).unwrap();
        for file in ["notes", MODULE] {
            fs::write(left.join(file), "from before").unwrap();
        }
        drop(Output::begin(project.path()).unwrap());
        assert_eq!(files(&place), ["notes"]);

        fs::create_dir(&left).unwrap();
        fs::write(left.join("notes"), "other ones").unwrap();
        assert!(Output::begin(project.path()).is_err());
        assert!(left.join("notes").exists());
    }
}
