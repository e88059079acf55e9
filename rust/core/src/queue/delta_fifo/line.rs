//! The line of a [`DeltaFifo`](super::DeltaFifo), without its lock.
//!
//! Invariant: `numbers` holds the number of each slot under its key, and no other; `bytes` is the sum over all deltas.

use std::collections::VecDeque;
use std::fmt;

use hashbrown::hash_table::{Entry, HashTable};

use super::super::delta::{Delta, DeltaType, Deltas, SourceId};
use super::super::gate::Content;
use super::super::keys::Hashed;
use super::super::synced::InitialLists;
use super::super::KEPT_SLOTS;
use crate::keyed::Keyed;

/// What one pop gives: everything that happened to one key since it was popped before.
pub struct Item<T: Keyed> {
    /// Oldest first, at least one, all of one key.
    pub deltas: Deltas<T>,
    /// Whether a delta belongs to the initial list of its source (client-go's `isInInitialList`, §44).
    pub initial: bool,
}

impl<T: Keyed> Item<T> {
    /// The key of every delta.
    pub fn key(&self) -> &str {
        self.deltas[0].expect_key()
    }
}

impl<T: Keyed> fmt::Debug for Item<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Item")
            .field("deltas", &self.deltas)
            .field("initial", &self.initial)
            .finish()
    }
}

/// One key in line.
pub(super) struct Slot<T> {
    pub(super) deltas: Deltas<T>,
    hash: u64,
    /// Of its deltas, so that taking it out touches no object.
    bytes: usize,
}

impl<T: Keyed> Slot<T> {
    pub(super) fn new(hash: u64, delta: Delta<T>) -> Self {
        Self {
            hash,
            bytes: delta.heap_size(),
            deltas: Deltas::from_buf([delta]),
        }
    }
}

impl<T> Slot<T> {
    pub(super) fn newest_of(&self, source: SourceId) -> Option<&Delta<T>> {
        self.deltas
            .iter()
            .rev()
            .find(|delta| delta.source == source)
    }
}

impl<T: Keyed> Hashed for Slot<T> {
    fn hash(&self) -> u64 {
        self.hash
    }

    fn key(&self) -> &str {
        self.deltas[0].expect_key()
    }
}

pub(super) struct Line<T> {
    slots: VecDeque<Slot<T>>,
    /// Number of the slot at the head, counted from the first one ever.
    head: u64,
    /// Key to number of its slot.
    numbers: HashTable<u64>,
    bytes: usize,
}

impl<T> Content for Line<T> {
    fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}

