//! `Store`: objects by key, and any number of indices, behind one lock.
//!
//! A reader sees an object iff it sees the object's index entries: key map, slots and indices change under one write
//! lock, a batch at a time (client-go §9, §10). Index values are worked out before the lock; replaced objects are freed
//! after it.

use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use parking_lot::{RwLock, RwLockReadGuard};
use smallvec::SmallVec;

use crate::index::{Entry, Index};
use crate::keyed::Keyed;
use crate::queue::SourceId;
use crate::write_batch::{Op, Span, WriteBatch};

/// Why a store call was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// client-go §18.
    NoIndex(String),
    /// client-go §21: none of the new indices was added.
    IndexExists(String),
    /// More indices than 65,535.
    TooManyIndices,
    /// The indices changed since the batch was made: work out its values again.
    Stale,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoIndex(name) => write!(f, "Index with name {name} does not exist"),
            Self::IndexExists(name) => write!(f, "indexer conflict: {name}"),
            Self::TooManyIndices => f.write_str("more than 65535 indices"),
            Self::Stale => f.write_str("the indices changed since the batch was made"),
        }
    }
}

impl std::error::Error for StoreError {}

struct Slot<T> {
    object: Option<Arc<T>>,
    source: SourceId,
    /// The index generation that its entries were worked out for.
    generation: u32,
    entries: SmallVec<[Entry; 4]>,
}

/// The hash is kept so that growing the map touches no object.
#[derive(Clone, Copy)]
struct KeyEntry {
    hash: u64,
    slot: u32,
}

struct Inner<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    keys: HashTable<KeyEntry>,
    hasher: RandomState,
    indices: Vec<Index>,
    /// Counts the changes of the set of indices.
    generation: u32,
    /// Counts the writes.
    epoch: u64,
    resource_version: String,
    bytes: usize,
}

/// See the module.
pub struct Store<T> {
    inner: RwLock<Inner<T>>,
}

/// Indices that are being filled: `Store::begin_add_indices` to `finish_add_indices`.
pub struct PendingIndices<T> {
    generation: u32,
    first: u16,
    objects: Vec<(u32, Arc<T>)>,
}

impl<T> PendingIndices<T> {
    /// The objects whose values are wanted, in the order that `finish_add_indices` asks for them.
    pub fn objects(&self) -> impl Iterator<Item = &Arc<T>> {
        self.objects.iter().map(|(_, object)| object)
    }
}

/// A batch with fewer operations is written in place; a bigger one into an empty store is built beside it and swapped
/// in, so that readers never wait for a first list.
const BUILD_ASIDE: usize = 1024;

