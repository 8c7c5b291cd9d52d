//! A simulated disk with the accidents that real ones have. Nothing happens by itself, and everything
//! follows from a seed.
//!
//! What a process writes is seen by all (the cache) until the power is cut. Then each sector of 512 bytes
//! that was not flushed is there or not, and so is each name that was given, changed or removed in a
//! folder. A flush that fails leaves some of the sectors on the disk, and forgets that the others are not:
//! the next flush says that all is well, and what is read is what was written.

use super::{DatabaseError, Files, OpenFile};
use crate::lock::lock;
use fastrand::Rng;
use rusqlite::{Connection, ffi};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    io::{self, IoSlice},
    path::{Component, Path},
    sync::{Arc, Mutex, MutexGuard},
};

/// A disk writes so many bytes at once, or not at all.
const SECTOR: usize = 512;

/// How likely each accident is, from 0 (never) to 1 (always), for each call.
#[derive(Copy, Clone, Debug, Default, PartialEq)]
pub struct Chances {
    /// A flush fails, of a file, a folder or the database.
    pub failed_flush: f64,
    /// There is no space for a write, after a part of it or before.
    pub full: f64,
    /// A write takes only a part of what it was given.
    pub short_write: f64,
    /// A file cannot be opened or made, since there are no descriptors.
    pub no_descriptor: f64,
}

/// What is called between two looks of a reader.
type Between = Box<dyn FnMut() + Send>;

/// A simulated disk. A clone is the same disk.
#[derive(Clone)]
pub struct SimFiles {
    disk: Arc<Mutex<Disk>>,
    between: Arc<Mutex<Option<Between>>>,
}

impl fmt::Debug for SimFiles {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SimFiles").finish_non_exhaustive()
    }
}

struct Disk {
    random: Rng,
    chances: Chances,
    nodes: Vec<Node>,
    boot: u64,
    process: u64,
    /// After so many calls that change something, the process is dead: no call does anything.
    dies_after: Option<u64>,
    /// Whether a file of the log was ever taken off.
    has_taken_off: bool,
    database: Option<Vec<u8>>,
    /// What a commit that failed would have made of it.
    uncertain: Option<Vec<u8>>,
    age: u64,
}

enum Node {
    File(Box<FileNode>),
    Folder(Box<FolderNode>),
}

#[derive(Default)]
struct FileNode {
    cache: Vec<u8>,
    disk: Vec<u8>,
    dirty: BTreeSet<usize>,
    locked_by: Option<u64>,
}

#[derive(Default)]
struct FolderNode {
    cache: BTreeMap<String, usize>,
    disk: BTreeMap<String, usize>,
    pending: Vec<Naming>,
}

#[derive(Clone)]
enum Naming {
    Set(String, usize),
    Unset(String),
    Rename(String, String, usize),
}

impl Naming {
    fn apply(self, names: &mut BTreeMap<String, usize>) {
        match self {
            Naming::Set(name, node) => drop(names.insert(name, node)),
            Naming::Unset(name) => drop(names.remove(&name)),
            Naming::Rename(from, to, node) => {
                names.remove(&from);
                names.insert(to, node);
            }
        }
    }
}

impl FileNode {
    fn bring(&mut self, sector: usize) {
        let from = (sector * SECTOR).min(self.cache.len());
        let to = (from + SECTOR).min(self.cache.len());
        if self.disk.len() < to {
            self.disk.resize(to, 0);
        }
        self.disk[from..to].copy_from_slice(&self.cache[from..to]);
    }
}

fn failed() -> io::Error {
    io::Error::other("the simulated disk has failed")
}

fn dead() -> io::Error {
    io::Error::other("the simulated process is dead")
}

