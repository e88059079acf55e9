//! Slots, key map and indices of a [`Store`](super::Store).
//!
//! The key map names a slot iff the slot holds an object, under that object's key. A slot has an entry of an index iff
//! the index lists it at the entry's position.

#[cfg(test)]
mod consistency;
mod copy;

use std::sync::Arc;

pub(crate) use copy::{clone_all, with_room};
use hashbrown::{HashMap, HashTable};
use smallvec::{smallvec, SmallVec};

use super::{StoreError, PIECE};
use crate::index::{Entry, Index, Member};
use crate::keyed::Keyed;
use crate::queue::SourceId;
use crate::write_batch::{Op, Value, Values, WriteBatch};

/// One line of the processor's cache: an update reads and writes all of it.
#[repr(align(64))]
pub(super) struct Slot<T> {
    /// None: the slot is free.
    pub object: Option<Arc<T>>,
    /// Who put it.
    pub source: SourceId,
    /// Generation of the indices that it was put for.
    pub generation: u32,
    pub entries: SmallVec<[Entry; 3]>,
}

/// The hash is kept so that growing the map touches no object.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeyEntry {
    hash: u64,
    slot: u32,
}

pub(super) struct Tables<T> {
    pub slots: Vec<Slot<T>>,
    free: Vec<u32>,
    pub keys: HashTable<KeyEntry>,
    pub indices: Vec<Index>,
    /// Counts the changes of the set of indices.
    pub generation: u32,
    /// Sum of the objects' heap sizes.
    pub bytes: usize,
    /// Bytes of the entries that have no place in their slots.
    spilled: usize,
}

/// Heap of a slot's entries.
fn spilled(entries: &SmallVec<[Entry; 3]>) -> usize {
    if entries.spilled() {
        entries.capacity() * size_of::<Entry>()
    } else {
        0
    }
}

