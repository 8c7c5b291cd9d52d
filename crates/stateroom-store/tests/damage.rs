//! Flipped bits: each hurts no more than it has to, and none passes for what was written.

mod support;

use fastrand::Rng;
use rusqlite::{Connection, params, types::Value};
use stateroom_store::{
    Durability, ModuleHash, Reader, SqliteStore, Store, StoreError, StoredRoom, Write,
};
use std::{
    fs,
    ops::Range,
    path::{Path, PathBuf},
};
use support::{MODULE, append, maintain_all, quarantine, reader, snapshot};

const ROOMS: [&str; 4] = ["asleep", "awake", "laggard", "other"];

/// Bytes that are found nowhere else in the file.
fn pattern(name: &str) -> Vec<u8> {
    format!("<<{name}>>").repeat(5).into_bytes()
}

/// A closed store with something in every table.
fn filled() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = SqliteStore::open(folder.path(), Durability::Buffered).expect("it opens");
    let mut writes: Vec<Write> = ROOMS.map(|room| snapshot(room, 2, &pattern(room))).into();
    writes.push(append("laggard", 2, 1, &pattern("carried")));
    writes.push(Write::Module { hash: MODULE, bytes: pattern("module") });
    writes.push(quarantine("awake", 2, "trap"));
    // So large, and needed by nobody, that it is worth carrying what the laggard needs.
    writes.push(append("other", 2, 1, &[0; 2_000_000]));
    writes.push(snapshot("other", 3, &pattern("other")));
    store.commit(&writes).expect("committed");
    store
        .commit(&[append("other", 3, 1, b"x"), snapshot("other", 4, &pattern("other"))])
        .expect("committed");
    maintain_all(&mut store);
    for at in 0..3 {
        let body = |room| pattern(&format!("{room} {at}"));
        store
            .commit(&[
                append("laggard", 3 + at, 1, &body("laggard")),
                append("awake", 2 + at, 1, &body("awake")),
                append("other", 4 + at, 1, &body("other")),
            ])
            .expect("committed");
    }
    drop(store);
    // Leaves nothing in the file but what is needed.
    let connection = Connection::open(folder.path().join("rooms.db")).expect("it opens");
    connection.execute_batch("VACUUM").expect("vacuumed");
    drop(connection);
    assert_eq!(support::query(folder.path(), "SELECT count(*) FROM carried"), 1);
    assert_eq!(log_rows(&fs::read(log_file(folder.path())).expect("a file")).len(), 3);
    folder
}

/// The only file of the log.
fn log_file(folder: &Path) -> PathBuf {
    let files: Vec<PathBuf> = support::log_files(folder);
    let [file] = &files[..] else { panic!("{files:?}") };
    file.clone()
}

/// Where the parts of each row of the log are, as FORMAT.md draws them.
struct LogRow {
    contents: Range<usize>,
    bodies: Range<usize>,
    contents_again: Range<usize>,
}

fn log_rows(file: &[u8]) -> Vec<LogRow> {
    let number = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize;
    let (mut rows, mut at) = (Vec::new(), 32);
    // What comes behind them is space that was taken for more.
    while at < file.len() && number(at) > 0 {
        let contents = at + 24..at + 24 + number(at + 8);
        let bodies = contents.end..contents.end + number(at + 12);
        let contents_again = bodies.end..bodies.end + contents.len();
        at = contents_again.end;
        rows.push(LogRow { contents, bodies, contents_again });
    }
    rows
}

/// What the store in `folder` gives back, or why it doesn't.
type Found = Result<Vec<Result<Option<StoredRoom>, StoreError>>, StoreError>;

fn read_all(folder: &Path) -> Found {
    let store = SqliteStore::open(folder, Durability::Buffered)?;
    let mut reader = store.reader()?;
    Ok(ROOMS.map(|room| reader.load(room)).into())
}

fn originals(folder: &Path) -> Vec<StoredRoom> {
    let rooms = read_all(folder).expect("it opens");
    rooms.into_iter().map(|room| room.expect("read").expect("there")).collect()
}

