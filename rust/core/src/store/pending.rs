//! Indices that are added while the store is in use.
//!
//! From `begin_add_indices` on every write has the values of the new indices too, or is refused as stale. So exactly
//! the slots that were not written since lack them, and those still hold the object that they held at the beginning.

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashSet;

use super::{Store, StoreError, PIECE};
use crate::index::{Index, IndexName};
use crate::keyed::Keyed;
use crate::sync::thread;
use crate::write_batch::{Value, WriteBatch};

/// Between two pieces of `finish_add_indices`: long enough for a reader that waits to wake up.
const PAUSE: Duration = Duration::from_micros(50);

/// Indices that are being filled: from [`Store::begin_add_indices`] to [`Store::finish_add_indices`] or
/// [`Store::abort_add_indices`], one of which must be called.
#[must_use]
pub struct PendingIndices<T> {
    generation: u32,
    first: u16,
    count: u16,
    slots: Vec<u32>,
    objects: Vec<Arc<T>>,
}

impl<T> PendingIndices<T> {
    /// The objects whose values are wanted, in the order in which `finish_add_indices` wants them.
    pub fn objects(&self) -> impl Iterator<Item = &Arc<T>> {
        self.objects.iter()
    }
}

impl<T: Keyed> Store<T> {
    /// Registers indices that are written from now on but not read, and tells for which objects their values are
    /// missing. Work those out without a lock, then finish or abort.
    pub fn begin_add_indices(&self, names: &[&str]) -> Result<PendingIndices<T>, StoreError> {
        let names = names.iter().map(|name| IndexName::Given((*name).into()));
        self.begin_add(names.collect(), |_| {})
    }

    /// The same for indices of labels, too. `publish` gets the generation before anybody can write for it, so that no
    /// batch is refused twice.
    pub(crate) fn begin_add(
        &self,
        names: Vec<IndexName>,
        publish: impl FnOnce(u32),
    ) -> Result<PendingIndices<T>, StoreError> {
        let mut pending = self.register(names, publish)?;
        for first in (0..).step_by(PIECE) {
            let cut = self.cut.read();
            let Some(piece) = cut.tables.piece(first) else {
                break;
            };
            for (number, slot) in piece {
                if slot.generation < pending.generation {
                    if let Some(object) = &slot.object {
                        pending.slots.push(number);
                        pending.objects.push(Arc::clone(object));
                    }
                }
            }
        }
        Ok(pending)
    }

    fn register(
        &self,
        names: Vec<IndexName>,
        publish: impl FnOnce(u32),
    ) -> Result<PendingIndices<T>, StoreError> {
        self.change(|tables| {
            let number =
                |count: usize| u16::try_from(count).map_err(|_| StoreError::TooManyIndices);
            let first = number(tables.indices.len())?;
            number(tables.indices.len() + names.len())?;
            for (place, name) in names.iter().enumerate() {
                let known = tables.indices.iter().any(|index| index.name == *name);
                if known || names[..place].contains(name) {
                    return Err(StoreError::IndexExists(name.as_str().to_owned()));
                }
            }
            let count = names.len() as u16;
            tables.indices.extend(names.into_iter().map(Index::new));
            tables.generation += 1;
            publish(tables.generation);
            Ok(PendingIndices {
                generation: tables.generation,
                first,
                count,
                slots: Vec::new(),
                objects: Vec::new(),
            })
        })
    }

    /// Fills the indices and lets them be read. `values` holds a put for each of `pending.objects()`, in order, whose
    /// index numbers count from the first new index.
    ///
    /// # Panics
    ///
    /// If `values` are other puts, or name an index past the new ones.
    pub fn finish_add_indices(&self, pending: PendingIndices<T>, values: &WriteBatch<T>) {
        assert!(
            values.index_bound() <= usize::from(pending.count),
            "a value is of an index that is pending"
        );
        assert!(
            values
                .puts()
                .map(Arc::as_ptr)
                .eq(pending.objects().map(Arc::as_ptr)),
            "there is one put for each pending object"
        );
        let pieces = pending.slots.chunks(PIECE).zip(values.ops.chunks(PIECE));
        for (slots, puts) in pieces {
            self.change(|tables| {
                for (number, put) in slots.iter().zip(puts) {
                    let untouched = tables.slots.get(*number as usize).is_some_and(|slot| {
                        slot.generation < pending.generation && slot.object.is_some()
                    });
                    if untouched {
                        for value in values.values.at(&put.values).iter() {
                            let index = value.index + pending.first;
                            tables.enter(*number, Value { index, ..value });
                        }
                    }
                }
            });
            // The lock is not fair: without a pause the waiting readers would not get it before the last piece.
            thread::sleep(PAUSE);
        }
        self.change(|tables| {
            for index in &mut tables.indices[pending.range()] {
                index.ready = true;
            }
        });
        drop(pending);
    }

    /// Takes the pending indices back.
    ///
    /// # Panics
    ///
    /// If others were added after them.
    pub fn abort_add_indices(&self, pending: &PendingIndices<T>) {
        self.abort_add(pending, |_| {});
    }

    /// The same with a new generation, as in `begin_add`.
    pub(crate) fn abort_add(&self, pending: &PendingIndices<T>, publish: impl FnOnce(u32)) {
        let retired = self.change(|tables| {
            assert_eq!(
                tables.indices.len(),
                pending.range().end,
                "no indices are added after those that are taken back"
            );
            let retired = tables.indices.split_off(pending.range().start);
            let members = retired.iter().flat_map(Index::all_members);
            let slots: HashSet<u32> = members.map(|member| member.slot).collect();
            for slot in slots {
                tables.forget_indices(slot, pending.first);
            }
            tables.generation += 1;
            publish(tables.generation);
            retired
        });
        drop(retired);
    }
}

impl<T> PendingIndices<T> {
    fn range(&self) -> std::ops::Range<usize> {
        let first = usize::from(self.first);
        first..first + usize::from(self.count)
    }
}
