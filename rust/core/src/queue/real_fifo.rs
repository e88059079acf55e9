//! The queue that keeps the order of arrival (client-go's `RealFIFO`): nothing is merged.
//!
//! Invariant: deltas are popped in the order in which they were enqueued, across keys and sources (§48).

mod line;
mod quiet;

use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use super::delta::{Delta, DeltaObject, DeltaType, Replacement, SourceId};
use super::gate::{Gate, Guard, WaitError};
use crate::keyed::Keyed;
use line::{Line, Slot};

pub use quiet::Quiet;

/// Who finds out what a new list deletes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RealFifoMode {
    /// The queue, by comparison with the known objects: use [`RealFifo::quiet`].
    NonAtomic,
    /// The consumer, when it processes the one `ReplacedAll` of the list (client-go's `AtomicEvents`).
    Atomic {
        /// Whether bookmarks are queued (client-go's `EmitDeltaTypeBookmark`).
        emit_bookmarks: bool,
    },
}

/// A queue of deltas in order; see the [module](super) for phases and sources.
///
/// Adding never blocks, also after `close`. A producer that must not outrun the consumer calls
/// [`wait_below`](Self::wait_below) before it adds. Transform objects before they come here.
pub struct RealFifo<T> {
    gate: Gate<Line<T>>,
    mode: RealFifoMode,
}

