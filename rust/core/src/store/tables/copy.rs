//! Copies of the tables, and when a write needs one.
//!
//! A copy for a short batch has the room that this lacked. Into one for a long batch the tables grow as they must.

use std::sync::Arc;

use super::{spilled, Slot, Tables};
use crate::index::Index;
use crate::keyed::Keyed;
use crate::store::LONG_WRITE;
use crate::write_batch::WriteBatch;

/// Tables with more places than this do not grow while readers wait: to move one takes a millisecond.
const LARGE: usize = if cfg!(test) { 8 } else { 16_384 };

/// So many objects are looked at before their counters are raised: the processor then waits for the memory of many at
/// a time.
const LOOKED_AT: usize = 32;

impl<T: Keyed> Tables<T> {
    /// Whether no large table has to grow for a batch.
    pub fn has_room(&self, batch: &WriteBatch<T>) -> bool {
        let puts = batch.len();
        let slots = self.slots.len() < LARGE
            || puts <= self.slots.capacity() - self.slots.len() + self.free.len();
        let keys = self.keys.len() < LARGE || puts <= self.keys.capacity() - self.keys.len();
        let values = batch.values.len();
        let mut indices = self.indices.iter();
        slots && keys && indices.all(|index| index.has_room(values, LARGE))
    }

    /// The same objects, with room for a short batch.
    pub fn copy(&self, batch: &WriteBatch<T>) -> Self {
        let (puts, values) = if batch.len() > LONG_WRITE {
            (0, 0)
        } else {
            (batch.len(), batch.values.len())
        };
        let more = puts.saturating_sub(self.free.len());
        let mut slots =
            Vec::with_capacity(with_room(self.slots.len(), self.slots.capacity(), more));
        let mut spilled_bytes = 0;
        for piece in self.slots.chunks(LOOKED_AT) {
            look_at(piece.iter().filter_map(|slot| slot.object.as_ref()));
            for slot in piece {
                let entries = slot.entries.clone();
                spilled_bytes += spilled(&entries);
                slots.push(Slot {
                    object: slot.object.clone(),
                    entries,
                    ..*slot
                });
            }
        }
        let mut keys = self.keys.clone();
        keys.reserve(puts, |entry| entry.hash);
        Self {
            slots,
            free: self.free.clone(),
            keys,
            indices: self.indices.iter().map(|it| it.copy(values)).collect(),
            generation: self.generation,
            bytes: self.bytes,
            spilled: spilled_bytes,
        }
    }

    /// Bytes of slots, key map and indices on the heap; costs no walk over the objects.
    pub fn heap_size(&self) -> usize {
        let slots = self.slots.capacity() * size_of::<Slot<T>>() + self.spilled;
        let free = self.free.capacity() * size_of::<u32>();
        let indices: usize = self.indices.iter().map(Index::heap_size).sum();
        slots + free + self.keys.allocation_size() + indices
    }
}

/// The capacity for `more` elements behind `len`: the one there is, or twice as much.
pub(crate) fn with_room(len: usize, capacity: usize, more: usize) -> usize {
    if len + more <= capacity {
        return capacity;
    }
    (len + more + (len + more) / 8).max(2 * capacity)
}

/// Brings the counters of objects into the processor's cache, all at a time.
fn look_at<'o, T: 'o>(objects: impl Iterator<Item = &'o Arc<T>>) {
    std::hint::black_box(objects.fold(0, |sum: usize, object| {
        sum.wrapping_add(Arc::strong_count(object))
    }));
}

/// Appends clones of the objects.
pub(crate) fn clone_all<'o, T: 'o>(
    mut objects: impl Iterator<Item = &'o Arc<T>>,
    to: &mut Vec<Arc<T>>,
) {
    let mut piece = Vec::with_capacity(LOOKED_AT);
    loop {
        piece.extend(objects.by_ref().take(LOOKED_AT));
        if piece.is_empty() {
            return;
        }
        look_at(piece.iter().copied());
        to.extend(piece.drain(..).cloned());
    }
}