impl<T: Keyed> Tables<T> {
    pub fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            keys: HashTable::new(),
            indices: Vec::new(),
            generation: 0,
            bytes: 0,
            spilled: 0,
        }
    }

    /// The same indices, with nothing in them.
    pub fn without_objects(&self) -> Self {
        let mut empty = Self::new();
        empty.indices = self.indices.iter().map(Index::without_values).collect();
        empty.generation = self.generation;
        empty
    }

    /// Whether the batch may be written.
    pub fn check(&self, batch: &WriteBatch<T>, generation: u32) -> Result<(), StoreError> {
        if self.generation != generation {
            return Err(StoreError::Stale);
        }
        assert!(
            batch.index_bound() <= self.indices.len(),
            "a value is of an index that was registered"
        );
        Ok(())
    }

    pub fn find(&self, key: &str, hash: u64) -> Option<u32> {
        let same = |entry: &KeyEntry| entry.hash == hash && self.object(entry.slot).key() == key;
        self.keys.find(hash, same).map(|entry| entry.slot)
    }

    /// The slots of many keys, given with their hashes. Each step is done for all keys before the next: the lookups
    /// do not depend on each other, so the processor waits for the memory of many at a time.
    pub fn find_all<'k>(
        &self,
        keys: impl Iterator<Item = (&'k str, u64)> + Clone,
    ) -> Vec<Option<u32>> {
        let by_hash = keys.clone().map(|(_, hash)| {
            let found = self.keys.find(hash, |entry| entry.hash == hash);
            found.map(|entry| entry.slot)
        });
        let mut slots: Vec<Option<u32>> = by_hash.collect();
        let found_keys = slots.iter().map(|slot| Some(self.object((*slot)?).key()));
        let found_keys: Vec<Option<&str>> = found_keys.collect();
        for ((slot, found), (key, hash)) in slots.iter_mut().zip(found_keys).zip(keys) {
            if found.is_some_and(|found| found != key) {
                *slot = self.find(key, hash);
            }
        }
        slots
    }

    pub fn object(&self, slot: u32) -> &Arc<T> {
        self.slots[slot as usize]
            .object
            .as_ref()
            .expect("a slot in the key map or an index holds an object")
    }

    /// Slots and their numbers from `first` on, as many as one lock is held for; none past the end.
    pub fn piece(&self, first: usize) -> Option<impl Iterator<Item = (u32, &Slot<T>)>> {
        let slots = self.slots.get(first..).filter(|slots| !slots.is_empty())?;
        let slots = slots.iter().take(PIECE).enumerate();
        Some(slots.map(move |(place, slot)| ((first + place) as u32, slot)))
    }

    /// Does the operations in order, and leaves in the batch what each takes out of the store.
    pub fn apply(&mut self, batch: &mut WriteBatch<T>) {
        let WriteBatch { ops, values } = batch;
        for ops in ops.chunks_mut(LOOKED_UP) {
            let mut found = Vec::new();
            if ops.len() > 1 {
                found = self.find_all(ops.iter().map(|op| (op.key(), op.hash)));
            }
            // What was found holds until a key comes or goes.
            let mut holds = ops.len() > 1;
            for (place, op) in ops.iter_mut().enumerate() {
                let slot = if holds {
                    found[place]
                } else {
                    self.find(op.key(), op.hash)
                };
                holds &= slot.is_some() && op.delete.is_none();
                if op.delete.is_none() {
                    self.put(slot, op, values.at(&op.values));
                } else if let Some(slot) = slot {
                    op.object = self.delete(slot, op.hash);
                }
            }
        }
    }

    /// Exchanges the object of the operation and the slot's.
    fn put(&mut self, slot: Option<u32>, op: &mut Op<T>, values: Values<'_>) {
        let number = slot.unwrap_or_else(|| self.take_slot(op.hash));
        let slot = &mut self.slots[number as usize];
        slot.source = op.source;
        slot.generation = self.generation;
        std::mem::swap(&mut slot.object, &mut op.object);
        self.bytes += slot.object.as_ref().map_or(0, Keyed::heap_size);
        self.bytes -= op.object.as_ref().map_or(0, Keyed::heap_size);
        self.reindex(number, values);
    }

    fn take_slot(&mut self, hash: u64) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot {
                object: None,
                source: SourceId::FIRST,
                generation: 0,
                entries: SmallVec::new(),
            });
            (self.slots.len() - 1) as u32
        });
        self.keys
            .insert_unique(hash, KeyEntry { hash, slot }, |entry| entry.hash);
        slot
    }

    fn is(&self, entry: Entry, value: Value<'_>) -> bool {
        entry.index == value.index && self.indices[entry.index as usize].is(entry.value, value)
    }

    /// Makes the slot's entries those of `values`, in that order; lists that it is in and stays in are not touched.
    fn reindex(&mut self, slot: u32, values: Values<'_>) {
        let entries = &self.slots[slot as usize].entries;
        if entries.len() == values.len() {
            let pairs = entries.iter().copied().zip(values.iter()).enumerate();
            let mut changed = pairs.filter(|(_, (entry, value))| !self.is(*entry, *value));
            match (changed.next(), changed.next()) {
                (None, _) => return,
                (Some((place, (old, value))), None) if old.index == value.index => {
                    return self.exchange(slot, place, old, value);
                }
                _ => {}
            }
        }
        let old = std::mem::take(&mut self.slots[slot as usize].entries);
        let many = (old.len() > MANY).then(|| places_of(&old));
        let mut stays: SmallVec<[bool; 8]> = smallvec![false; old.len()];
        let mut new = SmallVec::with_capacity(values.len());
        // Old and new values are mostly in the same order: each is looked for after the one before.
        let mut next = 0;
        for value in values.iter() {
            let found = if let Some(places) = &many {
                let number = self.indices[value.index as usize].find(value);
                number.and_then(|number| places.get(&(value.index, number)).copied())
            } else {
                (next..old.len())
                    .chain(0..next)
                    .find(|it| self.is(old[*it], value))
            };
            let index = &mut self.indices[value.index as usize];
            let place = new.len();
            if let Some(found) = found {
                stays[found] = true;
                next = found + 1;
                if found != place {
                    index.set_place(old[found], place);
                }
                new.push(old[found]);
            } else {
                let entry = place as u32;
                new.push(index.insert(value, Member { slot, entry }));
            }
        }
        for (entry, stays) in old.iter().zip(stays) {
            if !stays {
                self.leave(*entry);
            }
        }
        self.spilled += spilled(&new);
        self.spilled -= spilled(&old);
        self.slots[slot as usize].entries = new;
    }

    /// Lists the slot under `value`, under which it is not, instead of what the entry at `place` says.
    fn exchange(&mut self, slot: u32, place: usize, old: Entry, value: Value<'_>) {
        let entry = place as u32;
        let new = self.indices[value.index as usize].insert(value, Member { slot, entry });
        self.slots[slot as usize].entries[place] = new;
        self.leave(old);
    }

    /// Lists the slot under a value that it is not listed under.
    pub fn enter(&mut self, slot: u32, value: Value<'_>) {
        let entries = &mut self.slots[slot as usize].entries;
        let entry = entries.len() as u32;
        let index = &mut self.indices[value.index as usize];
        self.spilled -= spilled(entries);
        entries.push(index.insert(value, Member { slot, entry }));
        self.spilled += spilled(entries);
    }

    fn leave(&mut self, entry: Entry) {
        if let Some(moved) = self.indices[entry.index as usize].remove(entry) {
            let entries = &mut self.slots[moved.slot as usize].entries;
            entries[moved.entry as usize].position = entry.position;
        }
    }

    /// Takes the entries of the indices from number `first` on, which exist no more, out of a slot.
    pub fn forget_indices(&mut self, slot: u32, first: u16) {
        let entries = &mut self.slots[slot as usize].entries;
        entries.retain(|entry| entry.index < first);
        for (place, entry) in entries.iter().enumerate() {
            self.indices[entry.index as usize].set_place(*entry, place);
        }
    }

    fn delete(&mut self, number: u32, hash: u64) -> Option<Arc<T>> {
        self.keys
            .find_entry(hash, |entry| entry.slot == number)
            .expect("a slot that holds an object is in the key map")
            .remove();
        let slot = &mut self.slots[number as usize];
        let old = slot.object.take();
        let entries = std::mem::take(&mut slot.entries);
        self.spilled -= spilled(&entries);
        for entry in entries {
            self.leave(entry);
        }
        self.bytes -= old.as_ref().map_or(0, Keyed::heap_size);
        self.free.push(number);
        old
    }
}

/// So many keys are looked up at a time: what they touch stays in the nearest cache until they are written.
const LOOKED_UP: usize = if cfg!(test) { 3 } else { 64 };

/// More entries than this are not searched one by one.
const MANY: usize = if cfg!(test) { 3 } else { 32 };

/// Places of entries by index and value.
fn places_of(entries: &[Entry]) -> HashMap<(u16, u32), usize> {
    let entries = entries.iter().enumerate();
    entries
        .map(|(place, entry)| ((entry.index, entry.value), place))
        .collect()
}