impl SimFiles {
    /// An empty disk. All chance follows from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let disk = Disk {
            random: Rng::with_seed(seed),
            chances: Chances::default(),
            nodes: vec![Node::Folder(Box::default())],
            boot: 0,
            process: 0,
            dies_after: None,
            has_taken_off: false,
            database: None,
            uncertain: None,
            age: 0,
        };
        SimFiles { disk: Arc::new(Mutex::new(disk)), between: Arc::default() }
    }

    /// Lets accidents happen by chance from now on.
    pub fn set_chances(&self, chances: Chances) {
        self.disk().chances = chances;
    }

    /// Has the process die after so many calls that change something; never with `None`.
    pub fn die_after(&self, calls: Option<u64>) {
        self.disk().dies_after = calls;
    }

    /// Whether it is dead: nobody was told what came after.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.disk().dies_after == Some(0)
    }

    /// Ends the process, after its store was dropped. What it wrote stays in the cache.
    pub fn kill(&self) {
        let mut disk = self.disk();
        disk.process += 1;
        disk.dies_after = None;
        disk.chances = Chances::default();
        disk.decide_database();
    }

    /// Ends the process and the machine.
    pub fn cut_power(&self) {
        self.kill();
        self.disk().cut_power();
    }

    /// Forgets the checkpoint's database, as a copy of the folder without it does. Nothing happens unless
    /// all of the log is still there.
    pub fn lose_database(&self) -> bool {
        let mut disk = self.disk();
        if disk.has_taken_off {
            return false;
        }
        disk.age += 1;
        disk.database.take().is_some()
    }

    /// Has `between` called before each file that is opened or listed and before the database is read, but
    /// not by what itself does.
    pub fn set_between(&self, between: Option<Between>) {
        *lock(&self.between) = between;
    }

    /// Flips a bit of the file at `path`. Returns whether there is such a bit.
    pub fn flip(&self, path: &Path, byte: usize, bit: u8) -> bool {
        let mut disk = self.disk();
        let Ok(node) = disk.find(path) else { return false };
        let Node::File(file) = &mut disk.nodes[node] else { return false };
        let bytes = [file.cache.get_mut(byte), file.disk.get_mut(byte)];
        let mut any = false;
        for byte in bytes.into_iter().flatten() {
            *byte ^= 1 << bit;
            any = true;
        }
        any
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        lock(&self.disk)
    }

    fn call_between(&self) {
        let between = lock(&self.between).take();
        if let Some(mut between) = between {
            between();
            lock(&self.between).get_or_insert(between);
        }
    }
}

impl Disk {
    fn happens(&mut self, chance: f64) -> bool {
        chance > 0.0 && self.random.f64() < chance
    }

    /// Counts a call that changes something; an error if the process is dead.
    fn change(&mut self) -> io::Result<()> {
        match &mut self.dies_after {
            None => Ok(()),
            Some(0) => Err(dead()),
            Some(calls) => {
                *calls -= 1;
                if *calls == 0 { Err(dead()) } else { Ok(()) }
            }
        }
    }

    fn find(&self, path: &Path) -> io::Result<usize> {
        let mut node = 0;
        for part in path.components() {
            let Component::Normal(name) = part else { continue };
            let Some(Node::Folder(folder)) = self.nodes.get(node) else {
                return Err(io::ErrorKind::NotADirectory.into());
            };
            let name = name.to_string_lossy();
            node = *folder.cache.get(&*name).ok_or(io::ErrorKind::NotFound)?;
        }
        Ok(node)
    }

