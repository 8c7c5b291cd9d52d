//! Tables in memory that are looked at for each append, by a hash that is quick for short names. Like
//! that of the standard library it is seeded anew in each process, for clients choose the names.

use foldhash::fast::RandomState;

/// A table of that kind.
pub(crate) type Table<K, V> = std::collections::HashMap<K, V, RandomState>;

/// One with space for so many entries.
pub(crate) fn with_capacity<K, V>(entries: usize) -> Table<K, V> {
    Table::with_capacity_and_hasher(entries, RandomState::default())
}
