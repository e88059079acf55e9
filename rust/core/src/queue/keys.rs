//! A set of the keys in a row of slots.
//!
//! Invariant: each key that was inserted has one index, the last one inserted with it.

use std::ops::Index;

use hashbrown::hash_table::{Entry, HashTable};

/// Something with a key whose hash is computed once, outside any lock.
pub(super) trait Hashed {
    fn hash(&self) -> u64;
    fn key(&self) -> &str;

    fn is(&self, hash: u64, key: &str) -> bool {
        self.hash() == hash && self.key() == key
    }
}

/// Indices of slots by key. The slots are handed to each call and must not change between the calls.
#[derive(Default)]
pub(super) struct KeyTable {
    indices: HashTable<usize>,
}

impl KeyTable {
    /// The keys of the first `len` slots.
    pub(super) fn of<S: Hashed>(slots: &impl Index<usize, Output = S>, len: usize) -> Self {
        let mut table = Self {
            indices: HashTable::with_capacity(len),
        };
        for index in 0..len {
            table.insert(slots, index);
        }
        table
    }

    /// Makes `index` the index of its key; returns the one before.
    pub(super) fn insert<S: Hashed>(
        &mut self,
        slots: &impl Index<usize, Output = S>,
        index: usize,
    ) -> Option<usize> {
        let slot = &slots[index];
        let (hash, key) = (slot.hash(), slot.key());
        match self.indices.entry(
            hash,
            |&other| slots[other].is(hash, key),
            |&other| slots[other].hash(),
        ) {
            Entry::Occupied(mut entry) => Some(std::mem::replace(entry.get_mut(), index)),
            Entry::Vacant(entry) => {
                entry.insert(index);
                None
            }
        }
    }

    pub(super) fn get<S: Hashed>(
        &self,
        slots: &impl Index<usize, Output = S>,
        hash: u64,
        key: &str,
    ) -> Option<usize> {
        self.indices
            .find(hash, |&index| slots[index].is(hash, key))
            .copied()
    }

    pub(super) fn clear(&mut self) {
        self.indices.clear();
    }
}