impl<T: Keyed + Send + Sync + 'static> RealFifo<T> {
    /// An empty queue with the source [`SourceId::FIRST`].
    pub fn new(mode: RealFifoMode) -> Self {
        Self {
            gate: Gate::new(Line::new()),
            mode,
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

    /// Queues `Deleted`, whether the key is known or not (§48).
    ///
    /// # Panics
    ///
    /// If `deleted` is neither an object nor a tombstone.
    pub fn delete(&self, source: SourceId, deleted: impl Into<DeltaObject<T>>) {
        self.push(Delta::deleted(source, deleted));
    }

    /// Queues `Added`, `Updated` and `Deleted` deltas under one lock.
    ///
    /// # Panics
    ///
    /// If a delta has another type, or no key.
    pub fn add_many(&self, deltas: Vec<Delta<T>>) {
        let slots: Vec<Slot<T>> = deltas
            .into_iter()
            .map(|mut delta| {
                let event = matches!(
                    delta.kind,
                    DeltaType::Added | DeltaType::Updated | DeltaType::Deleted
                );
                assert!(event, "{:?} is not an event of one object", delta.kind);
                delta.initial = false;
                Self::keyed_slot(delta)
            })
            .collect();
        let mut state = self.gate.lock();
        for slot in &slots {
            state.initial.populate(slot.delta.source);
        }
        state.content.extend(slots);
        self.gate.enqueued(state);
    }

    /// Queues the whole list of a source as one `ReplacedAll` (§57). The first one is the initial list, also when it
    /// is empty (§59).
    ///
    /// # Panics
    ///
    /// In the mode that is not atomic.
    pub fn replace(&self, source: SourceId, resource_version: String, objects: Vec<Arc<T>>) {
        self.expect_atomic(true);
        let list = DeltaObject::Replacement(Box::new(Replacement {
            resource_version,
            objects,
        }));
        let slot = Slot::new(Delta::new(DeltaType::ReplacedAll, source, list), 0);
        let mut state = self.gate.lock();
        state.content.push(slot);
        self.end_replace(state, source);
    }

    /// Queues one `SyncAll`, whatever else is queued (§58).
    ///
    /// # Panics
    ///
    /// In the mode that is not atomic.
    pub fn resync(&self, source: SourceId) {
        self.expect_atomic(true);
        self.push_unkeyed(Delta::new(DeltaType::SyncAll, source, DeltaObject::None));
    }

    /// Queues a `Bookmark` if the mode emits them; has no effect on `has_synced` (§60).
    pub fn bookmark(&self, source: SourceId, resource_version: &str) {
        if self.mode
            == (RealFifoMode::Atomic {
                emit_bookmarks: true,
            })
        {
            let object = DeltaObject::Bookmark {
                resource_version: resource_version.into(),
            };
            self.push_unkeyed(Delta::new(DeltaType::Bookmark, source, object));
        }
    }

    /// Waits until nothing is processed, for at most `timeout` (none: for ever), and holds back the next pop while
    /// the guard lives. Read the known objects after this, then compare through the guard. `Closed` only if closed
    /// while something is processed.
    ///
    /// # Panics
    ///
    /// In the atomic mode, where nothing is compared.
    pub fn quiet(&self, timeout: Option<Duration>) -> Result<Quiet<'_, T>, WaitError> {
        self.expect_atomic(false);
        self.gate.begin_quiet(timeout)?;
        Ok(Quiet { fifo: self })
    }

    /// Takes the oldest delta and begins the processing phase: call [`processed`](Self::processed) when it is
    /// applied, also if that failed.
    ///
    /// Blocks for at most `timeout` (none: for ever) until something is queued and nothing is processed or compared.
    /// `Closed` only when closed and empty.
    pub fn pop(&self, timeout: Option<Duration>) -> Result<Delta<T>, WaitError> {
        let mut state = self.gate.wait_ready(timeout)?;
        let state_mut = &mut *state;
        let delta = state_mut
            .content
            .pop(&mut state_mut.initial)
            .expect("a ready queue is not empty");
        self.gate.popped(state);
        Ok(delta)
    }

    /// As [`pop`](Self::pop), for up to `max` (at least 1) deltas of as many keys (§52); does not wait for more than
    /// one. `ReplacedAll`, `SyncAll` and `Bookmark` come alone (§54). The last delta of the initial list of a source
    /// and a later delta of that source are never in one batch.
    pub fn pop_batch(
        &self,
        max: usize,
        timeout: Option<Duration>,
    ) -> Result<Vec<Delta<T>>, WaitError> {
        let mut state = self.gate.wait_ready(timeout)?;
        let state_mut = &mut *state;
        let count = state_mut.content.batch_len(max);
        let mut deltas = Vec::with_capacity(count);
        deltas.extend((0..count).map_while(|_| state_mut.content.pop(&mut state_mut.initial)));
        self.gate.popped(state);
        Ok(deltas)
    }

    /// Ends the processing phase; nothing if there is none. A source whose initial list this ends is synced (§51).
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

    /// Deltas queued.
    pub fn len(&self) -> usize {
        self.gate.lock().content.slots.len()
    }

    /// Whether nothing is queued.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of queued objects, by [`Keyed::heap_size`]. Those of tombstones and resyncs are known elsewhere and do
    /// not count.
    pub fn queued_bytes(&self) -> usize {
        self.gate.lock().content.bytes
    }

    /// Waits while more than `limit` bytes are queued, for at most `timeout` (none: for ever); woken by each pop.
    /// `Closed` if closed before.
    pub fn wait_below(&self, limit: usize, timeout: Option<Duration>) -> Result<(), WaitError> {
        self.gate
            .wait_drained(timeout, |content| content.bytes > limit)
    }

    /// Lets every waiting call return. What is queued, now or later, can still be popped.
    pub fn close(&self) {
        self.gate.close();
    }

    /// Whether `close` was called.
    pub fn is_closed(&self) -> bool {
        self.gate.is_closed()
    }

    /// Whether the initial list of every source was processed (§50, §51). Takes no lock.
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

    fn keyed_slot(delta: Delta<T>) -> Slot<T> {
        let hash = delta.key_hash();
        Slot::new(delta, hash)
    }

    fn push(&self, delta: Delta<T>) {
        let slot = Self::keyed_slot(delta);
        let mut state = self.gate.lock();
        state.initial.populate(slot.delta.source);
        state.content.push(slot);
        self.gate.enqueued(state);
    }

    fn push_unkeyed(&self, delta: Delta<T>) {
        let slot = Slot::new(delta, 0);
        let mut state = self.gate.lock();
        // Checks that the source is registered; it is no part of an initial list that has not come yet.
        let _ = state.initial.is_populated(slot.delta.source);
        state.content.push(slot);
        self.gate.enqueued(state);
    }

    /// All that the source has queued by the end of its first Replace is its initial list (§50).
    fn end_replace(&self, mut state: Guard<'_, Line<T>>, source: SourceId) {
        if !state.initial.is_populated(source) {
            let mut count = 0;
            for slot in state
                .content
                .slots
                .iter_mut()
                .filter(|slot| slot.delta.source == source)
            {
                slot.delta.initial = true;
                count += 1;
            }
            state.initial.populate_with(source, count);
        }
        self.gate.enqueued(state);
    }

    fn expect_atomic(&self, expected: bool) {
        let atomic = self.mode != RealFifoMode::NonAtomic;
        assert_eq!(
            atomic, expected,
            "the call belongs to the other mode of the queue (atomic: {expected})"
        );
    }
}