impl<T> Line<T> {
    pub(super) fn new() -> Self {
        Self {
            slots: VecDeque::new(),
            head: 0,
            numbers: HashTable::new(),
            bytes: 0,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The slot at a place in line, 0 at the head.
    pub(super) fn slot(&self, place: usize) -> &Slot<T> {
        &self.slots[place]
    }
}

impl<T: Keyed> Line<T> {
    pub(super) fn contains(&self, hash: u64, key: &str) -> bool {
        self.find(hash, key).is_some()
    }

    /// Whether the source has deltas of the key in line.
    pub(super) fn contains_of(&self, source: SourceId, hash: u64, key: &str) -> bool {
        let slot = self.find(hash, key);
        slot.is_some_and(|slot| slot.newest_of(source).is_some())
    }

    fn find(&self, hash: u64, key: &str) -> Option<&Slot<T>> {
        let slot = |number: u64| &self.slots[(number - self.head) as usize];
        let found = self.numbers.find(hash, |&it| slot(it).is(hash, key));
        found.map(|number| slot(*number))
    }

    /// Appends a delta to its key; returns a deletion that this made superfluous, to be dropped after the lock.
    pub(super) fn push(&mut self, hash: u64, delta: Delta<T>) -> Option<Delta<T>> {
        let mut displaced = None;
        self.slots.push_back(Slot::new(hash, delta));
        self.number(self.slots.len() - 1, |delta| displaced = Some(delta));
        displaced
    }

    /// The same for many.
    pub(super) fn extend(&mut self, slots: Vec<Slot<T>>) -> Vec<Delta<T>> {
        let mut displaced = Vec::new();
        let first = self.slots.len();
        self.slots.extend(slots);
        self.number(first, |delta| displaced.push(delta));
        displaced
    }

    /// Numbers the slots from place `first` on. Those whose key is in line already are merged into its slot.
    fn number(&mut self, first: usize, mut displaced: impl FnMut(Delta<T>)) {
        let Self {
            slots,
            head,
            numbers,
            bytes,
        } = self;
        let place_of = |number: u64| (number - *head) as usize;
        let mut end = first;
        for place in first..slots.len() {
            let Slot {
                hash, bytes: new, ..
            } = slots[place];
            *bytes += new;
            let key = slots[place].key();
            let is_key = |&number: &u64| slots[place_of(number)].is(hash, key);
            match numbers.entry(hash, is_key, |&number| slots[place_of(number)].hash) {
                Entry::Occupied(entry) => {
                    let known = place_of(*entry.get());
                    let merged = std::mem::take(&mut slots[place].deltas);
                    let known = &mut slots[known];
                    known.bytes += new;
                    for delta in merged {
                        if let Some(delta) = merge(&mut known.deltas, delta) {
                            known.bytes -= delta.heap_size();
                            *bytes -= delta.heap_size();
                            displaced(delta);
                        }
                    }
                }
                Entry::Vacant(entry) => {
                    entry.insert(*head + end as u64);
                    if end != place {
                        slots.swap(end, place);
                    }
                    end += 1;
                }
            }
        }
        slots.truncate(end);
    }

    pub(super) fn pop(&mut self, initial_lists: &mut InitialLists) -> Option<Item<T>> {
        let Slot {
            deltas,
            hash,
            bytes,
        } = self.slots.pop_front()?;
        self.bytes -= bytes;
        let number = self.head;
        self.numbers
            .find_entry(hash, |&other| other == number)
            .expect("a key in line has its number")
            .remove();
        self.head += 1;
        self.give_back();
        Some(Self::item(deltas, initial_lists))
    }

    /// Up to `max` items, at least one if there is one.
    pub(super) fn pop_many(
        &mut self,
        max: usize,
        initial_lists: &mut InitialLists,
    ) -> Vec<Item<T>> {
        let len = self.slots.len();
        if max < len {
            let pops = (0..max.max(1)).map_while(|_| self.pop(initial_lists));
            return pops.collect();
        }
        // All of them: no number has to be looked for.
        self.numbers.clear();
        self.head += len as u64;
        self.bytes = 0;
        let slots = self.slots.drain(..);
        let items = slots.map(|slot| Self::item(slot.deltas, initial_lists));
        let items = items.collect();
        self.give_back();
        items
    }

    fn give_back(&mut self) {
        if self.slots.is_empty() && self.slots.capacity() > KEPT_SLOTS {
            self.slots = VecDeque::new();
            self.numbers = HashTable::new();
        }
    }

    fn item(deltas: Deltas<T>, initial_lists: &mut InitialLists) -> Item<T> {
        let mut initial = false;
        for delta in &deltas {
            if delta.initial {
                initial = true;
                initial_lists.popped(delta.source);
            } else {
                initial |= !initial_lists.is_populated(delta.source);
            }
        }
        Item { deltas, initial }
    }
}

/// Appends, but keeps only one of two deletions: the older unless it is a tombstone, for it knows more (§34).
fn merge<T>(deltas: &mut Deltas<T>, mut newer: Delta<T>) -> Option<Delta<T>> {
    let older = deltas.last_mut().expect("a key in line has deltas");
    let both_deleted = older.kind == DeltaType::Deleted && newer.kind == DeltaType::Deleted;
    // The initial list of each source must be popped in full, so one source's deletion cannot stand for another's.
    if !both_deleted || older.source != newer.source {
        deltas.push(newer);
        return None;
    }
    if older.object.is_tombstone() {
        newer.initial = older.initial;
        std::mem::swap(older, &mut newer);
    }
    Some(newer)
}
