//! Comparing a [`RealFifo`] that is not atomic with the known objects.
//!
//! Invariant: while a [`Quiet`] lives, an object that is not deleted is queued or known to the consumer.

use std::sync::Arc;

use super::super::delta::{Delta, DeltaObject, DeltaType, Known, SourceId};
use super::super::keys::{Hashed, KeyTable};
use super::line::Slot;
use super::RealFifo;
use crate::keyed::Keyed;

/// The quiet phase of a [`RealFifo`] that is not atomic: nothing is processed, and pops wait until this is dropped.
pub struct Quiet<'q, T: Keyed + Send + Sync + 'static> {
    pub(super) fifo: &'q RealFifo<T>,
}

impl<T: Keyed + Send + Sync + 'static> Quiet<'_, T> {
    /// Makes `list` all there is of the source: queues a tombstone for each key that is queued but not listed, unless
    /// its newest delta is a deletion, then for each known key that is neither listed nor queued, then each object as
    /// `Replaced` (§49). The first Replace is the initial list (§50).
    ///
    /// What other sources have queued is not looked at: the consumer knows whose an object is when it gets there.
    pub fn replace(&self, source: SourceId, list: Vec<Arc<T>>, known: Known<T>) {
        let list: Vec<Slot<T>> = Self::slots(list, |object| {
            Delta::new(DeltaType::Replaced, source, object.into())
        });
        let known: Vec<Slot<T>> = Self::slots(known, |(key, object)| {
            Delta::deleted(source, DeltaObject::tombstone(key, object))
        });
        let listed = KeyTable::of(&list, list.len());
        let mut unused = Vec::new();

        let mut state = self.fifo.gate.lock();
        let content = &mut state.content;
        let (queued, queued_keys) = content.keys_of(source);
        for first in queued_keys {
            let Slot { delta, .. } = &content.slots[first];
            let hash = content.slots[first].hash();
            let newest = queued
                .get(&content.slots, hash, delta.expect_key())
                .expect("each key was inserted");
            let Slot { delta, .. } = &content.slots[newest];
            let listed = listed.get(&list, hash, delta.expect_key()).is_some();
            if !listed && delta.kind != DeltaType::Deleted {
                let tombstone = delta.object.to_tombstone();
                content.push(Slot::new(Delta::deleted(source, tombstone), hash));
            }
        }
        for slot in known {
            let listed = listed.get(&list, slot.hash(), slot.key()).is_some();
            if listed
                || queued
                    .get(&content.slots, slot.hash(), slot.key())
                    .is_some()
            {
                unused.push(slot);
            } else {
                content.push(slot);
            }
        }
        content.extend(list);
        self.fifo.end_replace(state, source);
    }

    /// Queues `Sync` for each known key with nothing queued; a key without an object is skipped.
    pub fn resync(&self, source: SourceId, known: Known<T>) {
        let objects = known.into_iter().filter_map(|(_, object)| object);
        let known: Vec<Slot<T>> = Self::slots(objects, |object| {
            Delta::new(DeltaType::Sync, source, object.into())
        });
        let mut unused = Vec::new();
        let mut state = self.fifo.gate.lock();
        let content = &mut state.content;
        let queued = KeyTable::of(&content.slots, content.slots.len());
        for slot in known {
            if queued
                .get(&content.slots, slot.hash(), slot.key())
                .is_some()
            {
                unused.push(slot);
            } else {
                content.push(slot);
            }
        }
        self.fifo.gate.enqueued(state);
    }

    fn slots<I>(items: impl IntoIterator<Item = I>, delta: impl Fn(I) -> Delta<T>) -> Vec<Slot<T>> {
        items
            .into_iter()
            .map(|item| RealFifo::keyed_slot(delta(item)))
            .collect()
    }
}

impl<T: Keyed + Send + Sync + 'static> Drop for Quiet<'_, T> {
    fn drop(&mut self) {
        self.fifo.gate.end_quiet();
    }
}
