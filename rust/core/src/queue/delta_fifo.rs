//! The queue that merges per key (client-go's `DeltaFIFO`, legacy): the unit popped is all deltas of one key.
//!
//! Invariant: a key is in line iff it has deltas, once; a new delta of a key in line does not move it (§32).

mod line;
mod quiet;

use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use super::delta::{Delta, DeltaObject, DeltaType, SourceId};
use super::gate::{Gate, WaitError};
use crate::keyed::Keyed;
use line::Line;

pub use line::Item;
pub use quiet::Quiet;

/// How a [`DeltaFifo`] differs from the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeltaFifoOptions {
    /// A Replace emits `Replaced` instead of `Sync` (§36).
    pub emit_delta_type_replaced: bool,
}

/// A queue of deltas merged per key; see the [module](super) for phases and sources.
///
/// Only consecutive deletions are merged into one; every other delta is kept until the key is popped (§34). Adding
/// never blocks, also after `close` (§45). Transform objects before they come here (§46).
pub struct DeltaFifo<T> {
    gate: Gate<Line<T>>,
    list_delta_type: DeltaType,
}

impl<T: Keyed + Send + Sync + 'static> DeltaFifo<T> {
    /// An empty queue with the source [`SourceId::FIRST`].
    pub fn new(options: DeltaFifoOptions) -> Self {
        Self {
            gate: Gate::new(Line::new()),
            list_delta_type: if options.emit_delta_type_replaced {
                DeltaType::Replaced
            } else {
                DeltaType::Sync
            },
        }
    }

    /// Registers a further source; `has_synced` waits for it too.
    pub fn add_source(&self) -> SourceId {
        self.gate.add_source()
    }

    /// How many sources there are.
    pub fn sources(&self) -> u32 {
        self.gate.sources()
    }

    /// Queues `Added`.
    pub fn add(&self, source: SourceId, object: Arc<T>) {
        self.push(Delta::added(source, object));
    }

    /// Queues `Updated`.
    pub fn update(&self, source: SourceId, object: Arc<T>) {
        self.push(Delta::updated(source, object));
    }

    /// Queues `Deleted` if the key has deltas in line; otherwise queues nothing and returns false.
    ///
    /// That is all for a queue without known objects. With them, a caller that got false looks the key up in the
    /// quiet phase and goes on with [`Quiet::delete`] (§35).
    ///
    /// # Panics
    ///
    /// If `deleted` is neither an object nor a tombstone.
    pub fn delete(&self, source: SourceId, deleted: impl Into<DeltaObject<T>>) -> bool {
        self.push_deleted(Delta::deleted(source, deleted), false)
    }

    /// Queues `Added`, `Updated` and `Deleted` deltas under one lock; a deletion as if its key were known.
    ///
    /// # Panics
    ///
    /// If a delta has another type, or no key.
    pub fn add_many(&self, mut deltas: Vec<Delta<T>>) {
        for delta in &mut deltas {
            let event = matches!(
                delta.kind,
                DeltaType::Added | DeltaType::Updated | DeltaType::Deleted
            );
            assert!(event, "{:?} is not an event of one object", delta.kind);
            delta.initial = false;
        }
        let slots: Vec<Item<T>> = deltas
            .into_iter()
            .map(|delta| Item::new(delta.key_hash(), delta))
            .collect();
        let mut state = self.gate.lock();
        for slot in &slots {
            state.initial.populate(slot.deltas[0].source);
        }
        let displaced = state.content.extend(slots);
        self.gate.enqueued(state);
        drop(displaced);
    }

    /// Waits until nothing is processed, for at most `timeout` (none: for ever), and holds back the next pop while
    /// the guard lives. Read the known objects after this, then compare through the guard. `Closed` only if closed
    /// while something is processed.
    pub fn quiet(&self, timeout: Option<Duration>) -> Result<Quiet<'_, T>, WaitError> {
        self.gate.begin_quiet(timeout)?;
        Ok(Quiet { fifo: self })
    }

    /// Takes the key at the head of the line and all its deltas, and begins the processing phase: call
    /// [`processed`](Self::processed) when they are applied, also if that failed; they are not queued again (§47).
    ///
    /// Blocks for at most `timeout` (none: for ever) until a key is in line and nothing is processed or compared.
    /// `Closed` only when closed and empty (§45).
    pub fn pop(&self, timeout: Option<Duration>) -> Result<Item<T>, WaitError> {
        let mut state = self.gate.wait_ready(timeout)?;
        let state_mut = &mut *state;
        let item = state_mut
            .content
            .pop(&mut state_mut.initial)
            .expect("a ready queue is not empty");
        self.gate.popped(state);
        Ok(item)
    }

    /// As [`pop`](Self::pop), for up to `max` (at least 1) keys; does not wait for more than one.
    pub fn pop_batch(
        &self,
        max: usize,
        timeout: Option<Duration>,
    ) -> Result<Vec<Item<T>>, WaitError> {
        let mut state = self.gate.wait_ready(timeout)?;
        let state_mut = &mut *state;
        let items = state_mut.content.pop_many(max, &mut state_mut.initial);
        self.gate.popped(state);
        Ok(items)
    }

    /// Ends the processing phase; nothing if there is none.
    pub fn processed(&self) {
        self.gate.processed();
    }

    /// Begins the processing phase without a pop, for the consumer. Waits for the quiet phase to end.
    pub(crate) fn begin_processing(&self) {
        self.gate.begin_processing();
    }

    /// Lets the consumer's pop, waiting now or next, come back as timed out: it has something else to see to.
    pub fn wake(&self) {
        self.gate.wake();
    }

    /// Keys in line.
    pub fn len(&self) -> usize {
        self.gate.lock().content.len()
    }

    /// Whether no key is in line.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of queued objects, by [`Keyed::heap_size`]. Those of tombstones and resyncs are known elsewhere and do
    /// not count.
    pub fn queued_bytes(&self) -> usize {
        self.gate.lock().content.bytes()
    }

    /// Waits while more than `limit` bytes are queued, for at most `timeout` (none: for ever); woken by each pop.
    /// `Closed` if closed before.
    pub fn wait_below(&self, limit: usize, timeout: Option<Duration>) -> Result<(), WaitError> {
        self.gate
            .wait_drained(timeout, |content| content.bytes() > limit)
    }

    /// Lets every waiting call return. What is queued, now or later, can still be popped (§45).
    pub fn close(&self) {
        self.gate.close();
    }

    /// Whether `close` was called.
    pub fn is_closed(&self) -> bool {
        self.gate.is_closed()
    }

    /// Whether the initial list of every source was popped and processed (§41-§43). Takes no lock. client-go's blocks
    /// during the processing of the last initial key; this answers false meanwhile.
    pub fn has_synced(&self) -> bool {
        self.gate.has_synced()
    }

    /// The same for one source.
    pub fn has_synced_source(&self, source: SourceId) -> bool {
        self.gate.lock().initial.is_synced(source)
    }

    /// Waits for `has_synced`, for at most `timeout` (none: for ever); `Closed` if closed before.
    pub fn wait_synced(&self, timeout: Option<Duration>) -> Result<(), WaitError> {
        self.gate.wait_synced(timeout)
    }

    /// The same without a wait: `waker` is woken once when it may be over.
    pub fn poll_synced(&self, waker: &Waker) -> Poll<Result<(), WaitError>> {
        self.gate.poll_synced(waker)
    }

    /// Takes back a waker that was left in `poll_synced`.
    pub fn forget(&self, waker: &Waker) {
        self.gate.forget(waker);
    }

    /// Threads that sleep in a call of this queue.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.gate.lock().waiting
    }

    fn push(&self, delta: Delta<T>) {
        let hash = delta.key_hash();
        let mut state = self.gate.lock();
        state.initial.populate(delta.source);
        let displaced = state.content.push(hash, delta);
        self.gate.enqueued(state);
        drop(displaced);
    }

    fn push_deleted(&self, delta: Delta<T>, known: bool) -> bool {
        let hash = delta.key_hash();
        let mut state = self.gate.lock();
        state.initial.populate(delta.source);
        let queued = known || state.content.contains(hash, delta.expect_key());
        // What is not queued is kept to be dropped after the lock, as what is displaced.
        let dropped = if queued {
            state.content.push(hash, delta)
        } else {
            Some(delta)
        };
        self.gate.enqueued(state);
        drop(dropped);
        queued
    }
}
