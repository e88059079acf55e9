//! `View`: reading.
//!
//! Invariant: every answer of one view is of one cut (client-go §10).

use std::sync::Arc;

use crate::sync::RwLockReadGuard;

use super::inner::{Inner, KeyEntry, Slot};
use super::StoreError;
use crate::hashing::hash;
use crate::index::Index;
use crate::keyed::Keyed;
use crate::queue::SourceId;

/// What [`Store::read`](super::Store::read) gives.
pub struct View<'a, T> {
    inner: RwLockReadGuard<'a, Inner<T>>,
}

impl<'a, T: Keyed> View<'a, T> {
    pub(super) fn new(inner: RwLockReadGuard<'a, Inner<T>>) -> Self {
        Self { inner }
    }

    /// Number of objects.
    pub fn len(&self) -> usize {
        self.inner.keys.len()
    }

    /// Whether there is no object.
    pub fn is_empty(&self) -> bool {
        self.inner.keys.is_empty()
    }

    /// The object under a key: the same reference that was put (§11).
    pub fn get(&self, key: &str) -> Option<&Arc<T>> {
        let slot = self.inner.find(key, hash(key))?;
        Some(self.inner.object(slot))
    }

    /// The object, the source that put it, and the number of its slot (below `slot_bound`).
    pub fn locate(&self, key: &str) -> Option<(u32, SourceId, &Arc<T>)> {
        let slot = self.inner.find(key, hash(key))?;
        let (source, object) = self.at(slot);
        Some((slot, source, object))
    }

    /// The slots of many keys, given with their hashes: faster than one after the other.
    pub(crate) fn find_all<'k>(
        &self,
        keys: impl Iterator<Item = (&'k str, u64)> + Clone,
    ) -> Vec<Option<u32>> {
        self.inner.find_all(keys)
    }

    /// The object in a slot that was found, and the source that put it.
    pub(crate) fn at(&self, slot: u32) -> (SourceId, &Arc<T>) {
        let source = self.inner.slots[slot as usize].source;
        (source, self.inner.object(slot))
    }

    /// More than any number of a slot.
    pub fn slot_bound(&self) -> usize {
        self.inner.slots.len()
    }

    /// The objects in at most `count` slots from number `first` on, with slot and source, in the order of the slots.
    pub(crate) fn located_from(
        &self,
        first: usize,
        count: usize,
    ) -> impl Iterator<Item = (u32, SourceId, &Arc<T>)> {
        let slots = self.inner.slots.iter().enumerate().skip(first).take(count);
        slots.filter_map(|(number, slot)| Some((number as u32, slot.source, slot.object.as_ref()?)))
    }

    /// All objects, unordered.
    pub fn objects(&self) -> impl Iterator<Item = &Arc<T>> {
        self.inner
            .slots
            .iter()
            .filter_map(|slot| slot.object.as_ref())
    }

    fn index_number(&self, name: &str) -> Result<usize, StoreError> {
        let is_it = |index: &Index| index.ready && &*index.name == name;
        let number = self.inner.indices.iter().position(is_it);
        number.ok_or_else(|| StoreError::NoIndex(name.to_owned()))
    }

    fn index(&self, name: &str) -> Result<&Index, StoreError> {
        Ok(&self.inner.indices[self.index_number(name)?])
    }

    /// Objects under a value of an index; an unknown value has none (§19).
    pub fn by_index(
        &self,
        name: &str,
        value: &str,
    ) -> Result<impl Iterator<Item = &Arc<T>>, StoreError> {
        let members = self.index(name)?.members(value).iter();
        Ok(members.map(|member| self.inner.object(member.slot)))
    }

    /// Number of objects under a value of an index.
    pub fn count_by_index(&self, name: &str, value: &str) -> Result<usize, StoreError> {
        Ok(self.index(name)?.members(value).len())
    }

    /// Values of an index that at least one object has (§12), unordered.
    pub fn index_values(&self, name: &str) -> Result<impl Iterator<Item = &str>, StoreError> {
        Ok(self.index(name)?.texts())
    }

    /// The values under which an object is listed in an index; none if the key is unknown.
    pub fn values_of(&self, name: &str, key: &str) -> Result<Vec<&str>, StoreError> {
        let number = self.index_number(name)?;
        let Some(slot) = self.inner.find(key, hash(key)) else {
            return Ok(Vec::new());
        };
        let entries = self.inner.slots[slot as usize].entries.iter();
        let of_index = entries.filter(|entry| usize::from(entry.index) == number);
        Ok(of_index
            .map(|entry| self.inner.indices[number].text(entry.value))
            .collect())
    }

    /// Names of the indices that can be read, in the order in which they were added.
    pub fn index_names(&self) -> impl Iterator<Item = &str> {
        let ready = self.inner.indices.iter().filter(|index| index.ready);
        ready.map(|index| &*index.name)
    }

    /// Resource version of the last write that had one, for whichever source; empty before.
    pub fn resource_version(&self) -> &str {
        self.inner.versions.last()
    }

    /// Resource version that was written last for a source; empty before.
    pub fn resource_version_of(&self, source: SourceId) -> &str {
        self.inner.versions.of(source)
    }

    /// Sum of the objects' heap sizes.
    pub fn bytes(&self) -> usize {
        self.inner.bytes
    }

    /// Bytes of slots, key map and indices, estimated.
    pub fn index_bytes(&self) -> usize {
        let slots = self.inner.slots.capacity() * size_of::<Slot<T>>();
        let keys = self.inner.keys.capacity() * (size_of::<KeyEntry>() + 1);
        let indices: usize = self.inner.indices.iter().map(Index::heap_size).sum();
        slots + keys + indices
    }

    /// Checks from scratch that key map, slots, indices and sums agree.
    #[cfg(test)]
    pub(crate) fn assert_consistent(&self) {
        self.inner.assert_consistent();
    }
}