impl<T: Keyed> Inner<T> {
    fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            keys: HashTable::new(),
            hasher: RandomState::default(),
            indices: Vec::new(),
            generation: 0,
            epoch: 0,
            resource_version: String::new(),
            bytes: 0,
        }
    }

    /// The same indices, with nothing in them.
    fn empty_copy(&self) -> Self {
        let mut copy = Self::new();
        copy.indices = self.indices.iter().map(|index| Index::new(&index.name, index.ready)).collect();
        copy.generation = self.generation;
        copy.resource_version.clone_from(&self.resource_version);
        copy
    }

    fn find(&self, key: &str) -> Option<u32> {
        let hash = self.hasher.hash_one(key);
        self.find_hashed(key, hash)
    }

    fn find_hashed(&self, key: &str, hash: u64) -> Option<u32> {
        let same = |entry: &KeyEntry| entry.hash == hash && self.object(entry.slot).key() == key;
        self.keys.find(hash, same).map(|entry| entry.slot)
    }

    fn object(&self, slot: u32) -> &Arc<T> {
        self.slots[slot as usize].object.as_ref().expect("a slot in the key map or an index holds an object")
    }

    fn index_number(&self, name: &str) -> Option<u16> {
        self.indices.iter().position(|index| &*index.name == name).map(|number| number as u16)
    }

    fn put(&mut self, object: &Arc<T>, source: SourceId, batch: &WriteBatch<T>, spans: &[Span]) -> Option<Arc<T>> {
        let hash = self.hasher.hash_one(object.key());
        let found = self.find_hashed(object.key(), hash);
        let slot = found.unwrap_or_else(|| self.take_slot(hash));
        self.bytes += object.heap_size();
        let generation = self.generation;
        let entry = &mut self.slots[slot as usize];
        entry.source = source;
        entry.generation = generation;
        let old = entry.object.replace(Arc::clone(object));
        if let Some(old) = &old {
            self.bytes -= old.heap_size();
        }
        self.reindex(slot, batch, spans, 0);
        old
    }

    fn take_slot(&mut self, hash: u64) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| {
            let empty =
                Slot { object: None, source: SourceId(0), generation: 0, entries: SmallVec::new() };
            self.slots.push(empty);
            (self.slots.len() - 1) as u32
        });
        self.keys.insert_unique(hash, KeyEntry { hash, slot }, |entry| entry.hash);
        slot
    }

    /// Makes the slot's entries of the indices from number `first` on equal to `spans`; equal values are not touched.
    fn reindex(&mut self, slot: u32, batch: &WriteBatch<T>, spans: &[Span], first: u16) {
        let mut entries = std::mem::take(&mut self.slots[slot as usize].entries);
        let mut kept: SmallVec<[bool; 8]> = entries.iter().map(|entry| entry.index < first).collect();
        let mut added: SmallVec<[Span; 4]> = SmallVec::new();
        for span in spans {
            let text = batch.text(*span);
            let same = entries.iter().position(|entry| {
                entry.index == span.index && self.indices[entry.index as usize].text(entry.value) == text
            });
            match same {
                Some(at) => kept[at] = true,
                None => added.push(*span),
            }
        }
        let mut at = 0;
        entries.retain(|entry| {
            at += 1;
            if !kept[at - 1] {
                self.leave(*entry);
            }
            kept[at - 1]
        });
        for span in added {
            let (value, position) = self.indices[span.index as usize].insert(batch.text(span), slot);
            entries.push(Entry { index: span.index, value, position });
        }
        self.slots[slot as usize].entries = entries;
    }

    fn leave(&mut self, entry: Entry) {
        let moved = self.indices[entry.index as usize].remove(entry.value, entry.position);
        if let Some(moved) = moved {
            let moved = self.slots[moved as usize].entries.iter_mut();
            for other in moved {
                if other.index == entry.index && other.value == entry.value {
                    other.position = entry.position;
                }
            }
        }
    }

    fn delete(&mut self, key: &str) -> Option<Arc<T>> {
        let hash = self.hasher.hash_one(key);
        let slots = &self.slots;
        let same = |entry: &KeyEntry| {
            entry.hash == hash && slots[entry.slot as usize].object.as_ref().is_some_and(|object| object.key() == key)
        };
        let slot = self.keys.find_entry(hash, same).ok()?.remove().0.slot;
        for entry in std::mem::take(&mut self.slots[slot as usize].entries) {
            self.leave(entry);
        }
        let old = self.slots[slot as usize].object.take();
        if let Some(old) = &old {
            self.bytes -= old.heap_size();
        }
        self.free.push(slot);
        old
    }

    fn apply(&mut self, batch: &WriteBatch<T>, freed: &mut Vec<Arc<T>>) {
        self.epoch += 1;
        for op in &batch.ops {
            let old = match op {
                Op::Put { object, source, values } => self.put(object, *source, batch, batch.spans(values)),
                Op::Delete { key } => self.delete(key.as_str()),
            };
            freed.extend(old);
        }
    }
}

impl<T: Keyed> Default for Store<T> {
    fn default() -> Self {
        Self { inner: RwLock::new(Inner::new()) }
    }
}

impl<T: Keyed> Store<T> {
    pub fn new() -> Self {
        Self::default()
    }

    /// What a batch's index values must be worked out for; `apply` refuses another one as `Stale`.
    pub fn generation(&self) -> u32 {
        self.inner.read().generation
    }

    /// Does the whole batch under one lock and sets the resource version, if one is given (client-go §27-§30).
    pub fn apply(
        &self,
        batch: &WriteBatch<T>,
        generation: u32,
        resource_version: Option<&str>,
    ) -> Result<(), StoreError> {
        self.write(batch, generation, resource_version, false)
    }

    /// Makes the store hold the batch's objects and nothing else (client-go §22).
    pub fn replace(
        &self,
        batch: &WriteBatch<T>,
        generation: u32,
        resource_version: Option<&str>,
    ) -> Result<(), StoreError> {
        self.write(batch, generation, resource_version, true)
    }

