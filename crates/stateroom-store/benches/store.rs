//! What a store on disk costs. Times depend on the disk: compare with the raw append and flush, which
//! is measured in the same run. `TMPDIR` decides on which disk.

use divan::{Bencher, counter::ItemsCount};
use stateroom_store::{Durability, FileStore, ModuleHash, Store, Vitals, Write};
use std::{fs, hint::black_box, io::Write as _, path::Path, sync::Arc, time::Instant};
use tempfile::TempDir;

const RECORD: usize = 100;

fn main() {
    if std::env::args().any(|argument| argument == "--bench") {
        tell_bytes_written();
        tell_long_run();
    }
    divan::main();
}

/// A store under the load of many rooms, each of which takes a snapshot from time to time.
struct Load {
    store: FileStore,
    rooms: Vec<(Arc<str>, u64)>,
    next: usize,
    _folder: Option<TempDir>,
}

fn snapshot(room: &Arc<str>, at: u64) -> Write {
    Write::Snapshot {
        room: room.clone(),
        at,
        module: ModuleHash([7; 32]),
        state: vec![1; 1500],
        vitals: Vitals::default(),
    }
}

impl Load {
    fn new(folder: &Path, rooms: usize, durability: Durability) -> Self {
        let mut store = FileStore::open(folder, durability).expect("it opens");
        let rooms: Vec<(Arc<str>, u64)> =
            (0..rooms).map(|room| (format!("room-{room:06}").into(), 0)).collect();
        let writes: Vec<Write> = rooms.iter().map(|(room, at)| snapshot(room, *at)).collect();
        store.commit(&writes).expect("committed");
        Self { store, rooms, next: 0, _folder: None }
    }

    fn temporary(rooms: usize, durability: Durability) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut load = Self::new(folder.path(), rooms, durability);
        load._folder = Some(folder);
        load
    }

    /// One event for each of the next `events` rooms.
    fn writes(&mut self, events: usize, snapshot_every: u64) -> Vec<Write> {
        let mut writes = Vec::with_capacity(events);
        for _ in 0..events {
            let place = self.next % self.rooms.len();
            let (room, at) = &mut self.rooms[place];
            writes.push(Write::Append {
                room: room.clone(),
                follows: *at,
                events: 1,
                records: vec![2; RECORD],
                vitals: Vitals { wake_at: None, clients: 1, heard_at: 0 },
            });
            *at += 1;
            // Each at another time.
            if (*at + place as u64).is_multiple_of(snapshot_every) {
                writes.push(snapshot(room, *at));
            }
            self.next += 1;
        }
        writes
    }

    fn commit(&mut self, writes: &[Write]) {
        self.store.commit(writes).expect("committed");
    }
}

/// Events of 1,000 rooms, as many to a commit as given.
mod durable_events {
    use super::*;

    fn bench(bencher: Bencher<'_, '_>, events: usize, durability: Durability) {
        let mut load = Load::temporary(1000, durability);
        bencher.counter(ItemsCount::new(events)).bench_local(|| {
            let writes = load.writes(events, 1000);
            load.commit(&writes);
        });
    }

    #[divan::bench(args = [1, 10, 100, 1000, 10_000], max_time = 2)]
    fn synced(bencher: Bencher<'_, '_>, events: usize) {
        bench(bencher, events, Durability::Synced);
    }

    #[divan::bench(args = [1, 10, 100, 1000, 10_000], max_time = 2)]
    fn buffered(bencher: Bencher<'_, '_>, events: usize) {
        bench(bencher, events, Durability::Buffered);
    }
}

/// One record, to be compared with `durable_events` of one.
#[divan::bench(max_time = 2, sample_count = 1000)]
fn raw_append_and_fdatasync(bencher: Bencher<'_, '_>) {
    let mut file = tempfile::tempfile().expect("a file");
    bencher.bench_local(|| {
        file.write_all(&[2; RECORD]).expect("written");
        file.sync_data().expect("flushed");
    });
}

/// The same into space that the file already has, as a write-ahead log that begins anew.
#[cfg(unix)]
#[divan::bench(max_time = 2, sample_count = 1000)]
fn raw_overwrite_and_fdatasync(bencher: Bencher<'_, '_>) {
    use std::os::unix::fs::FileExt;
    let file = tempfile::tempfile().expect("a file");
    file.write_all_at(&vec![0; 16 << 20], 0).expect("written");
    file.sync_all().expect("flushed");
    let mut place = 0;
    bencher.bench_local(|| {
        file.write_all_at(&[2; 4096], place % (16 << 20)).expect("written");
        place += 4096;
        file.sync_data().expect("flushed");
    });
}

