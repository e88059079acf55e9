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

/// One key in line, and what one pop gives: everything that happened to it since it was popped before.
pub struct Item<T> {
    /// Oldest first, at least one, all of one key.
    pub deltas: Deltas<T>,
    /// Once popped, whether a delta belongs to the initial list of its source (client-go's `isInInitialList`, §44).
    pub initial: bool,
    hash: u64,
    /// Of its deltas, so that taking it out touches no object.
    bytes: usize,
}

impl<T: Keyed> Item<T> {
    pub(super) fn new(hash: u64, delta: Delta<T>) -> Self {
        Self {
            hash,
            bytes: delta.heap_size(),
            deltas: Deltas::from_buf([delta]),
            initial: false,
        }
    }

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
            .finish_non_exhaustive()
    }
}

impl<T> Item<T> {
    pub(super) fn newest_of(&self, source: SourceId) -> Option<&Delta<T>> {
        self.deltas
            .iter()
            .rev()
            .find(|delta| delta.source == source)
    }

    /// Notes that it leaves the line.
    fn popped(&mut self, initial_lists: &mut InitialLists) {
        for delta in &self.deltas {
            if delta.initial {
                self.initial = true;
                initial_lists.popped(delta.source);
            } else {
                self.initial |= !initial_lists.is_populated(delta.source);
            }
        }
    }
}

impl<T: Keyed> Hashed for Item<T> {
    fn hash(&self) -> u64 {
        self.hash
    }

    fn key(&self) -> &str {
        self.deltas[0].expect_key()
    }
}

pub(super) struct Line<T> {
    slots: VecDeque<Item<T>>,
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
    pub(super) fn slot(&self, place: usize) -> &Item<T> {
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

    fn find(&self, hash: u64, key: &str) -> Option<&Item<T>> {
        let slot = |number: u64| &self.slots[(number - self.head) as usize];
        let found = self.numbers.find(hash, |&it| slot(it).is(hash, key));
        found.map(|number| slot(*number))
    }

    /// Appends a delta to its key; returns a deletion that this made superfluous, to be dropped after the lock.
    pub(super) fn push(&mut self, hash: u64, delta: Delta<T>) -> Option<Delta<T>> {
        let mut displaced = None;
        self.slots.push_back(Item::new(hash, delta));
        self.number(self.slots.len() - 1, |delta| displaced = Some(delta));
        displaced
    }

    /// The same for many.
    pub(super) fn extend(&mut self, slots: Vec<Item<T>>) -> Vec<Delta<T>> {
        let mut displaced = Vec::new();
        let first = self.slots.len();
        if first == 0 {
            self.slots = slots.into();
        } else {
            self.slots.extend(slots);
        }
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
            let Item {
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
        let mut item = self.slots.pop_front()?;
        self.bytes -= item.bytes;
        let number = self.head;
        self.numbers
            .find_entry(item.hash, |&other| other == number)
            .expect("a key in line has its number")
            .remove();
        self.head += 1;
        self.give_back();
        item.popped(initial_lists);
        Some(item)
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
        let mut items = Vec::from(std::mem::take(&mut self.slots));
        for item in &mut items {
            item.popped(initial_lists);
        }
        self.give_back();
        items
    }

    fn give_back(&mut self) {
        if self.slots.is_empty() && self.slots.capacity() > KEPT_SLOTS {
            self.slots = VecDeque::new();
        }
        if self.numbers.is_empty() && self.numbers.capacity() > KEPT_SLOTS {
            self.numbers = HashTable::new();
        }
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