/// Which rooms are damaged; an error if one was changed without a word.
fn damaged(found: Found, originals: &[StoredRoom]) -> Vec<&'static str> {
    let Ok(rooms) = found else { panic!("{}", found.expect_err("an error")) };
    let rooms = ROOMS.iter().zip(rooms).zip(originals);
    let damaged = rooms.filter_map(|((name, found), original)| match found {
        Ok(found) => {
            assert_eq!(found.as_ref(), Some(original));
            None
        }
        Err(StoreError::Damaged { room, .. }) => {
            assert_eq!(&*room, *name);
            Some(*name)
        }
        Err(error) => panic!("{error}"),
    });
    damaged.collect()
}

/// Flips a bit of each byte of the only place where `pattern` is in the file, one after the other, and
/// looks what becomes of it.
fn flip_within(pattern: &[u8], mut look: impl FnMut(&Path, &[StoredRoom])) {
    let folder = filled();
    let originals = originals(folder.path());
    let mut places = Vec::new();
    for path in [folder.path().join("rooms.db"), log_file(folder.path())] {
        let whole = fs::read(&path).expect("a file");
        let windows = whole.windows(pattern.len()).enumerate();
        let found = windows.filter_map(|(place, bytes)| (bytes == pattern).then_some(place));
        places.extend(found.map(|place| (path.clone(), place)));
    }
    let [(path, place)] = &places[..] else { panic!("{places:?}") };
    let whole = fs::read(path).expect("a file");
    for offset in (0..pattern.len()).step_by(7) {
        let mut changed = whole.clone();
        changed[place + offset] ^= 1 << (offset % 8);
        fs::write(path, &changed).expect("written");
        look(folder.path(), &originals);
        support::restore(path, &whole);
    }
}

#[test]
fn a_flipped_bit_in_a_journal_hurts_only_its_room() {
    for (body, room) in [("awake 1", "awake"), ("laggard 2", "laggard"), ("carried", "laggard")] {
        flip_within(&pattern(body), |folder, originals| {
            assert_eq!(damaged(read_all(folder), originals), [room]);
        });
    }
}

#[test]
fn a_flipped_bit_in_a_snapshot_hurts_only_its_room_until_the_next_one() {
    for room in ["asleep", "awake"] {
        flip_within(&pattern(room), |folder, originals| {
            assert_eq!(damaged(read_all(folder), originals), [room]);
            let mut store = SqliteStore::open(folder, Durability::Buffered).expect("it opens");
            let at = reader(&store).summary(room).expect("read").expect("there").events;
            store.commit(&[snapshot(room, at, b"new")]).expect("committed");
            assert_eq!(reader(&store).load(room).expect("read").expect("there").events(), at);
        });
    }
}

#[test]
fn a_flipped_bit_in_a_module_is_found() {
    flip_within(&pattern("module"), |folder, originals| {
        assert_eq!(damaged(read_all(folder), originals), [""; 0]);
        let mut tool = SqliteStore::open_read_only(folder).expect("it opens");
        let error = tool.module(&MODULE).expect_err("damaged");
        assert!(matches!(error, StoreError::DamagedModule { .. }), "{error}");
        assert_eq!(tool.module(&ModuleHash([8; 32])).expect("read"), None);
    });
}

#[test]
fn one_table_of_contents_is_enough_and_none_is_too_few() {
    let folder = filled();
    let originals = originals(folder.path());
    let path = log_file(folder.path());
    let whole = fs::read(&path).expect("a file");
    let row = &log_rows(&whole)[1];
    let with_flips = |parts: &[&Range<usize>]| {
        let mut changed = whole.clone();
        parts.iter().for_each(|part| changed[part.start + 9] ^= 1);
        fs::write(&path, changed).expect("written");
        let found = read_all(folder.path());
        let by_a_tool = SqliteStore::open_read_only(folder.path());
        support::restore(&path, &whole);
        assert_eq!(found.is_ok(), by_a_tool.is_ok());
        found
    };
    for part in [&row.contents, &row.contents_again] {
        assert_eq!(damaged(with_flips(&[part]), &originals), [""; 0]);
    }
    let error = with_flips(&[&row.contents, &row.contents_again]).expect_err("both are damaged");
    assert!(matches!(error, StoreError::DamagedFile { .. }), "{error}");
    assert_eq!(damaged(read_all(folder.path()), &originals), [""; 0], "nothing was changed");
}

