//! An ordered map that is a sorted vector while it is small, and a tree once it is not: no larger than
//! what it holds in the many rooms that have few members, and never slow in the few that have many.

use std::{
    collections::BTreeMap,
    hash::{Hash, Hasher},
    ops::RangeInclusive,
};

/// Past so many entries the vector becomes a tree.
const MOST_IN_VEC: usize = 32;

/// A tree that has shrunk to so many becomes a vector again.
const FEW: usize = 8;

#[derive(Debug, Clone)]
pub(crate) enum SmallMap<K, V> {
    /// Ascending by key.
    Few(Vec<(K, V)>),
    Many(BTreeMap<K, V>),
}

impl<K, V> Default for SmallMap<K, V> {
    fn default() -> Self {
        SmallMap::Few(Vec::new())
    }
}

impl<K: Ord, V> SmallMap<K, V> {
    pub(crate) fn len(&self) -> usize {
        match self {
            SmallMap::Few(entries) => entries.len(),
            SmallMap::Many(entries) => entries.len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: std::borrow::Borrow<Q>,
    {
        self.get(key).is_some()
    }

    pub(crate) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: std::borrow::Borrow<Q>,
    {
        match self {
            SmallMap::Few(entries) => {
                let place = entries.binary_search_by(|(known, _)| known.borrow().cmp(key)).ok()?;
                entries.get(place).map(|(_, value)| value)
            }
            SmallMap::Many(entries) => entries.get(key),
        }
    }

    pub(crate) fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: std::borrow::Borrow<Q>,
    {
        match self {
            SmallMap::Few(entries) => {
                let place = entries.binary_search_by(|(known, _)| known.borrow().cmp(key)).ok()?;
                entries.get_mut(place).map(|(_, value)| value)
            }
            SmallMap::Many(entries) => entries.get_mut(key),
        }
    }

    /// Puts `value` under `key`, and gives what was there before.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let entries = match self {
            SmallMap::Many(entries) => return entries.insert(key, value),
            SmallMap::Few(entries) => entries,
        };
        match entries.binary_search_by(|(known, _)| known.cmp(&key)) {
            Ok(place) => entries.get_mut(place).map(|entry| std::mem::replace(&mut entry.1, value)),
            Err(_) if entries.len() >= MOST_IN_VEC => {
                let mut tree: BTreeMap<K, V> = std::mem::take(entries).into_iter().collect();
                tree.insert(key, value);
                *self = SmallMap::Many(tree);
                None
            }
            Err(place) => {
                if entries.capacity() == 0 {
                    // Most rooms are small, and a vector's own first step is four.
                    entries.reserve_exact(1);
                }
                entries.insert(place, (key, value));
                None
            }
        }
    }

    pub(crate) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: std::borrow::Borrow<Q>,
    {
        match self {
            SmallMap::Few(entries) => {
                let place = entries.binary_search_by(|(known, _)| known.borrow().cmp(key)).ok()?;
                let removed = entries.remove(place).1;
                if entries.is_empty() {
                    *entries = Vec::new();
                }
                Some(removed)
            }
            SmallMap::Many(entries) => {
                let removed = entries.remove(key);
                self.shrink();
                removed
            }
        }
    }

    /// Takes the entry with the least key.
    pub(crate) fn pop_first(&mut self) -> Option<(K, V)> {
        match self {
            SmallMap::Few(entries) if entries.is_empty() => None,
            SmallMap::Few(entries) => Some(entries.remove(0)),
            SmallMap::Many(entries) => {
                let first = entries.pop_first();
                self.shrink();
                first
            }
        }
    }

    /// All entries, ascending by key.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let (few, many) = match self {
            SmallMap::Few(entries) => (Some(entries.iter()), None),
            SmallMap::Many(entries) => (None, Some(entries.iter())),
        };
        few.into_iter().flatten().map(|(key, value)| (key, value)).chain(many.into_iter().flatten())
    }

    /// Those with these keys and between them, ascending by key.
    pub(crate) fn range(&self, keys: RangeInclusive<K>) -> impl Iterator<Item = (&K, &V)> {
        let (few, many) = match self {
            SmallMap::Few(entries) => {
                let from = entries.partition_point(|(key, _)| key < keys.start());
                let to = entries.partition_point(|(key, _)| key <= keys.end());
                (entries.get(from..to), None)
            }
            SmallMap::Many(entries) => (None, Some(entries.range(keys))),
        };
        let few = few.unwrap_or_default().iter().map(|(key, value)| (key, value));
        few.chain(many.into_iter().flatten())
    }

    /// All keys, ascending.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    fn shrink(&mut self) {
        if let SmallMap::Many(entries) = self
            && entries.len() <= FEW
        {
            *self = SmallMap::Few(std::mem::take(entries).into_iter().collect());
        }
    }
}

/// The same for the same entries, however they are stored.
impl<K: Ord + Hash, V: Hash> Hash for SmallMap<K, V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.len().hash(state);
        self.iter().for_each(|entry| entry.hash(state));
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for SmallMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = SmallMap::default();
        for (key, value) in entries {
            map.insert(key, value);
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same as a tree, whatever is done with it.
    #[test]
    fn it_is_an_ordered_map() {
        let (mut small, mut tree) = (SmallMap::default(), BTreeMap::new());
        let mut chance: u64 = 1;
        for step in 0..20_000_u64 {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(step);
            let key = (chance >> 33) % 60;
            // It grows for a while, then shrinks for a while.
            let grows = step / 1_000 % 2 == 0;
            match (chance >> 60, grows) {
                (0..10, true) | (0, false) => {
                    assert_eq!(small.insert(key, step), tree.insert(key, step));
                }
                (10, _) | (1..4, false) => assert_eq!(small.pop_first(), tree.pop_first()),
                (11, _) => {
                    let [one, other] = [small.get_mut(&key), tree.get_mut(&key)]
                        .map(|value| value.map(|value| std::mem::replace(value, step)));
                    assert_eq!(one, other);
                }
                _ => assert_eq!(small.remove(&key), tree.remove(&key)),
            }
            assert_eq!(small.len(), tree.len());
            assert_eq!(small.get(&key), tree.get(&key));
            assert!(small.iter().eq(tree.iter()), "step {step}");
            assert!(small.range(key..=key + 9).eq(tree.range(key..=key + 9)), "step {step}");
        }
    }

    #[test]
    fn one_that_is_small_takes_no_more_than_it_holds() {
        let mut map = SmallMap::default();
        map.insert(1, 2);
        assert!(matches!(&map, SmallMap::Few(entries) if entries.capacity() == 1));
        for key in 0..1_000 {
            map.insert(key, key);
        }
        assert!(matches!(map, SmallMap::Many(_)));
        for key in 1..1_000 {
            map.remove(&key);
        }
        assert!(matches!(&map, SmallMap::Few(entries) if entries.capacity() <= FEW));
        map.remove(&0);
        assert!(matches!(&map, SmallMap::Few(entries) if entries.capacity() == 0));
    }
}
