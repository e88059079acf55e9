//! `Queue`: the queue of an informer, in one of client-go's three modes.
//!
//! Invariant: what a pop gives is one unit of its mode: a batch of keys that differ, what comes alone, or all that
//! happened to one key. A list and a deletion are compared with queue and store in the quiet phase, so nothing is missed
//! between the two.

use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use super::latency::{Latency, LatencyStats};
use super::Failed;
use crate::queue::{
    Delta, DeltaFifo, DeltaFifoOptions, DeltaObject, DeltaType, Known, RealFifo, RealFifoMode,
    SourceId, WaitError,
};
use crate::store::Store;
use crate::versioned::Versioned;

/// How changes come from the lists and watches to the store and the handlers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueueMode {
    /// `RealFIFO` with atomic events (gates `InOrderInformers` and `AtomicFIFO`): a list is one change.
    #[default]
    Atomic,
    /// `RealFIFO` without them (`AtomicFIFO` off): a list is a deletion for each object that is gone, then each object.
    InOrder,
    /// `DeltaFIFO` (`InOrderInformers` off): what happens to a key while it is queued is processed together.
    Delta,
}

impl QueueMode {
    /// Whether the store knows its resource version: the objects of a list that come one by one say nothing of where
    /// their source is (§31).
    pub fn has_resource_versions(self) -> bool {
        self == Self::Atomic
    }
}

enum Fifo<T> {
    Real(RealFifo<T>),
    Delta(DeltaFifo<T>),
}

/// See the [module](self).
///
/// In the modes that are not atomic, `replace` and `resync`, and `delete` of a `DeltaFIFO`, block until the batch under way
/// is processed. They do nothing once the queue is closed.
pub struct Queue<T> {
    mode: QueueMode,
    fifo: Fifo<T>,
    known_objects: Arc<Store<T>>,
    /// Known too, though not stored.
    failed: Failed,
    latency: Latency,
}

/// The same call of either queue.
macro_rules! either {
    ($queue:expr, $fifo:ident => $call:expr) => {
        match &$queue.fifo {
            Fifo::Real($fifo) => $call,
            Fifo::Delta($fifo) => $call,
        }
    };
}

impl<T: Versioned> Queue<T> {
    pub(super) fn new(mode: QueueMode, known_objects: Arc<Store<T>>) -> Self {
        let fifo = match mode {
            QueueMode::Atomic => Fifo::Real(RealFifo::new(RealFifoMode::Atomic {
                emit_bookmarks: true,
            })),
            QueueMode::InOrder => Fifo::Real(RealFifo::new(RealFifoMode::NonAtomic)),
            QueueMode::Delta => Fifo::Delta(DeltaFifo::new(DeltaFifoOptions {
                emit_delta_type_replaced: true,
            })),
        };
        Self {
            mode,
            fifo,
            known_objects,
            failed: Failed::default(),
            latency: Latency::default(),
        }
    }

    /// What a transform failed on: the processor's to fill, in the processing phase.
    pub(crate) fn failed(&self) -> &Failed {
        &self.failed
    }

    /// The mode that it was made for.
    pub fn mode(&self) -> QueueMode {
        self.mode
    }

    /// Registers a further source; `has_synced` waits for it too.
    pub fn add_source(&self) -> SourceId {
        either!(self, fifo => fifo.add_source())
    }

    /// How many sources there are.
    pub fn sources(&self) -> u32 {
        either!(self, fifo => fifo.sources())
    }

    /// Queues `Added`.
    pub fn add(&self, source: SourceId, object: Arc<T>) {
        either!(self, fifo => fifo.add(source, object));
    }

    /// Queues `Updated`.
    pub fn update(&self, source: SourceId, object: Arc<T>) {
        either!(self, fifo => fifo.update(source, object));
    }

    /// Queues `Deleted`; in a `DeltaFIFO` only if the key is queued or stored (§35).
    pub fn delete(&self, source: SourceId, deleted: impl Into<DeltaObject<T>>) {
        self.add_many(vec![Delta::deleted(source, deleted)]);
    }

    /// Queues `Added`, `Updated` and `Deleted` deltas in order.
    pub fn add_many(&self, deltas: Vec<Delta<T>>) {
        match &self.fifo {
            Fifo::Real(fifo) => fifo.add_many(deltas),
            Fifo::Delta(fifo) if deltas.iter().all(|it| it.kind != DeltaType::Deleted) => {
                fifo.add_many(deltas);
            }
            Fifo::Delta(fifo) => self.add_with_deletions(fifo, deltas),
        }
    }

    fn add_with_deletions(&self, fifo: &DeltaFifo<T>, deltas: Vec<Delta<T>>) {
        let Ok(quiet) = fifo.quiet(None) else {
            return;
        };
        for delta in deltas {
            if delta.kind == DeltaType::Deleted {
                let (key, source) = (delta.key().unwrap_or_default(), delta.source);
                let stored = self.known_objects.read().get(key).is_some();
                let failed = !stored && self.failed.lock().contains_key(key);
                let failed = failed.then(|| DeltaObject::tombstone(key, None));
                if !quiet.delete(source, delta.object, stored) {
                    // No handler has heard of it.
                    failed.map(|failed| quiet.delete(source, failed, true));
                }
            } else {
                fifo.add_many(vec![delta]);
            }
        }
    }

