//! The line of a [`RealFifo`](super::RealFifo), without its lock.
//!
//! Invariant: `bytes` is the sum of the bytes of the slots.

use std::collections::VecDeque;

use smallvec::SmallVec;

use super::super::delta::{Delta, SourceId};
use super::super::gate::Content;
use super::super::keys::{Hashed, KeyTable};
use super::super::synced::InitialLists;
use super::super::KEPT_SLOTS;
use crate::keyed::Keyed;

/// One delta in line.
pub(super) struct Slot<T> {
    pub(super) delta: Delta<T>,
    /// Of the key; unused where there is none.
    hash: u64,
    bytes: usize,
}

impl<T: Keyed> Slot<T> {
    pub(super) fn new(delta: Delta<T>, hash: u64) -> Self {
        let bytes = delta.heap_size();
        Self { delta, hash, bytes }
    }
}

impl<T: Keyed> Hashed for Slot<T> {
    fn hash(&self) -> u64 {
        self.hash
    }

    fn key(&self) -> &str {
        self.delta.expect_key()
    }
}

pub(super) struct Line<T> {
    pub(super) slots: VecDeque<Slot<T>>,
    /// Sum over the line.
    pub(super) bytes: usize,
    /// Empty but while `batch_len` runs; kept for its memory.
    batch_keys: KeyTable,
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
            bytes: 0,
            batch_keys: KeyTable::default(),
        }
    }

    pub(super) fn push(&mut self, slot: Slot<T>) {
        self.bytes += slot.bytes;
        self.slots.push_back(slot);
    }

    pub(super) fn extend(&mut self, slots: Vec<Slot<T>>) {
        self.bytes += slots.iter().map(|slot| slot.bytes).sum::<usize>();
        self.slots.extend(slots);
    }
}

impl<T: Keyed> Line<T> {
    /// Of what a source has queued: the index of the newest delta of each key, and the first index of each key in order.
    pub(super) fn keys_of(&self, source: SourceId) -> (KeyTable, Vec<usize>) {
        let mut newest = KeyTable::default();
        let first = (0..self.slots.len())
            .filter(|&index| self.slots[index].delta.source == source)
            .filter(|&index| newest.insert(&self.slots, index).is_none())
            .collect();
        (newest, first)
    }

    /// How many deltas at the head make one batch.
    pub(super) fn batch_len(&mut self, max: usize) -> usize {
        let Self {
            slots, batch_keys, ..
        } = self;
        let mut in_initial_list = SmallVec::<[SourceId; 2]>::new();
        let mut len = 0;
        for (index, Slot { delta, .. }) in slots.iter().enumerate().take(max) {
            let seen = in_initial_list.contains(&delta.source);
            let crosses_boundary = seen && !delta.initial;
            // The key is looked at last: what comes alone has none.
            if !delta.kind.is_batchable()
                || crosses_boundary
                || batch_keys.insert(slots, index).is_some()
            {
                break;
            }
            if delta.initial && !seen {
                in_initial_list.push(delta.source);
            }
            len += 1;
        }
        batch_keys.clear();
        len.max(1)
    }

    pub(super) fn pop(&mut self, initial_lists: &mut InitialLists) -> Option<Delta<T>> {
        let Slot {
            mut delta, bytes, ..
        } = self.slots.pop_front()?;
        self.bytes -= bytes;
        if self.slots.is_empty() && self.slots.capacity() > KEPT_SLOTS {
            self.slots = VecDeque::new();
        }
        if delta.initial {
            initial_lists.popped(delta.source);
        } else {
            delta.initial = !initial_lists.is_populated(delta.source);
        }
        Some(delta)
    }
}
