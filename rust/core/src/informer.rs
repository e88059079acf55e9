//! `Informer`: what happens between the queue and the listeners.
//!
//! A notification is handed to the listeners iff the store has changed that way, in the order of the changes; the store
//! is written before any listener hears of it (client-go §63-§68). One thread, the processor, takes batches:
//! [`plan`](Informer::plan) compares with the store and [`commit`](Informer::commit) writes and hands out. Between the
//! two the caller works out index values, with no lock held.
//!
//! Lock order: queue, registrations, store, listener.

mod change;
mod failed;
mod handlers;
mod latency;
pub mod queue;
mod wait;

#[cfg(test)]
mod filter_tests;
#[cfg(test)]
mod mode_tests;
#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod thread_tests;
#[cfg(test)]
mod wait_tests;

use std::sync::Arc;

use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Condvar, Mutex};

use crate::queue::{Delta, DEFAULT_BATCH_SIZE};
use crate::store::Store;
use crate::versioned::Versioned;
use crate::write_batch::WriteBatch;
use handlers::{tell_all, Registration};

pub use change::Change;
pub(crate) use failed::{Failed, FailedVersion};
pub use handlers::Sink;
pub use latency::{LatencyStats, LATENCY_BOUNDS};
pub use queue::{Queue, QueueMode};

/// Where behaviour differs from client-go unless asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct InformerOptions {
    /// A new uid under a known key is one update instead of a deletion and an addition (§75).
    pub recreate_as_update: bool,
    /// Handlers are told of objects that a relist, or a watch event, found unchanged (§134, §136).
    pub notify_unchanged_on_relist: bool,
    /// The store has not all that the watches tell of: the end of what it does not have is none, unlike in §65.
    pub is_filtered: bool,
    /// What is between the lists and watches and the store.
    pub queue: QueueMode,
}

/// Counters for a status page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InformerStats {
    /// Batches written.
    pub batches: u64,
    /// Notifications of those batches, each counted once, however many listeners there are.
    pub notifications: u64,
}

/// A queue, a store and listeners; see the [module](self).
pub struct Informer<T> {
    queue: Queue<T>,
    store: Arc<Store<T>>,
    options: InformerOptions,
    /// Held while the store is written and the listeners are told, so that a listener that joins sees each object
    /// either in its first snapshot or as a later event (§142).
    registrations: Mutex<Vec<Registration<T>>>,
    /// A batch is in the store and with the listeners, or the informer is stopped; waited for with `registrations`.
    committed: Condvar,
    started: AtomicBool,
    stopped: AtomicBool,
    synced: AtomicBool,
    batches: AtomicU64,
    notifications: AtomicU64,
}

/// Deltas that one batch may hold (client-go's batch size).
pub const BATCH_SIZE: usize = DEFAULT_BATCH_SIZE;

impl<T: Versioned> Informer<T> {
    /// One that is not started.
    pub fn new(options: InformerOptions) -> Self {
        let store = Arc::new(Store::new());
        Self {
            queue: Queue::new(options.queue, Arc::clone(&store)),
            store,
            options,
            registrations: Mutex::new(Vec::new()),
            committed: Condvar::new(),
            started: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            synced: AtomicBool::new(false),
            batches: AtomicU64::new(0),
            notifications: AtomicU64::new(0),
        }
    }

    /// Where the reflectors put their deltas and the processor takes its batches.
    pub fn queue(&self) -> &Queue<T> {
        &self.queue
    }

    /// The store: to be read, and to add indices. Only `commit` writes objects.
    pub fn store(&self) -> &Store<T> {
        &self.store
    }

    /// Whether every source's first list is in the store and was handed to the listeners. Once true, it stays true,
    /// even if a source is added (§158).
    pub fn has_synced(&self) -> bool {
        if self.synced.load(Ordering::Acquire) {
            return true;
        }
        let synced = self.queue.has_synced();
        if synced {
            self.synced.store(true, Ordering::Release);
        }
        synced
    }

    /// The counters now.
    pub fn stats(&self) -> InformerStats {
        InformerStats {
            batches: self.batches.load(Ordering::Relaxed),
            notifications: self.notifications.load(Ordering::Relaxed),
        }
    }

    /// Compares a batch, as the queue gives it, with the store. Only the processor may call it, and must commit before
    /// it plans again.
    pub fn plan(&self, deltas: Vec<Delta<T>>) -> Change<T> {
        change::plan(&self.store, self.options, deltas)
    }

    /// Writes a planned change, tells the listeners, ends the processing phase of the queue and returns the number of
    /// deltas. `values` gives the index values of the n-th put; no lock is held while it runs. When the indices changed
    /// since `generation` was read, nothing happens and the change comes back: work out the values again.
    pub fn commit(
        &self,
        mut change: Change<T>,
        generation: u32,
        values: impl FnMut(usize, &T, &mut dyn FnMut(u16, &str)),
    ) -> Result<usize, Change<T>> {
        let mut batch = WriteBatch::of(std::mem::take(&mut change.writes), values);
        let versions = change.versions.iter();
        let versions = versions.map(|(source, version)| (*source, version.as_str()));
        let registrations = self.registrations.lock();
        let applied = self
            .store
            .apply_of_sources(&mut batch, generation, versions);
        if applied.is_err() {
            change.writes = batch.ops;
            return Err(change);
        }
        let notifications = std::mem::take(&mut change.notifications);
        let count = notifications.len() as u64;
        tell_all(registrations.iter().map(|it| &it.target), notifications);
        drop(registrations);
        self.committed.notify_all();
        drop(batch);
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.notifications.fetch_add(count, Ordering::Relaxed);
        self.queue.processed();
        Ok(change.deltas)
    }

    /// Closes the queue and every listener: what waits for a handler is dropped (§153). The processor ends at its next
    /// batch: what is queued need not be processed (§73).
    pub fn stop(&self) {
        let registrations = self.registrations.lock();
        self.stopped.store(true, Ordering::Release);
        let listeners: Vec<_> = registrations
            .iter()
            .filter_map(Registration::listener)
            .cloned()
            .collect();
        drop(registrations);
        // Who is woken by this asks whether it is stopped.
        self.queue.close();
        self.committed.notify_all();
        for listener in listeners {
            listener.close();
        }
    }

    /// Whether `stop` was called; never false again (§157).
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// The generation of the store's indices, for `commit`.
    pub fn generation(&self) -> u32 {
        self.store.generation()
    }
}
