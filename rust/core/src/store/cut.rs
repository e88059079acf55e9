//! `Cut`: all objects of one moment, and reading them.
//!
//! Invariant: every answer of one cut is of the same moment (client-go §10).

use std::sync::Arc;

use super::tables::{clone_all, Tables};
use super::versions::Versions;
use super::StoreError;
use crate::hashing::hash;
use crate::index::{Index, IndexName, Member};
use crate::keyed::Keyed;
use crate::queue::SourceId;
use crate::resource_version::ResourceVersion;

/// What a [`View`](super::View) and a [`Snapshot`](super::Snapshot) are read through.
pub struct Cut<T> {
    pub(super) tables: Arc<Tables<T>>,
    pub(super) versions: Versions,
}

impl<T> Clone for Cut<T> {
    fn clone(&self) -> Self {
        Self {
            tables: Arc::clone(&self.tables),
            versions: self.versions.clone(),
        }
    }
}

impl<T: Keyed> Cut<T> {
    /// Number of objects.
    pub fn len(&self) -> usize {
        self.tables.keys.len()
    }

    /// Whether there is no object.
    pub fn is_empty(&self) -> bool {
        self.tables.keys.is_empty()
    }

    /// The object under a key: the same reference that was put (§11).
    pub fn get(&self, key: &str) -> Option<&Arc<T>> {
        let slot = self.tables.find(key, hash(key))?;
        Some(self.tables.object(slot))
    }

    /// The object, the source that put it, and the number of its slot (below `slot_bound`).
    pub fn locate(&self, key: &str) -> Option<(u32, SourceId, &Arc<T>)> {
        let slot = self.tables.find(key, hash(key))?;
        let (source, object) = self.at(slot);
        Some((slot, source, object))
    }

    /// The slots of many keys, given with their hashes: faster than one after the other.
    pub(crate) fn find_all<'k>(
        &self,
        keys: impl Iterator<Item = (&'k str, u64)> + Clone,
    ) -> Vec<Option<u32>> {
        self.tables.find_all(keys)
    }

    /// The object in a slot that was found, and the source that put it.
    pub(crate) fn at(&self, slot: u32) -> (SourceId, &Arc<T>) {
        let source = self.tables.slots[slot as usize].source;
        (source, self.tables.object(slot))
    }

    /// The object in a slot that an index lists.
    pub(crate) fn object_in(&self, slot: u32) -> &Arc<T> {
        self.tables.object(slot)
    }

    /// More than any number of a slot.
    pub fn slot_bound(&self) -> usize {
        self.tables.slots.len()
    }

    /// The objects in at most `count` slots from number `first` on, with slot and source, in the order of the slots.
    pub(crate) fn located_from(
        &self,
        first: usize,
        count: usize,
    ) -> impl Iterator<Item = (u32, SourceId, &Arc<T>)> {
        let slots = self.tables.slots.iter().enumerate().skip(first).take(count);
        slots.filter_map(|(number, slot)| Some((number as u32, slot.source, slot.object.as_ref()?)))
    }

    /// All objects, unordered.
    pub fn objects(&self) -> impl Iterator<Item = &Arc<T>> {
        self.tables
            .slots
            .iter()
            .filter_map(|slot| slot.object.as_ref())
    }

    fn index_number(&self, name: &str) -> Result<usize, StoreError> {
        let is_it =
            |index: &IndexName| matches!(index, IndexName::Given(given) if **given == *name);
        let number = self.open_index(is_it);
        number.ok_or_else(|| StoreError::NoIndex(name.to_owned()))
    }

    /// The number of an index that can be read.
    fn open_index(&self, is_it: impl Fn(&IndexName) -> bool) -> Option<usize> {
        let mut indices = self.tables.indices.iter();
        indices.position(|index| index.ready && is_it(&index.name))
    }

    fn index(&self, name: &str) -> Result<&Index, StoreError> {
        Ok(&self.tables.indices[self.index_number(name)?])
    }

    /// Objects under a value of an index; an unknown value has none (§19).
    pub fn by_index(
        &self,
        name: &str,
        value: &str,
    ) -> Result<impl Iterator<Item = &Arc<T>>, StoreError> {
        let members = self.index(name)?.members(value).iter();
        Ok(members.map(|member| self.tables.object(member.slot)))
    }

