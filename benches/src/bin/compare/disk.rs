//! The disk by itself: what a flush takes, what files take, and files that it has to read again.

use crate::figure::{Figure, Figures, quantile};
use anyhow::{Context as _, ensure};
use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

/// What is appended before each flush: a page.
const BYTES: usize = 4096;

/// Appends a page to a file in `folder` and has it flushed, again and again for `time`.
pub(crate) fn flush(folder: &Path, time: Duration) -> anyhow::Result<Figures> {
    let path = folder.join("flushed");
    let mut file = File::create(&path)?;
    let (start, mut times) = (Instant::now(), Vec::new());
    while start.elapsed() < time {
        let before = Instant::now();
        file.write_all(&[0x5a; BYTES])?;
        file.sync_data()?;
        times.push(before.elapsed().as_secs_f64() * 1e6);
    }
    fs::remove_file(path)?;
    let per_second = times.len() as f64 / start.elapsed().as_secs_f64();
    Ok(Figures::from([
        (Figure::DeliveriesPerSecond, per_second),
        (Figure::P50, quantile(&mut times, 0.5).unwrap_or_default()),
        (Figure::P99, quantile(&mut times, 0.99).unwrap_or_default()),
    ]))
}

/// How many bytes of the disk the files in `folder` take.
pub(crate) fn taken_by(folder: &Path) -> f64 {
    use std::os::unix::fs::MetadataExt as _;
    let sizes = files(folder).into_iter().filter_map(|file| fs::metadata(file).ok());
    sizes.map(|metadata| metadata.blocks() as f64 * 512.0).sum()
}

/// Has the system forget what it holds of the files in `folder`, so that they are read from the disk.
pub(crate) fn forget(folder: &Path) -> anyhow::Result<()> {
    for file in files(folder) {
        // Only what is on the disk can be forgotten.
        let synced = Command::new("sync").arg("--data").arg(&file).status()?;
        let mut forget = Command::new("dd");
        forget.arg(format!("if={}", file.display()));
        forget.args(["iflag=nocache", "count=0", "status=none"]);
        let forgotten = forget.status().context("dd is needed (Debian: coreutils)")?;
        ensure!(synced.success() && forgotten.success(), "{} stays in memory", file.display());
    }
    Ok(())
}

/// All files in `folder` and in what is in it. Some may be gone already.
fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(_) => files.push(entry.path()),
                Err(_) => {}
            }
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_files_below_a_folder_count() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path();
        fs::create_dir_all(folder.join("in/side")).unwrap();
        fs::write(folder.join("in/side/file"), vec![1; 3 * BYTES]).unwrap();
        fs::write(folder.join("file"), vec![1; BYTES]).unwrap();
        let (taken, flushed) = (taken_by(folder), flush(folder, Duration::from_millis(1)));
        assert!(taken >= 4.0 * BYTES as f64, "{taken}");
        assert!(flushed.unwrap().get(&Figure::P99).is_some_and(|time| *time > 0.0));
        forget(folder).unwrap();
    }
}
