//! Comparing a [`DeltaFifo`] with the known objects.
//!
//! Invariant: while a [`Quiet`] lives, an object that is not deleted is in line or known to the consumer.

use std::sync::Arc;

use super::super::delta::{Delta, DeltaObject, DeltaType, Known, SourceId};
use super::super::keys::{Hashed, KeyTable};
use super::line::Line;
use super::DeltaFifo;
use crate::hashing::hash;
use crate::keyed::Keyed;

/// The quiet phase of a [`DeltaFifo`]: nothing is processed, and pops wait until this is dropped.
pub struct Quiet<'q, T: Keyed + Send + Sync + 'static> {
    pub(super) fifo: &'q DeltaFifo<T>,
}

impl<T: Keyed + Send + Sync + 'static> Quiet<'_, T> {
    /// Queues `Deleted` if the key is `known` or has deltas in line; whether it was queued (§35). A lookup that
    /// failed counts as known.
    ///
    /// # Panics
    ///
    /// If `deleted` is neither an object nor a tombstone.
    pub fn delete(
        &self,
        source: SourceId,
        deleted: impl Into<DeltaObject<T>>,
        known: bool,
    ) -> bool {
        self.fifo
            .push_deleted(Delta::deleted(source, deleted), known)
    }

    /// Makes `list` all there is of the source: queues each object as `Replaced` or `Sync` (§36), then a tombstone for
    /// each key that is in line but not listed, of the newest object in line, then for each known key that is neither
    /// listed nor in line (§37-§39). The first Replace is the initial list (§41, §43).
    ///
    /// What other sources have in line is not looked at: the consumer knows whose an object is when it gets there.
    pub fn replace(&self, source: SourceId, list: Vec<Arc<T>>, known: Known<T>) {
        let list: Vec<Listed<T>> = list.into_iter().map(|object| Listed::new(object)).collect();
        let listed = KeyTable::of(&list, list.len());
        let known_hashes: Vec<u64> = known.iter().map(|(key, _)| hash(key)).collect();
        let mut unused = Vec::new();

        let mut state = self.fifo.gate.lock();
        let mut initial = (!state.initial.is_populated(source)).then_some(0);
        let content = &mut state.content;
        let mut push = |content: &mut Line<T>, hash, kind, object| {
            let mut delta = Delta::new(kind, source, object);
            if let Some(count) = &mut initial {
                delta.initial = true;
                *count += 1;
            }
            let displaced = content.push(hash, delta);
            debug_assert!(displaced.is_none(), "no deletion comes after a deletion");
        };
        let in_line_before = content.len();
        for Listed { object, hash } in &list {
            push(
                content,
                *hash,
                self.fifo.list_delta_type,
                Arc::clone(object).into(),
            );
        }
        for index in 0..in_line_before {
            let slot = content.slot(index);
            let hash = slot.hash();
            let Some(newest) = slot.newest_of(source) else {
                continue;
            };
            let missing = listed.get(&list, hash, newest.expect_key()).is_none();
            // Of two deletions the one in line would stay, with the same object (§34).
            if missing && newest.kind != DeltaType::Deleted {
                let tombstone = newest.object.to_tombstone();
                push(content, hash, DeltaType::Deleted, tombstone);
            }
        }
        for ((key, object), hash) in known.into_iter().zip(known_hashes) {
            if listed.get(&list, hash, &key).is_some() || content.contains_of(source, hash, &key) {
                unused.push((key, object));
            } else {
                push(
                    content,
                    hash,
                    DeltaType::Deleted,
                    DeltaObject::Tombstone { key, object },
                );
            }
        }
        if let Some(count) = initial {
            state.initial.populate_with(source, count);
        }
        self.fifo.gate.enqueued(state);
    }

    /// Queues `Sync` for each known key that has nothing in line (§40); a key without an object is skipped.
    pub fn resync(&self, source: SourceId, known: Known<T>) {
        let known: Vec<Listed<T>> = known
            .into_iter()
            .filter_map(|(_, object)| Some(Listed::new(object?)))
            .collect();
        let mut unused = Vec::new();
        let mut state = self.fifo.gate.lock();
        for Listed { object, hash } in known {
            if state.content.contains(hash, object.key()) {
                unused.push(object);
            } else {
                // Nothing is displaced: the key was not in line.
                state
                    .content
                    .push(hash, Delta::new(DeltaType::Sync, source, object.into()));
            }
        }
        self.fifo.gate.enqueued(state);
    }
}

impl<T: Keyed + Send + Sync + 'static> Drop for Quiet<'_, T> {
    fn drop(&mut self) {
        self.fifo.gate.end_quiet();
    }
}

/// An object to compare with the line.
struct Listed<T> {
    object: Arc<T>,
    hash: u64,
}

impl<T: Keyed> Listed<T> {
    fn new(object: Arc<T>) -> Self {
        Self {
            hash: object.key_hash(),
            object,
        }
    }
}

impl<T: Keyed> Hashed for Listed<T> {
    fn hash(&self) -> u64 {
        self.hash
    }

    fn key(&self) -> &str {
        self.object.key()
    }
}