    /// The same objects, to be kept.
    pub fn objects_by_index(&self, name: &str, value: &str) -> Result<Vec<Arc<T>>, StoreError> {
        let mut found = Vec::with_capacity(self.count_by_index(name, value)?);
        clone_all(self.by_index(name, value)?, &mut found);
        Ok(found)
    }

    /// The objects in at most `count` slots from number `first` on, to be kept.
    pub fn objects_from(&self, first: usize, count: usize) -> Vec<Arc<T>> {
        let mut found = Vec::new();
        let slots = self.tables.slots.iter().skip(first).take(count);
        clone_all(slots.filter_map(|slot| slot.object.as_ref()), &mut found);
        found
    }

    /// Number of objects under a value of an index.
    pub fn count_by_index(&self, name: &str, value: &str) -> Result<usize, StoreError> {
        Ok(self.index(name)?.members(value).len())
    }

    /// Values of an index that at least one object has (§12), unordered.
    pub fn index_values(&self, name: &str) -> Result<impl Iterator<Item = &str>, StoreError> {
        Ok(self.index(name)?.texts())
    }

    /// How many places `index_values` looks at: not fewer than there are values.
    pub fn index_value_bound(&self, name: &str) -> Result<usize, StoreError> {
        Ok(self.index(name)?.value_bound())
    }

    /// The values under which an object is listed in an index; none if the key is unknown.
    pub fn values_of(&self, name: &str, key: &str) -> Result<Vec<&str>, StoreError> {
        let number = self.index_number(name)?;
        let Some(slot) = self.tables.find(key, hash(key)) else {
            return Ok(Vec::new());
        };
        let entries = self.tables.slots[slot as usize].entries.iter();
        let of_index = entries.filter(|entry| usize::from(entry.index) == number);
        Ok(of_index
            .map(|entry| self.tables.indices[number].text(entry.value))
            .collect())
    }

    /// The index of a label, if selectors can ask for it.
    pub(crate) fn label_index(&self, key: &str) -> Option<&Index> {
        let is_it = |index: &IndexName| matches!(index, IndexName::Label(label) if **label == *key);
        Some(&self.tables.indices[self.open_index(is_it)?])
    }

    /// The slots under a value of an index, if that can be read.
    pub(crate) fn members(&self, name: &str, value: &str) -> Option<&[Member]> {
        Some(self.index(name).ok()?.members(value))
    }

    /// Names of the indices that can be read, in the order in which they were added.
    pub fn index_names(&self) -> impl Iterator<Item = &str> {
        let ready = self.tables.indices.iter().filter(|index| index.ready);
        ready.filter_map(|index| match &index.name {
            IndexName::Given(name) => Some(&**name),
            IndexName::Label(_) => None,
        })
    }

    /// Resource version of the last write that had one, for whichever source; empty before.
    pub fn resource_version(&self) -> &str {
        self.versions.last()
    }

    /// Resource version that was written last for a source; empty before.
    pub fn resource_version_of(&self, source: SourceId) -> &str {
        self.versions.of(source)
    }

    /// The same of one source, or the lowest of the first `sources` ones: "" while one has none that can be compared.
    pub fn resource_version_of_all(&self, source: Option<SourceId>, sources: u32) -> String {
        if source.is_some() || sources == 1 {
            let source = source.unwrap_or(SourceId::FIRST);
            return self.resource_version_of(source).to_owned();
        }
        let versions = (0..sources).map(|it| {
            let version = ResourceVersion::parse(self.resource_version_of(SourceId(it)));
            version.ok().filter(|version| !version.is_any())
        });
        let all: Option<Vec<_>> = versions.collect();
        let lowest = all.and_then(|all| all.into_iter().min());
        lowest.map_or("", ResourceVersion::as_str).to_owned()
    }

    /// Sum of the objects' heap sizes.
    pub fn bytes(&self) -> usize {
        self.tables.bytes
    }

    /// Bytes of slots, key map and indices; costs no walk over the objects.
    pub fn index_bytes(&self) -> usize {
        self.tables.heap_size()
    }

    /// Checks from scratch that key map, slots, indices and sums agree.
    #[cfg(test)]
    pub(crate) fn assert_consistent(&self) {
        self.tables.assert_consistent();
    }
}