    fn folder(&mut self, path: &Path) -> io::Result<(&mut FolderNode, String)> {
        let node = self.find(path.parent().unwrap_or(Path::new("")))?;
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        match self.nodes.get_mut(node) {
            Some(Node::Folder(folder)) => Ok((folder, name.to_string_lossy().into_owned())),
            _ => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn name(&mut self, path: &Path, naming: impl FnOnce(String) -> Naming) -> io::Result<()> {
        let (folder, name) = self.folder(path)?;
        let naming = naming(name);
        naming.clone().apply(&mut folder.cache);
        folder.pending.push(naming);
        Ok(())
    }

    fn file(&mut self, node: usize) -> io::Result<&mut FileNode> {
        match self.nodes.get_mut(node) {
            Some(Node::File(file)) => Ok(file),
            _ => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    fn decide_database(&mut self) {
        if let Some(uncertain) = self.uncertain.take()
            && self.random.bool()
        {
            self.database = Some(uncertain);
            self.age += 1;
        }
    }

    fn cut_power(&mut self) {
        self.boot += 1;
        let mut random = self.random.fork();
        for node in &mut self.nodes {
            match node {
                Node::File(file) => {
                    let dirty = std::mem::take(&mut file.dirty);
                    let chance = [0.0, 0.5, 0.9, 1.0][random.usize(..4)];
                    for sector in dirty {
                        if random.f64() < chance {
                            file.bring(sector);
                        }
                    }
                    file.cache = file.disk.clone();
                    file.locked_by = None;
                }
                Node::Folder(folder) => {
                    let pending = std::mem::take(&mut folder.pending);
                    for naming in pending {
                        if random.bool() {
                            naming.apply(&mut folder.disk);
                        }
                    }
                    folder.cache = folder.disk.clone();
                }
            }
        }
    }
}

impl Files for SimFiles {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn OpenFile>> {
        self.call_between();
        let mut disk = self.disk();
        let chance = disk.chances.no_descriptor;
        if disk.happens(chance) {
            return Err(io::Error::other("too many open files"));
        }
        let node = disk.find(path)?;
        disk.file(node)?;
        Ok(Arc::new(SimFile { files: self.clone(), node, process: disk.process }))
    }

    fn create(&self, path: &Path, may_exist: bool) -> io::Result<Arc<dyn OpenFile>> {
        let mut disk = self.disk();
        disk.change()?;
        let chance = disk.chances.no_descriptor;
        if disk.happens(chance) {
            return Err(io::Error::other("too many open files"));
        }
        let node = match disk.find(path) {
            Ok(_) if !may_exist => return Err(io::ErrorKind::AlreadyExists.into()),
            Ok(node) => node,
            Err(_) => {
                disk.nodes.push(Node::File(Box::default()));
                let node = disk.nodes.len() - 1;
                disk.name(path, |name| Naming::Set(name, node))?;
                node
            }
        };
        Ok(Arc::new(SimFile { files: self.clone(), node, process: disk.process }))
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        if disk.find(path).is_ok() {
            return Ok(());
        }
        disk.change()?;
        disk.nodes.push(Node::Folder(Box::default()));
        let node = disk.nodes.len() - 1;
        disk.name(path, |name| Naming::Set(name, node))?;
        // As the real one does.
        let (folder, _) = disk.folder(path)?;
        folder.pending.clear();
        folder.disk = folder.cache.clone();
        Ok(())
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.call_between();
        let disk = self.disk();
        let node = disk.find(folder)?;
        match disk.nodes.get(node) {
            Some(Node::Folder(folder)) => Ok(folder.cache.keys().cloned().collect()),
            _ => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn flush_folder(&self, folder: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        disk.change()?;
        let chance = disk.chances.failed_flush;
        let fails = disk.happens(chance);
        let node = disk.find(folder)?;
        let mut random = disk.random.fork();
        let Some(Node::Folder(folder)) = disk.nodes.get_mut(node) else {
            return Err(io::ErrorKind::NotADirectory.into());
        };
        for naming in std::mem::take(&mut folder.pending) {
            if !fails || random.bool() {
                naming.apply(&mut folder.disk);
            }
        }
        if fails { Err(failed()) } else { Ok(()) }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        disk.change()?;
        let node = disk.find(from)?;
        if to.extension().is_some_and(|end| end == "old") {
            disk.has_taken_off = true;
        }
        let name = from.file_name().unwrap_or_default().to_string_lossy().into_owned();
        disk.name(to, |to| Naming::Rename(name, to, node))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        disk.change()?;
        disk.find(path)?;
        if path.extension().is_some_and(|end| end == "log") {
            disk.has_taken_off = true;
        }
        disk.name(path, Naming::Unset)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        disk.change()?;
        disk.find(path)?;
        disk.name(path, Naming::Unset)
    }

    fn identity(&self, path: &Path) -> io::Result<Option<(u64, u64)>> {
        Ok(Some((0, self.disk().find(path)? as u64)))
    }

    fn boot(&self) -> Option<String> {
        Some(self.disk().boot.to_string())
    }

    fn open_database(&self, _: &Path, _: bool) -> Result<Option<Connection>, DatabaseError> {
        let disk = self.disk();
        Ok(disk.database.as_deref().map(connect).transpose()?)
    }

    fn create_database(&self, _: &Path) -> Result<Connection, DatabaseError> {
        let connection = Connection::open_in_memory()?;
        // Small enough to be copied often.
        connection.pragma_update(None, "page_size", SECTOR as i64)?;
        Ok(connection)
    }

    fn read_database(&self, _: &Path) -> Result<Option<Connection>, DatabaseError> {
        self.call_between();
        let disk = self.disk();
        Ok(disk.database.as_deref().map(connect).transpose()?)
    }

    fn database_age(&self) -> Option<u64> {
        Some(self.disk().age)
    }

    fn commit_database(&self, _: &Path, connection: &Connection) -> rusqlite::Result<()> {
        let mut disk = self.disk();
        let failure = || {
            let code = ffi::Error::new(ffi::SQLITE_IOERR_FSYNC);
            rusqlite::Error::SqliteFailure(code, Some("the simulated disk has failed".into()))
        };
        if disk.dies_after == Some(0) {
            return Err(failure());
        }
        let may_be_there = disk.change().is_err();
        let chance = disk.chances.failed_flush;
        let fails = may_be_there || disk.happens(chance);
        connection.execute_batch("COMMIT")?;
        let bytes = connection.serialize("main")?.to_vec();
        if fails {
            disk.uncertain.get_or_insert(bytes);
            return Err(failure());
        }
        disk.database = Some(bytes);
        disk.age += 1;
        Ok(())
    }

    fn database_log_bytes(&self, _: &Path) -> u64 {
        0
    }
}

fn connect(bytes: &[u8]) -> rusqlite::Result<Connection> {
    let mut connection = Connection::open_in_memory()?;
    connection.deserialize_read_exact("main", bytes, bytes.len(), false)?;
    Ok(connection)
}

struct SimFile {
    files: SimFiles,
    node: usize,
    process: u64,
}

impl fmt::Debug for SimFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SimFile").field("node", &self.node).finish_non_exhaustive()
    }
}

impl OpenFile for SimFile {
    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let mut disk = self.files.disk();
        let mut bytes: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        if disk.dies_after == Some(0) {
            return Err(dead());
        }
        let dies = disk.change().is_err();
        if dies && disk.random.bool() {
            return Err(dead());
        }
        let Chances { full, short_write, .. } = disk.chances;
        let is_full = disk.happens(full);
        if is_full && disk.random.bool() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if is_full || dies || disk.happens(short_write) {
            let length = disk.random.usize(..=bytes.len());
            // All of it is no part of it.
            bytes.truncate(if is_full {
                length.min(bytes.len().saturating_sub(1))
            } else {
                length
            });
        }
        if bytes.is_empty() {
            return Err(if dies { dead() } else { io::ErrorKind::StorageFull.into() });
        }
        let file = disk.file(self.node)?;
        let from = usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let end = from + bytes.len();
        if file.cache.len() < end {
            file.cache.resize(end, 0);
        }
        file.cache[from..end].copy_from_slice(&bytes);
        file.dirty.extend(from / SECTOR..=(end - 1) / SECTOR);
        if dies { Err(dead()) } else { Ok(bytes.len()) }
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut disk = self.files.disk();
        let file = disk.file(self.node)?;
        let rest = file.cache.get(offset as usize..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn flush(&self) -> io::Result<()> {
        let mut disk = self.files.disk();
        disk.change()?;
        let chance = disk.chances.failed_flush;
        let fails = disk.happens(chance);
        let mut random = disk.random.fork();
        let share = [0.0, 0.5, 1.0][random.usize(..3)];
        let file = disk.file(self.node)?;
        for sector in std::mem::take(&mut file.dirty) {
            if !fails || random.f64() < share {
                file.bring(sector);
            }
        }
        if fails { Err(failed()) } else { Ok(()) }
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.files.disk().file(self.node)?.cache.len() as u64)
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        let mut disk = self.files.disk();
        disk.change()?;
        let file = disk.file(self.node)?;
        let length = usize::try_from(length).map_err(|_| io::ErrorKind::FileTooLarge)?;
        if file.cache.len() < length {
            file.cache.resize(length, 0);
        }
        Ok(())
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        let mut disk = self.files.disk();
        disk.change()?;
        let is_there = disk.random.bool();
        let file = disk.file(self.node)?;
        let length = usize::try_from(length).map_err(|_| io::ErrorKind::FileTooLarge)?;
        file.cache.resize(length, 0);
        file.dirty.retain(|sector| sector * SECTOR < length);
        if is_there {
            file.disk.truncate(length);
        }
        Ok(())
    }

    fn try_lock(&self) -> io::Result<bool> {
        let mut disk = self.files.disk();
        let process = self.process;
        let file = disk.file(self.node)?;
        if file.locked_by == Some(process) {
            return Ok(false);
        }
        file.locked_by = Some(process);
        Ok(true)
    }

    fn identity(&self) -> io::Result<Option<(u64, u64)>> {
        Ok(Some((0, self.node as u64)))
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let process = self.process;
        let mut disk = self.files.disk();
        if let Ok(file) = disk.file(self.node)
            && file.locked_by == Some(process)
        {
            file.locked_by = None;
        }
    }
}