#[test]
fn a_damaged_room_can_be_deleted_and_nothing_else() {
    let folder = filled();
    support::tamper(folder.path(), "UPDATE rooms SET at = at + 1 WHERE room = 'awake'");
    let mut store = SqliteStore::open(folder.path(), Durability::Buffered).expect("it opens");
    for write in [append("awake", 5, 1, b"x"), snapshot("awake", 5, b"x")] {
        let error = store.commit(&[write]).expect_err("damaged");
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    }
    let summary = reader(&store).summary("awake").expect("read").expect("there");
    assert!(summary.damaged);
    maintain_all(&mut store);
    store.commit(&[support::delete("awake"), snapshot("awake", 0, b"new")]).expect("committed");
    assert_eq!(reader(&store).load("awake").expect("read").expect("there").events(), 0);
}

#[test]
fn a_change_of_any_column_is_found() {
    let folder = filled();
    let originals = originals(folder.path());
    let path = folder.path().join("rooms.db");
    let whole = fs::read(&path).expect("a file");
    let columns = [
        ("rooms", "number at events module wake_at clients check_row check_state state"),
        ("log", "first newest boot check_row names"),
        ("carried", "number follows events wake_at clients check_row check_records records"),
    ];
    let mut changes = 0;
    for (table, columns) in columns {
        for column in columns.split(' ') {
            let rows = support::query(folder.path(), &format!("SELECT count(*) FROM {table}"));
            for row in 0..rows {
                let connection = Connection::open(&path).expect("it opens");
                let found: (i64, Value) = connection
                    .query_row(
                        &format!("SELECT rowid, {column} FROM {table} LIMIT 1 OFFSET ?1"),
                        [row],
                        |row| Ok((row.get(0)?, row.get(1)?)),
                    )
                    .expect("it is there");
                let changed = match found.1 {
                    Value::Null => Value::Integer(1),
                    Value::Integer(number) => Value::Integer(number ^ (1 << 4)),
                    Value::Blob(mut bytes) => {
                        let middle = bytes.len() / 2;
                        bytes[middle] ^= 1;
                        Value::Blob(bytes)
                    }
                    Value::Text(text) => Value::Text(text + "x"),
                    other => panic!("{other:?}"),
                };
                let sql = format!("UPDATE {table} SET {column} = ?1 WHERE rowid = ?2");
                connection.execute(&sql, params![changed, found.0]).expect("changed");
                drop(connection);
                let place = format!("{table}.{column}, row {row}");
                match read_all(folder.path()) {
                    Err(StoreError::DamagedFile { .. }) if table == "log" || column == "number" => {
                    }
                    Err(error) => panic!("{place}: {error}"),
                    found => {
                        assert!(!damaged(found, &originals).is_empty(), "{place}: not found");
                    }
                }
                changes += 1;
                for end in ["", "-wal", "-shm"] {
                    let _ = fs::remove_file(folder.path().join(format!("rooms.db{end}")));
                }
                fs::write(&path, &whole).expect("written");
            }
        }
    }
    assert_eq!(changes, 9 * 4 + 5 + 8);
}

#[test]
fn no_flipped_bit_anywhere_passes_for_what_was_written() {
    let folder = filled();
    let originals = originals(folder.path());
    let files = [folder.path().join("rooms.db"), log_file(folder.path())];
    let mut random = Rng::with_seed(1);
    let mut noticed = 0;
    let wholes = files.each_ref().map(|path| fs::read(path).expect("a file"));
    for round in 0..3000 {
        let (path, whole) = (&files[round % 2], &wholes[round % 2]);
        let mut changed = whole.clone();
        let place = random.usize(..whole.len());
        changed[place] ^= 1 << random.u8(..8);
        fs::write(path, &changed).expect("written");
        let found = read_all(folder.path());
        for (path, whole) in files.iter().zip(&wholes) {
            support::restore(path, whole);
        }
        let Ok(rooms) = found else {
            noticed += 1;
            continue;
        };
        for (room, original) in rooms.iter().zip(&originals) {
            match room {
                Ok(Some(room)) => assert_eq!(room, original, "byte {place}"),
                Ok(None) => panic!("byte {place}: a room is lost"),
                Err(_) => noticed += 1,
            }
        }
    }
    assert!(noticed > 20, "{noticed}");
}