    fn write(
        &self,
        batch: &WriteBatch<T>,
        generation: u32,
        resource_version: Option<&str>,
        replace: bool,
    ) -> Result<(), StoreError> {
        let mut freed = Vec::with_capacity(batch.len());
        let mut aside = self.build_aside(batch, generation, replace, &mut freed);
        let mut inner = self.inner.write();
        if inner.generation != generation {
            return Err(StoreError::Stale);
        }
        let fresh = aside.take_if(|(epoch, _)| replace || *epoch == inner.epoch);
        let retired = if let Some((_, mut built)) = fresh {
            built.epoch = inner.epoch + 1;
            Some(std::mem::replace(&mut *inner, built))
        } else {
            inner.apply(batch, &mut freed);
            None
        };
        if let Some(version) = resource_version {
            inner.resource_version.clear();
            inner.resource_version.push_str(version);
        }
        drop(inner);
        drop((retired, freed));
        Ok(())
    }

    /// The store as it will be, when that needs nothing of what it is; with the epoch for which it holds.
    fn build_aside(
        &self,
        batch: &WriteBatch<T>,
        generation: u32,
        replace: bool,
        freed: &mut Vec<Arc<T>>,
    ) -> Option<(u64, Inner<T>)> {
        let inner = self.inner.read();
        let wanted = replace || (inner.keys.is_empty() && batch.len() >= BUILD_ASIDE);
        if !wanted || inner.generation != generation {
            return None;
        }
        let (epoch, mut built) = (inner.epoch, inner.empty_copy());
        drop(inner);
        built.keys.reserve(batch.len(), |entry| entry.hash);
        built.slots.reserve(batch.len());
        built.apply(batch, freed);
        Some((epoch, built))
    }

    /// Sets the resource version alone: a bookmark (client-go §30).
    pub fn set_resource_version(&self, version: &str) {
        let mut inner = self.inner.write();
        inner.resource_version.clear();
        inner.resource_version.push_str(version);
    }

    /// Registers indices that are written from now on but not read, and tells for which objects their values are
    /// missing. Work those out without a lock, then call `finish_add_indices`, or `abort_add_indices`.
    pub fn begin_add_indices(&self, names: &[&str]) -> Result<PendingIndices<T>, StoreError> {
        let mut inner = self.inner.write();
        for (at, name) in names.iter().enumerate() {
            if inner.index_number(name).is_some() || names[..at].contains(name) {
                return Err(StoreError::IndexExists((*name).to_owned()));
            }
        }
        let first = u16::try_from(inner.indices.len()).map_err(|_| StoreError::TooManyIndices)?;
        u16::try_from(inner.indices.len() + names.len()).map_err(|_| StoreError::TooManyIndices)?;
        inner.indices.extend(names.iter().map(|name| Index::new(name, false)));
        inner.generation += 1;
        let generation = inner.generation;
        let objects = inner.keys.iter().map(|entry| (entry.slot, Arc::clone(inner.object(entry.slot)))).collect();
        Ok(PendingIndices { generation, first, objects })
    }

    /// Fills the indices in one lock: `values` holds a put for each of `pending.objects()`, in order, whose index
    /// numbers count from the first new index. An object written since then has its values already.
    pub fn finish_add_indices(&self, pending: PendingIndices<T>, values: &WriteBatch<T>) {
        let mut inner = self.inner.write();
        for ((slot, object), op) in pending.objects.iter().zip(&values.ops) {
            let current = &inner.slots[*slot as usize];
            let untouched = current.generation < pending.generation
                && current.object.as_ref().is_some_and(|now| Arc::ptr_eq(now, object));
            let Op::Put { values: range, .. } = op else { continue };
            if untouched {
                let spans: SmallVec<[Span; 4]> = values
                    .spans(range)
                    .iter()
                    .map(|span| Span { index: span.index + pending.first, ..*span })
                    .collect();
                inner.reindex(*slot, values, &spans, pending.first);
                inner.slots[*slot as usize].generation = pending.generation;
            }
        }
        for index in &mut inner.indices[pending.first as usize..] {
            index.ready = true;
        }
        drop(inner);
        drop(pending);
    }

