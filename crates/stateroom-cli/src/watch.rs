//! Notices that somebody edited a source, or a page.

use anyhow::Context;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, RecvError, channel},
    time::Duration,
};

/// How long the sources must be quiet: an editor that saves writes, renames and removes.
const QUIET: Duration = Duration::from_millis(100);

/// Folders of a package that hold what is made, not what it is made of.
const NOT_SOURCES: [&str; 4] = ["target", "dist", "node_modules", "client-pkg"];

pub(crate) struct SourceWatcher {
    watcher: RecommendedWatcher,
    changes: Receiver<PathBuf>,
    watched: BTreeMap<PathBuf, RecursiveMode>,
    /// Folders inside of packages in which a change is of no interest.
    ignored: Vec<PathBuf>,
}

impl SourceWatcher {
    /// A watcher that follows nothing yet, and will never look into `ignored`.
    pub(crate) fn new(ignored: Vec<PathBuf>) -> anyhow::Result<SourceWatcher> {
        let (watcher, changes) = watcher().context("the sources cannot be watched")?;
        let ignored = ignored.into_iter().filter_map(|path| path.canonicalize().ok()).collect();
        Ok(SourceWatcher { watcher, changes, watched: BTreeMap::new(), ignored })
    }

    /// Follows what lies in these packages, from now on and in addition to what it follows.
    pub(crate) fn follow(&mut self, packages: &BTreeSet<PathBuf>) -> anyhow::Result<()> {
        for package in packages {
            self.watch(package, RecursiveMode::NonRecursive)?;
            let entries = std::fs::read_dir(package)
                .with_context(|| format!("could not list {}", package.display()))?;
            for entry in entries.flatten().filter(|entry| entry.path().is_dir()) {
                let name = entry.file_name();
                let made = NOT_SOURCES.iter().any(|not_source| name == *not_source);
                if !made && !is_hidden(&entry.path()) && !self.ignored.contains(&entry.path()) {
                    self.watch(&entry.path(), RecursiveMode::Recursive)?;
                }
            }
        }
        Ok(())
    }

    fn watch(&mut self, folder: &Path, mode: RecursiveMode) -> anyhow::Result<()> {
        if self.watched.get(folder) == Some(&mode) {
            return Ok(());
        }
        self.watcher
            .watch(folder, mode)
            .with_context(|| format!("{} cannot be watched", folder.display()))?;
        self.watched.insert(folder.to_owned(), mode);
        Ok(())
    }

    /// Waits until a source has changed and then for quiet; tells which files they are.
    pub(crate) fn wait(&self) -> Result<BTreeSet<PathBuf>, RecvError> {
        let mut changed = BTreeSet::new();
        while changed.is_empty() {
            changed.extend(Some(self.changes.recv()?));
            while let Ok(path) = self.changes.recv_timeout(QUIET) {
                changed.insert(path);
            }
            changed.retain(|path| self.is_source(path));
        }
        Ok(changed)
    }

    fn is_source(&self, path: &Path) -> bool {
        let by_cargo = path.file_name().is_some_and(|name| name == "Cargo.lock");
        let made = path.parent().is_some_and(|parent| self.watched.contains_key(parent))
            && path.file_name().is_some_and(|name| NOT_SOURCES.iter().any(|made| name == *made));
        // Cargo makes the folder beside its place, and puts it there.
        let passing = !path.exists()
            && path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("target"));
        let ignored = self.ignored.iter().any(|folder| path.starts_with(folder));
        !by_cargo && !made && !passing && !ignored && !is_hidden(path)
    }
}

/// Notices edits of pages, which need no build.
pub(crate) struct PageWatcher {
    /// It watches until it is dropped.
    _watcher: RecommendedWatcher,
    changes: Receiver<PathBuf>,
}

impl PageWatcher {
    /// Watches all that is in `folder`.
    pub(crate) fn new(folder: &Path) -> anyhow::Result<PageWatcher> {
        let unwatched = || format!("{} cannot be watched", folder.display());
        let (mut watcher, changes) = watcher().with_context(unwatched)?;
        watcher.watch(folder, RecursiveMode::Recursive).with_context(unwatched)?;
        Ok(PageWatcher { _watcher: watcher, changes })
    }

    /// Calls `changed` after each edit, when all is quiet, for ever.
    pub(crate) fn run(self, changed: impl Fn()) {
        while let Ok(first) = self.changes.recv() {
            let mut is_page = !is_hidden(&first);
            while let Ok(path) = self.changes.recv_timeout(QUIET) {
                is_page |= !is_hidden(&path);
            }
            if is_page {
                changed();
            }
        }
    }
}

/// A watcher that follows nothing yet, and what it will tell of.
fn watcher() -> notify::Result<(RecommendedWatcher, Receiver<PathBuf>)> {
    let (sender, changes) = channel();
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Without an event there is nothing to do, and without a receiver nobody to tell.
        if let Ok(event) = event
            && is_edit(&event.kind)
        {
            for path in event.paths {
                let _ = sender.send(path);
            }
        }
    })?;
    Ok((watcher, changes))
}

/// Reading a source, as cargo does, is not editing it.
fn is_edit(kind: &EventKind) -> bool {
    matches!(kind, EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_))
}

/// Editors keep what is theirs in hidden files and in backups with a tilde.
fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') || name.ends_with('~')
}