/// 1,000,000 events over 10,000 rooms, 1,000 to a commit.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn open_a_million_events(bencher: Bencher<'_, '_>) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut load = Load::new(folder.path(), 10_000, Durability::Buffered);
    for _ in 0..1000 {
        let writes = load.writes(1000, u64::MAX);
        load.store.commit(&writes).expect("committed");
    }
    drop(load);
    bencher.bench_local(|| FileStore::open(folder.path(), Durability::Synced).expect("it opens"));
}

/// Which of 200,000 rooms need attention, when 10,000 do.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn find_ten_thousand_rooms_that_need_attention(bencher: Bencher<'_, '_>) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut load = Load::new(folder.path(), 200_000, Durability::Buffered);
    let rooms: Vec<Arc<str>> =
        load.rooms.iter().step_by(20).map(|(room, _)| room.clone()).collect();
    let vitals = Vitals { wake_at: Some(1), clients: 1, heard_at: 0 };
    let (module, state) = (ModuleHash([7; 32]), vec![1; 1500]);
    let wake = rooms.into_iter().map(|room| {
        let state = state.clone();
        Write::Snapshot { room, at: 0, module, state, vitals }
    });
    load.store.commit(&wake.collect::<Vec<_>>()).expect("committed");
    let mut reader = load.store.reader().expect("a reader");
    bencher.bench_local(|| {
        let rooms = reader.needing_attention().expect("read");
        assert_eq!(rooms.len(), 10_000);
    });
}

/// A room with a snapshot of 1,500 bytes and as many events as given, each of a commit of its own.
#[divan::bench(args = [0, 10, 100, 1000])]
fn load_a_room(bencher: Bencher<'_, '_>, events: usize) {
    let mut load = Load::temporary(1000, Durability::Buffered);
    for _ in 0..events {
        let writes = load.writes(1000, u64::MAX);
        load.store.commit(&writes).expect("committed");
    }
    let mut reader = load.store.reader().expect("a reader");
    let mut room = 0;
    bencher.bench_local(|| {
        room = (room + 1) % load.rooms.len();
        black_box(reader.load(&load.rooms[room].0).expect("read"));
    });
}

/// How many bytes this process has had written to disks.
fn written() -> Option<u64> {
    let io = fs::read_to_string("/proc/self/io").ok()?;
    io.lines().find_map(|line| line.strip_prefix("write_bytes: ")?.parse().ok())
}

/// Write amplification: what reaches the disk per event of 100 bytes, snapshots and checkpoints
/// included.
fn tell_bytes_written() {
    println!("bytes written to the disk per event of {RECORD} bytes, 1,000 rooms:");
    for events in [1, 10, 100, 1000, 10_000] {
        let Some(before) = written() else {
            println!("  not known on this system");
            return;
        };
        let mut load = Load::temporary(1000, Durability::Synced);
        let commits = (200_000 / events).clamp(100, 5_000);
        for _ in 0..commits {
            let writes = load.writes(events, 1000);
            load.commit(&writes);
        }
        let path = load._folder.take();
        drop(load);
        let total = written().unwrap_or(before) - before;
        let each = total as f64 / (commits * events) as f64;
        println!("  {events:>6} to a commit: {each:>8.0} ({:.1} times)", each / RECORD as f64);
        drop(path);
    }
}

/// Latency of commits under a long load, checkpoints included, and how large the files become.
fn tell_long_run() {
    println!("commits of 1,000 events for 30 s:");
    for durability in [Durability::Synced, Durability::Buffered] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut load = Load::new(folder.path(), 1000, durability);
        let (mut times, mut largest) = (Vec::new(), 0);
        let begin = Instant::now();
        while begin.elapsed().as_secs() < 30 {
            let writes = load.writes(1000, 1000);
            let start = Instant::now();
            load.store.commit(&writes).expect("committed");
            times.push(start.elapsed());
            if times.len().is_multiple_of(50) {
                let wal = fs::metadata(folder.path().join("rooms.db-wal"));
                let log = load.store.monitor().figures().log_bytes;
                largest = largest.max(log + wal.map_or(0, |wal| wal.len()));
            }
        }
        let total = begin.elapsed().as_secs_f64();
        times.sort();
        let quantile = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
        let size = fs::metadata(folder.path().join("rooms.db")).map_or(0, |file| file.len());
        println!(
            "  {durability:?}: {:.0} events/s; p50 {:.2?}, p99 {:.2?}, p99.9 {:.2?}, max {:.2?}; \
             database {} MiB, log and write-ahead log at most {} MiB",
            times.len() as f64 * 1000.0 / total,
            quantile(0.5),
            quantile(0.99),
            quantile(0.999),
            quantile(1.0),
            size >> 20,
            largest >> 20,
        );
    }
}