    /// Takes the pending indices back. Calls of `begin_add_indices` must not overlap; the owner of the store sees to it.
    pub fn abort_add_indices(&self, pending: &PendingIndices<T>) {
        let mut inner = self.inner.write();
        for slot in &mut inner.slots {
            slot.entries.retain(|entry| entry.index < pending.first);
        }
        inner.indices.truncate(pending.first as usize);
        inner.generation += 1;
    }

    /// A consistent view; blocks writers while it is held, so hold it briefly. Blocks while a write is under way.
    pub fn read(&self) -> View<'_, T> {
        View { inner: self.inner.read() }
    }

    /// The same without waiting: None while a write is under way or waits.
    pub fn try_read(&self) -> Option<View<'_, T>> {
        self.inner.try_read().map(|inner| View { inner })
    }
}

/// What `Store::read` gives: every answer is of one cut.
pub struct View<'a, T> {
    inner: RwLockReadGuard<'a, Inner<T>>,
}

impl<T: Keyed> View<'_, T> {
    pub fn len(&self) -> usize {
        self.inner.keys.len()
    }

    pub fn is_empty(&self) -> bool {
        self.inner.keys.is_empty()
    }

    pub fn get(&self, key: &str) -> Option<&Arc<T>> {
        self.inner.find(key).map(|slot| self.inner.object(slot))
    }

    /// The object, the source that put it, and the number of its slot (below `slot_bound`).
    pub fn locate(&self, key: &str) -> Option<(u32, SourceId, &Arc<T>)> {
        let slot = self.inner.find(key)?;
        Some((slot, self.inner.slots[slot as usize].source, self.inner.object(slot)))
    }

    pub fn slot_bound(&self) -> usize {
        self.inner.slots.len()
    }

    /// All objects with slot and source, unordered.
    pub fn located(&self) -> impl Iterator<Item = (u32, SourceId, &Arc<T>)> {
        let slots = self.inner.slots.iter().enumerate();
        slots.filter_map(|(number, slot)| Some((number as u32, slot.source, slot.object.as_ref()?)))
    }

    /// All objects, unordered.
    pub fn objects(&self) -> impl Iterator<Item = &Arc<T>> {
        self.inner.slots.iter().filter_map(|slot| slot.object.as_ref())
    }

    fn index(&self, name: &str) -> Result<&Index, StoreError> {
        let index = self.inner.indices.iter().find(|index| index.ready && &*index.name == name);
        index.ok_or_else(|| StoreError::NoIndex(name.to_owned()))
    }

    /// Objects under a value of an index; an unknown value has none (client-go §19).
    pub fn by_index(&self, name: &str, value: &str) -> Result<impl Iterator<Item = &Arc<T>>, StoreError> {
        Ok(self.index(name)?.slots(value).iter().map(|slot| self.inner.object(*slot)))
    }

    pub fn count_by_index(&self, name: &str, value: &str) -> Result<usize, StoreError> {
        Ok(self.index(name)?.slots(value).len())
    }

    /// Values that at least one object has.
    pub fn index_values(&self, name: &str) -> Result<impl Iterator<Item = &str>, StoreError> {
        Ok(self.index(name)?.texts())
    }

    /// The values under which an object is listed in an index.
    pub fn values_of(&self, name: &str, key: &str) -> Result<Vec<&str>, StoreError> {
        let index = self.index(name)?;
        let Some(slot) = self.inner.find(key) else { return Ok(Vec::new()) };
        let entries = self.inner.slots[slot as usize].entries.iter();
        let of_index = entries.filter(|entry| std::ptr::eq(&self.inner.indices[entry.index as usize], index));
        Ok(of_index.map(|entry| index.text(entry.value)).collect())
    }

    pub fn index_names(&self) -> impl Iterator<Item = &str> {
        self.inner.indices.iter().filter(|index| index.ready).map(|index| &*index.name)
    }

    pub fn resource_version(&self) -> &str {
        &self.inner.resource_version
    }

    /// Sum of the objects' heap sizes.
    pub fn bytes(&self) -> usize {
        self.inner.bytes
    }

    /// Estimated bytes of slots, key map and indices.
    pub fn index_bytes(&self) -> usize {
        let slots = self.inner.slots.capacity() * std::mem::size_of::<Slot<T>>();
        let keys = self.inner.keys.capacity() * (std::mem::size_of::<KeyEntry>() + 1);
        slots + keys + self.inner.indices.iter().map(Index::heap_size).sum::<usize>()
    }
}