/// A folder as a kill leaves it: with `commits` appends that are in the log alone, or with as many
/// snapshots in the write-ahead log.
fn killed(commits: u64, write: impl Fn(u64) -> Write) -> tempfile::TempDir {
    let (folder, copy) = (tempfile::tempdir(), tempfile::tempdir());
    let (folder, copy) = (folder.expect("a folder"), copy.expect("a folder"));
    let mut store = SqliteStore::open(folder.path(), Durability::Synced).expect("it opens");
    store.commit(&[snapshot("lobby", 0, b"")]).expect("committed");
    for at in 0..commits {
        store.commit(&[write(at)]).expect("committed");
    }
    support::copy(folder.path(), copy.path());
    for path in support::log_files(copy.path()) {
        // Little of the space that was taken for more is as good as much, and quicker to read.
        let file = fs::read(&path).expect("a file");
        let end = log_rows(&file).last().map_or(32, |row| row.contents_again.end);
        fs::write(path, &file[..end + 100]).expect("written");
    }
    copy
}

/// How many events the lobby has had, by a store that was opened for commits of that kind.
fn events(folder: &Path, durability: Durability) -> Result<u64, StoreError> {
    let store = SqliteStore::open(folder, durability)?;
    Ok(store.reader()?.load("lobby")?.map_or(0, |room| room.events()))
}

#[test]
fn a_flipped_bit_among_the_newest_commits_is_not_taken_for_their_end() {
    let mut random = Rng::with_seed(1);
    let commits = 8;
    let folder = killed(commits, |at| snapshot("lobby", at + 1, b"hello"));
    let (path, wal) = (folder.path(), folder.path().join("rooms.db-wal"));
    let (database, whole) = (fs::read(path.join("rooms.db")).unwrap(), fs::read(&wal).unwrap());
    let open = |log: &[u8]| {
        fs::write(path.join("rooms.db"), &database).unwrap();
        fs::write(&wal, log).unwrap();
        let _ = fs::remove_file(path.join("rooms.db-shm"));
        events(path, Durability::Synced)
    };
    assert_eq!(open(&whole).expect("it opens"), commits);
    // Where each commit ends: at the frames that tell the size of the database after it.
    let frames: Vec<usize> = (32..whole.len()).step_by(24 + 4096).collect();
    let is_commit = |frame: &&usize| whole[**frame + 4..**frame + 8] != [0; 4];
    let ends: Vec<usize> = frames.iter().filter(is_commit).map(|at| at + 24 + 4096).collect();
    assert!(ends.len() as u64 >= commits, "{ends:?}");

    // The last commit may have been under way, so what is torn there is passed over.
    let last = ends[ends.len() - 2]..whole.len();
    let torn = open(&whole[..last.start + 1000]).expect("it opens");
    assert_eq!(torn, commits - 1);
    // But whatever was flipped in any before it was flushed once.
    for _ in 0..200 {
        let mut flipped = whole.clone();
        let place = random.usize(..ends[ends.len() - 3]);
        flipped[place] ^= 1 << random.u8(..8);
        match open(&flipped) {
            Err(StoreError::DamagedFile { path, .. }) => assert_eq!(path, wal),
            other => panic!("a flipped bit at {place} of {} is {other:?}", whole.len()),
        }
    }
}

/// What becomes of a log that a kill left, with the file changed by `change`.
fn with_log(
    killed: &Path,
    durability: Durability,
    change: impl FnOnce(&mut Vec<u8>),
) -> Result<u64, StoreError> {
    let folder = tempfile::tempdir().expect("a folder");
    support::copy(killed, folder.path());
    let path = log_file(folder.path());
    let mut file = fs::read(&path).expect("a file");
    change(&mut file);
    fs::write(&path, &file).expect("written");
    let found = events(folder.path(), durability);
    match &found {
        Ok(found) => assert_eq!(events(folder.path(), durability).ok(), Some(*found)),
        Err(StoreError::DamagedFile { .. }) => {
            assert!(fs::read(&path).expect("a file") == file, "it is left as it is");
        }
        Err(_) => {}
    }
    found
}