    /// Queues the whole list of a source: as one `ReplacedAll` (§57), or as what differs (§37, §49). The first one is its
    /// initial list.
    pub fn replace(&self, source: SourceId, resource_version: String, objects: Vec<Arc<T>>) {
        match &self.fifo {
            Fifo::Real(fifo) if self.mode == QueueMode::Atomic => {
                fifo.replace(source, resource_version, objects);
            }
            Fifo::Real(fifo) => {
                if let Ok(quiet) = fifo.quiet(None) {
                    quiet.replace(source, objects, self.known(source));
                }
            }
            Fifo::Delta(fifo) => {
                if let Ok(quiet) = fifo.quiet(None) {
                    quiet.replace(source, objects, self.known(source));
                }
            }
        }
    }

    /// Queues one `SyncAll` (§58), or a `Sync` for each stored object of the source that has nothing queued (§40).
    pub fn resync(&self, source: SourceId) {
        match &self.fifo {
            Fifo::Real(fifo) if self.mode == QueueMode::Atomic => fifo.resync(source),
            Fifo::Real(fifo) => {
                if let Ok(quiet) = fifo.quiet(None) {
                    quiet.resync(source, self.known(source));
                }
            }
            Fifo::Delta(fifo) => {
                if let Ok(quiet) = fifo.quiet(None) {
                    quiet.resync(source, self.known(source));
                }
            }
        }
    }

    /// What the store holds of a source, and what of it only failed; to be called in the quiet phase, when nobody writes.
    fn known(&self, source: SourceId) -> Known<T> {
        let objects = self.known_objects.objects_of(source);
        let known = objects.into_iter();
        let mut known: Known<T> = known
            .map(|object| (Arc::from(object.key()), Some(object)))
            .collect();
        let view = self.known_objects.read();
        let is_stored = |key: &str| {
            view.locate(key)
                .is_some_and(|(_, owner, _)| owner == source)
        };
        for (key, failed) in &*self.failed.lock() {
            if failed.source == source && !is_stored(key) {
                known.push((Arc::from(key.as_str()), None));
            }
        }
        known
    }

    /// Queues a `Bookmark`; nothing in the modes that are not atomic (§60).
    pub fn bookmark(&self, source: SourceId, resource_version: &str) {
        if let Fifo::Real(fifo) = &self.fifo {
            fifo.bookmark(source, resource_version);
        }
    }

    /// Begins the processing phase with what is first in line: of a `RealFIFO` up to `max` deltas of as many keys (§52), or
    /// one that comes alone (§54); of a `DeltaFIFO` all deltas of one key. Blocks for at most `timeout` (none: for ever).
    /// `Closed` only when closed and empty.
    pub fn pop_batch(
        &self,
        max: usize,
        timeout: Option<Duration>,
    ) -> Result<Vec<Delta<T>>, WaitError> {
        let deltas = match &self.fifo {
            Fifo::Real(fifo) => fifo.pop_batch(max, timeout)?,
            Fifo::Delta(fifo) => {
                let item = fifo.pop(timeout)?;
                let mut deltas = item.deltas.into_vec();
                for delta in &mut deltas {
                    delta.initial = item.initial;
                }
                deltas
            }
        };
        self.latency.begin();
        Ok(deltas)
    }

    /// Begins the processing phase for what comes to the consumer by another way than a pop. Waits for a comparison that
    /// is under way.
    pub(crate) fn begin_processing(&self) {
        either!(self, fifo => fifo.begin_processing());
    }

    /// Ends the processing phase; nothing if there is none.
    pub fn processed(&self) {
        self.latency.end();
        either!(self, fifo => fifo.processed());
    }

    /// How long the processing of what was popped has taken.
    pub fn latency(&self) -> LatencyStats {
        self.latency.stats()
    }

    /// Lets the consumer's pop, waiting now or next, come back as timed out.
    pub fn wake(&self) {
        either!(self, fifo => fifo.wake());
    }

    /// Deltas queued, or keys of a `DeltaFIFO`.
    pub fn len(&self) -> usize {
        either!(self, fifo => fifo.len())
    }

    /// Whether nothing is queued.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of queued objects.
    pub fn queued_bytes(&self) -> usize {
        either!(self, fifo => fifo.queued_bytes())
    }

    /// Waits while more than `limit` bytes are queued, for at most `timeout` (none: for ever). `Closed` if closed before.
    pub fn wait_below(&self, limit: usize, timeout: Option<Duration>) -> Result<(), WaitError> {
        either!(self, fifo => fifo.wait_below(limit, timeout))
    }

    /// Lets every waiting call return.
    pub fn close(&self) {
        either!(self, fifo => fifo.close());
    }

    /// Whether `close` was called.
    pub fn is_closed(&self) -> bool {
        either!(self, fifo => fifo.is_closed())
    }

    /// Whether the initial list of every source was processed. Takes no lock.
    pub fn has_synced(&self) -> bool {
        either!(self, fifo => fifo.has_synced())
    }

    /// The same for one source.
    pub fn has_synced_source(&self, source: SourceId) -> bool {
        either!(self, fifo => fifo.has_synced_source(source))
    }

    /// Waits for `has_synced`, for at most `timeout` (none: for ever); `Closed` if closed before.
    pub fn wait_synced(&self, timeout: Option<Duration>) -> Result<(), WaitError> {
        either!(self, fifo => fifo.wait_synced(timeout))
    }

    /// The same without a wait: `waker` is woken once when it may be over.
    pub fn poll_synced(&self, waker: &Waker) -> Poll<Result<(), WaitError>> {
        either!(self, fifo => fifo.poll_synced(waker))
    }

    /// Takes back a waker that was left in `poll_synced`.
    pub(super) fn forget(&self, waker: &Waker) {
        either!(self, fifo => fifo.forget(waker));
    }
}
