//! Whether everything in a store agrees: for tests.

use std::collections::{BTreeMap, BTreeSet};

use super::Tables;
use crate::hashing::hash;
use crate::keyed::Keyed;

impl<T: Keyed> Tables<T> {
    /// See `View::assert_consistent`.
    pub fn assert_consistent(&self) {
        let used: Vec<u32> = self.keys.iter().map(|entry| entry.slot).collect();
        for entry in &self.keys {
            let key = self.object(entry.slot).key();
            assert_eq!(entry.hash, hash(key));
            assert_eq!(self.find(key, entry.hash), Some(entry.slot));
        }
        let all: BTreeSet<u32> = used.iter().chain(&self.free).copied().collect();
        assert_eq!(all.len(), self.slots.len(), "each slot is used or free");
        assert_eq!(used.len() + self.free.len(), all.len(), "and not both");
        for number in &self.free {
            let slot = &self.slots[*number as usize];
            assert!(slot.object.is_none() && slot.entries.is_empty());
        }
        let sizes = used.iter().map(|slot| self.object(*slot).heap_size());
        assert_eq!(self.bytes, sizes.sum::<usize>());
        let spilled = self.slots.iter().map(|slot| super::spilled(&slot.entries));
        assert_eq!(self.spilled, spilled.sum::<usize>());

        let mut listed: Vec<BTreeMap<&str, BTreeSet<u32>>> =
            vec![BTreeMap::new(); self.indices.len()];
        for (number, slot) in self.slots.iter().enumerate() {
            for (place, entry) in slot.entries.iter().enumerate() {
                let index = &self.indices[entry.index as usize];
                let text = index.text(entry.value);
                let member = index.members(text)[entry.position as usize];
                assert_eq!((member.slot, member.entry), (number as u32, place as u32));
                let slots = listed[entry.index as usize].entry(text).or_default();
                assert!(slots.insert(number as u32), "a slot has each value once");
            }
        }
        for (index, listed) in self.indices.iter().zip(listed) {
            let mut texts: Vec<&str> = index.texts().collect();
            texts.sort_unstable();
            assert!(
                texts.into_iter().eq(listed.keys().copied()),
                "no value without a slot"
            );
            assert_eq!(index.heap_size(), index.counted_heap_size());
            let entries: usize = listed.values().map(BTreeSet::len).sum();
            assert_eq!(index.entries(), entries);
            assert_eq!(
                index.all_members().count(),
                entries,
                "no slot without an entry"
            );
        }
    }
}