#[test]
fn a_row_that_was_being_written_is_passed_over_and_nothing_else() {
    let folder = killed(8, |at| append("lobby", at, 1, &pattern("hello")));
    let file = fs::read(log_file(folder.path())).expect("a file");
    let rows = log_rows(&file);
    let last = rows[7].contents.start - 24..rows[7].contents_again.end;
    let open = |change: &dyn Fn(&mut Vec<u8>)| with_log(folder.path(), Durability::Synced, change);
    assert_eq!(open(&|_| ()).expect("it opens"), 8);
    // It has come to the disk in part.
    for end in last.clone().step_by(5) {
        assert_eq!(open(&|file| file.truncate(end)).expect("it opens"), 7);
    }
    for part in [last.clone(), rows[7].bodies.clone(), rows[7].contents.start..last.end] {
        assert_eq!(open(&|file| file[part.clone()].fill(0)).expect("it opens"), 7);
    }
    // Space that was taken before there was something to write.
    assert_eq!(open(&|file| file.extend([0; 5000])).expect("it opens"), 8);
    // What others follow was whole once. The first row is known to the database, too.
    let mut random = Rng::with_seed(2);
    for _ in 0..300 {
        let place = random.usize(..last.start);
        let found = open(&|file| file[place] ^= 1 << (place % 8));
        match found {
            Err(StoreError::DamagedFile { .. } | StoreError::Damaged { .. }) => {}
            // That the header has 32 bytes is for the eye alone.
            Ok(8) if (28..32).contains(&place) => {}
            Ok(8) if rows.iter().any(|row| row.contents.contains(&place)) => {}
            Ok(8) if rows.iter().any(|row| row.contents_again.contains(&place)) => {}
            other => panic!("a flipped bit at {place} of {} is {other:?}", file.len()),
        }
    }
    let error = open(&|file| file.truncate(32)).expect_err("the database knows of a row");
    assert!(matches!(error, StoreError::DamagedFile { .. }), "{error}");
}

#[test]
fn what_was_not_flushed_ends_at_the_first_hole_after_a_power_cut_and_only_then() {
    let folder = killed(8, |at| append("lobby", at, 1, &pattern("hello")));
    let file = fs::read(log_file(folder.path())).expect("a file");
    let rows = log_rows(&file);
    // As if the commits were not flushed, and the machine was started again since.
    let set_boot = |boot: &str| {
        let sql = "SELECT first, newest FROM log";
        let connection = Connection::open(folder.path().join("rooms.db")).expect("it opens");
        let (first, newest): (i64, i64) =
            connection.query_row(sql, (), |row| Ok((row.get(0)?, row.get(1)?))).expect("a row");
        let check = support::standing_check(first, newest, boot);
        connection
            .execute("UPDATE log SET boot = ?1, check_row = ?2", params![boot, check])
            .expect("changed");
    };
    let this = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    for (boot, is_another) in [("another", true), (this.trim(), false)] {
        if boot.is_empty() {
            continue;
        }
        set_boot(boot);
        for durability in [Durability::Buffered, Durability::Synced] {
            let open = |change: &dyn Fn(&mut Vec<u8>)| with_log(folder.path(), durability, change);
            assert_eq!(open(&|_| ()).expect("it opens"), 8);
            for (part, row) in [(&rows[3].contents, 3), (&rows[5].bodies, 5)] {
                let range = part.start - 20..part.end + 10;
                let found = open(&|file| file[range.clone()].fill(0));
                match is_another {
                    true => assert_eq!(found.expect("it opens"), row),
                    false => assert!(matches!(found, Err(StoreError::DamagedFile { .. }))),
                }
            }
            let bodies = rows[5].bodies.clone();
            let found = open(&|file| file[bodies.clone()].fill(0));
            match is_another {
                true => assert_eq!(found.expect("it opens"), 5),
                false => assert!(matches!(found, Err(StoreError::Damaged { .. }))),
            }
        }
    }
}
