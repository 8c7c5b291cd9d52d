//! Flipped bits: each hurts no more than it has to, and none passes for what was written.

mod support;

use fastrand::Rng;
use rusqlite::{Connection, params, types::Value};
use stateroom_store::{
    Durability, ModuleHash, Reader, SqliteStore, Store, StoreError, StoredRoom, Write,
};
use std::{fs, path::Path};
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
    assert_eq!(support::query(folder.path(), "SELECT count(*) FROM log"), 4);
    folder
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
    let path = folder.path().join("rooms.db");
    let whole = fs::read(&path).expect("a file");
    let places: Vec<usize> = whole
        .windows(pattern.len())
        .enumerate()
        .filter_map(|(place, bytes)| (bytes == pattern).then_some(place))
        .collect();
    let [place] = places[..] else { panic!("{places:?}") };
    for offset in (0..pattern.len()).step_by(7) {
        let mut changed = whole.clone();
        changed[place + offset] ^= 1 << (offset % 8);
        fs::write(&path, &changed).expect("written");
        look(folder.path(), &originals);
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
    let connection = Connection::open(folder.path().join("rooms.db")).expect("it opens");
    let flip = |column: &str| {
        let sql = format!("SELECT {column} FROM log WHERE position = 4");
        let mut bytes: Vec<u8> =
            connection.query_row(&sql, (), |row| row.get(0)).expect("it is there");
        bytes[9] ^= 1;
        let sql = format!("UPDATE log SET {column} = ?1 WHERE position = 4");
        connection.execute(&sql, [bytes]).expect("changed");
    };
    for column in ["contents", "contents_again"] {
        flip(column);
        assert_eq!(damaged(read_all(folder.path()), &originals), [""; 0]);
        flip(column);
    }
    flip("contents");
    flip("contents_again");
    let error = read_all(folder.path()).expect_err("both are damaged");
    assert!(matches!(error, StoreError::DamagedFile { .. }), "{error}");
    let error = SqliteStore::open_read_only(folder.path()).expect_err("both are damaged");
    assert!(matches!(error, StoreError::DamagedFile { .. }), "{error}");
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
        ("log", "position contents bodies contents_again"),
        ("newest", "position check_row names"),
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
                    other => panic!("{other:?}"),
                };
                let sql = format!("UPDATE {table} SET {column} = ?1 WHERE rowid = ?2");
                connection.execute(&sql, params![changed, found.0]).expect("changed");
                drop(connection);
                let place = format!("{table}.{column}, row {row}");
                match read_all(folder.path()) {
                    Err(StoreError::DamagedFile { .. })
                        if ["log", "newest"].contains(&table) || column == "number" => {}
                    Err(error) => panic!("{place}: {error}"),
                    found => {
                        let damaged = damaged(found, &originals);
                        // Nobody needs the oldest row of the log any more.
                        let unused = table == "log" && column == "bodies" && row == 0;
                        let harmless = unused || column.starts_with("contents");
                        assert!(harmless || !damaged.is_empty(), "{place}: not found");
                        assert!(!harmless || damaged.is_empty(), "{place}: {damaged:?}");
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
    assert_eq!(changes, 9 * 4 + 4 * 4 + 3 + 8);
}

#[test]
fn no_flipped_bit_anywhere_passes_for_what_was_written() {
    let folder = filled();
    let originals = originals(folder.path());
    let path = folder.path().join("rooms.db");
    let whole = fs::read(&path).expect("a file");
    let mut random = Rng::with_seed(1);
    let mut noticed = 0;
    for _ in 0..2000 {
        let mut changed = whole.clone();
        let place = random.usize(..whole.len());
        changed[place] ^= 1 << random.u8(..8);
        for end in ["-wal", "-shm"] {
            let _ = fs::remove_file(folder.path().join(format!("rooms.db{end}")));
        }
        fs::write(&path, &changed).expect("written");
        let Ok(rooms) = read_all(folder.path()) else {
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

/// A folder as a kill leaves it: with `commits` commits that are in the write-ahead log alone.
fn killed(commits: u64) -> tempfile::TempDir {
    let (folder, copy) = (tempfile::tempdir(), tempfile::tempdir());
    let (folder, copy) = (folder.expect("a folder"), copy.expect("a folder"));
    let mut store = SqliteStore::open(folder.path(), Durability::Synced).expect("it opens");
    store.commit(&[snapshot("lobby", 0, b"")]).expect("committed");
    for at in 1..commits {
        store.commit(&[append("lobby", at - 1, 1, b"hello")]).expect("committed");
    }
    for file in ["rooms.db", "rooms.db-wal", "lock"] {
        fs::copy(folder.path().join(file), copy.path().join(file)).expect("copied");
    }
    copy
}

#[test]
fn a_flipped_bit_among_the_newest_commits_is_not_taken_for_their_end() {
    let mut random = Rng::with_seed(1);
    let commits = 8;
    let folder = killed(commits);
    let (path, wal) = (folder.path(), folder.path().join("rooms.db-wal"));
    let (database, whole) = (fs::read(path.join("rooms.db")).unwrap(), fs::read(&wal).unwrap());
    let open = |log: &[u8]| {
        fs::write(path.join("rooms.db"), &database).unwrap();
        fs::write(&wal, log).unwrap();
        let _ = fs::remove_file(path.join("rooms.db-shm"));
        let store = SqliteStore::open(path, Durability::Synced)?;
        let room = store.reader()?.load("lobby")?;
        Ok::<_, StoreError>(room.map_or(0, |room| room.events()))
    };
    assert_eq!(open(&whole).expect("it opens"), commits - 1);
    // Where each commit ends: at the frames that tell the size of the database after it.
    let frames: Vec<usize> = (32..whole.len()).step_by(24 + 4096).collect();
    let is_commit = |frame: &&usize| whole[**frame + 4..**frame + 8] != [0; 4];
    let ends: Vec<usize> = frames.iter().filter(is_commit).map(|at| at + 24 + 4096).collect();
    assert!(ends.len() as u64 >= commits, "{ends:?}");

    // The last commit may have been under way, so what is torn there is passed over.
    let last = ends[ends.len() - 2]..whole.len();
    let torn = open(&whole[..last.start + 1000]).expect("it opens");
    assert_eq!(torn, commits - 2);
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
