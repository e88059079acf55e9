//! `Informer`: what happens between the queue and the listeners.
//!
//! A notification is handed to the listeners iff the store has changed that way, in the order of the changes; the store
//! is written before any listener hears of it (client-go §63-§68). One thread, the processor, takes batches: `plan`
//! compares with the store and `commit` writes and hands out. Between the two the caller works out index values, with
//! no lock held.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use parking_lot::Mutex;

use crate::keyed::Versioned;
use crate::listener::{Backlog, Listener, Registration, Resync};
use crate::notification::Notification;
use crate::queue::{Delta, DeltaObject, DeltaType, RealFifo, RealFifoMode, SourceId};
use crate::store::{Store, StoreError};
use crate::write_batch::{Key, WriteBatch};

/// Where behaviour differs from client-go unless asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct InformerOptions {
    /// A new uid under a known key is one update instead of a deletion and an addition (client-go §75).
    pub recreate_as_update: bool,
    /// A relist tells handlers of objects that did not change (client-go §136).
    pub notify_unchanged_on_relist: bool,
}

enum Write<T> {
    Put { object: Arc<T>, source: SourceId },
    Delete(Key<T>),
}

/// A batch compared with the store, not yet written: `Informer::plan` to `Informer::commit`.
pub struct Change<T> {
    deltas: usize,
    writes: Vec<Write<T>>,
    notifications: Vec<Notification<T>>,
    resource_version: Option<String>,
}

impl<T: Versioned> Change<T> {
    /// Objects whose index values `commit` will ask for, in that order.
    pub fn puts(&self) -> impl Iterator<Item = &Arc<T>> {
        self.writes.iter().filter_map(|write| match write {
            Write::Put { object, .. } => Some(object),
            Write::Delete(_) => None,
        })
    }

    /// Keys that leave the store.
    pub fn deleted_keys(&self) -> impl Iterator<Item = &str> {
        self.writes.iter().filter_map(|write| match write {
            Write::Put { .. } => None,
            Write::Delete(key) => Some(key.as_str()),
        })
    }
}

/// Counters for a status page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InformerStats {
    pub batches: u64,
    pub notifications: u64,
}

/// See the module.
pub struct Informer<T> {
    queue: RealFifo<T>,
    store: Store<T>,
    options: InformerOptions,
    /// Held while the store is written and the listeners are told, so that a listener that joins sees each object
    /// either in its first snapshot or as a later event (client-go §142).
    registrations: Mutex<Vec<Registration<T>>>,
    started: AtomicBool,
    stopped: AtomicBool,
    batches: AtomicU64,
    notifications: AtomicU64,
}

/// Deltas that one batch may hold (client-go's batch size).
pub const BATCH_SIZE: usize = 1000;

impl<T: Versioned> Informer<T> {
    pub fn new(options: InformerOptions) -> Self {
        Self {
            queue: RealFifo::new(RealFifoMode::Atomic { emit_bookmarks: true }),
            store: Store::new(),
            options,
            registrations: Mutex::new(Vec::new()),
            started: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            batches: AtomicU64::new(0),
            notifications: AtomicU64::new(0),
        }
    }

    pub fn queue(&self) -> &RealFifo<T> {
        &self.queue
    }

    pub fn store(&self) -> &Store<T> {
        &self.store
    }

    /// Every source's first list is in the store and was handed to the listeners; never false again (client-go §158).
    pub fn has_synced(&self) -> bool {
        self.queue.has_synced()
    }

    pub fn stats(&self) -> InformerStats {
        InformerStats {
            batches: self.batches.load(Ordering::Relaxed),
            notifications: self.notifications.load(Ordering::Relaxed),
        }
    }

    /// Compares a batch with the store. Only the processor may call it, and `commit` must follow before the next.
    pub fn plan(&self, deltas: Vec<Delta<T>>) -> Change<T> {
        let mut change = Change {
            deltas: deltas.len(),
            writes: Vec::with_capacity(deltas.len()),
            notifications: Vec::with_capacity(deltas.len()),
            resource_version: None,
        };
        for delta in &deltas {
            self.plan_delta(delta, &mut change);
        }
        change
    }

    fn plan_delta(&self, delta: &Delta<T>, change: &mut Change<T>) {
        match &delta.object {
            DeltaObject::Object(object) if delta.kind == DeltaType::Deleted => {
                self.plan_delete(object, delta.source, change);
            }
            DeltaObject::Object(object) => {
                let view = self.store.read();
                self.upsert(object, view.get(object.key()), delta.source, false, change);
                change.resource_version = Some(object.resource_version().to_owned());
            }
            DeltaObject::Tombstone { key, .. } => {
                let view = self.store.read();
                if let Some((_, source, old)) = view.locate(key) {
                    if source == delta.source {
                        change.bury(old);
                    }
                }
            }
            DeltaObject::Replacement(list) => {
                self.plan_replace(&list.objects, delta.source, delta.initial, change);
                change.resource_version = Some(list.resource_version.clone());
            }
            DeltaObject::Bookmark { resource_version } => {
                change.resource_version = Some(resource_version.to_string());
            }
            DeltaObject::None => {
                let view = self.store.read();
                change.notifications.extend(view.objects().map(resync_of));
            }
        }
    }

    fn plan_delete(&self, object: &Arc<T>, source: SourceId, change: &mut Change<T>) {
        let owner = self.store.read().locate(object.key()).map(|(_, owner, _)| owner);
        if owner.is_some_and(|owner| owner != source) {
            return;
        }
        if owner.is_some() {
            change.writes.push(Write::Delete(Key::Of(Arc::clone(object))));
        }
        change.notifications.push(Notification::Delete { object: Arc::clone(object) });
        change.resource_version = Some(object.resource_version().to_owned());
    }

    fn upsert(
        &self,
        new: &Arc<T>,
        old: Option<&Arc<T>>,
        source: SourceId,
        initial: bool,
        change: &mut Change<T>,
    ) {
        let Some(old) = old else {
            change.put(new, source);
            change.notifications.push(Notification::Add { object: Arc::clone(new), initial });
            return;
        };
        if old.same_version(new) {
            if self.options.notify_unchanged_on_relist {
                change.notifications.push(resync_of(old));
            }
            return;
        }
        change.put(new, source);
        if old.uid() != new.uid() && !self.options.recreate_as_update {
            change.notifications.push(tombstone_of(old));
            change.notifications.push(Notification::Add { object: Arc::clone(new), initial: false });
        } else {
            let (old, new) = (Arc::clone(old), Arc::clone(new));
            change.notifications.push(Notification::Update { old, new, resync: false });
        }
    }

    /// client-go §67: deletions first, then additions and updates in the order of the list.
    fn plan_replace(&self, objects: &[Arc<T>], source: SourceId, initial: bool, change: &mut Change<T>) {
        let objects = last_of_each_key(objects);
        let view = self.store.read();
        let mut listed = vec![false; view.slot_bound()];
        let olds: Vec<Option<&Arc<T>>> = objects
            .iter()
            .map(|object| {
                let (slot, _, old) = view.locate(object.key())?;
                listed[slot as usize] = true;
                Some(old)
            })
            .collect();
        for (slot, owner, old) in view.located() {
            if owner == source && !listed[slot as usize] {
                change.bury(old);
            }
        }
        for (object, old) in objects.iter().zip(olds) {
            self.upsert(object, old, source, initial, change);
        }
    }

    /// Writes a planned change and tells the listeners. `values` gives the index values of the n-th put. When the
    /// indices changed since `generation` was read, nothing happens and the change comes back.
    pub fn commit(
        &self,
        change: Change<T>,
        generation: u32,
        mut values: impl FnMut(usize, &T, &mut dyn FnMut(u16, &str)),
    ) -> Result<usize, Change<T>> {
        let mut write = WriteBatch::with_capacity(change.writes.len());
        let mut puts = 0;
        for planned in &change.writes {
            match planned {
                Write::Put { object, source } => {
                    write.put(Arc::clone(object), *source, |object, sink| values(puts, object, sink));
                    puts += 1;
                }
                Write::Delete(key) => write.delete(key.clone()),
            }
        }
        let registrations = self.registrations.lock();
        if self.store.apply(&write, generation, change.resource_version.as_deref()).is_err() {
            return Err(change);
        }
        if let Some((last, others)) = registrations.split_last() {
            for registration in others {
                registration.listener.push_all(change.notifications.iter().cloned());
            }
            self.notifications.fetch_add(change.notifications.len() as u64, Ordering::Relaxed);
            last.listener.push_all(change.notifications);
        }
        drop(registrations);
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.queue.processed();
        Ok(change.deltas)
    }

    /// Adds a handler's listener; after the start it first gets every object of the store as an initial addition
    /// (client-go §141, §142). None when the informer is stopped (§143).
    pub fn add_listener(&self, backlog: Backlog, resync: Option<Duration>) -> Option<Arc<Listener<T>>> {
        let mut registrations = self.registrations.lock();
        if self.stopped.load(Ordering::Acquire) {
            return None;
        }
        let listener = Arc::new(Listener::new(backlog));
        let started = self.started.load(Ordering::Acquire);
        let next = |period| started.then(|| Instant::now() + period);
        let resync = resync.map(|period| Resync { period, next: next(period) });
        if started {
            let view = self.store.read();
            let snapshot: Vec<Arc<T>> = view.objects().cloned().collect();
            drop(view);
            let adds = snapshot.into_iter().map(|object| Notification::Add { object, initial: true });
            listener.push_all(adds);
        }
        registrations.push(Registration { listener: Arc::clone(&listener), resync });
        Some(listener)
    }

    /// Takes a listener out and closes it. False when it is not one of this informer's (client-go §145).
    pub fn remove_listener(&self, listener: &Arc<Listener<T>>) -> bool {
        let mut registrations = self.registrations.lock();
        let place = registrations.iter().position(|other| Arc::ptr_eq(&other.listener, listener));
        let removed = place.map(|place| registrations.remove(place));
        drop(registrations);
        listener.close();
        removed.is_some()
    }

    /// Starts the resync periods. False when it was started before (client-go §156).
    pub fn start(&self) -> bool {
        let mut registrations = self.registrations.lock();
        let now = Instant::now();
        for resync in registrations.iter_mut().filter_map(|registration| registration.resync.as_mut()) {
            resync.next = Some(now + resync.period);
        }
        !self.started.swap(true, Ordering::AcqRel)
    }

    /// Time until the next handler's resync is due; None when no handler resyncs.
    pub fn until_resync(&self, now: Instant) -> Option<Duration> {
        let registrations = self.registrations.lock();
        let next = registrations.iter().filter_map(|registration| registration.resync?.next).min()?;
        Some(next.saturating_duration_since(now))
    }

    /// Gives every due handler an update of each object with itself (client-go §125-§127). Returns how many were due.
    pub fn resync(&self, now: Instant) -> usize {
        let mut registrations = self.registrations.lock();
        let mut due = Vec::new();
        for registration in registrations.iter_mut() {
            let Some(resync) = &mut registration.resync else { continue };
            if resync.next.is_some_and(|next| next <= now) {
                resync.next = Some(now + resync.period);
                due.push(Arc::clone(&registration.listener));
            }
        }
        if due.is_empty() {
            return 0;
        }
        let view = self.store.read();
        let snapshot: Vec<Arc<T>> = view.objects().cloned().collect();
        drop(view);
        for listener in &due {
            listener.push_all(snapshot.iter().map(resync_of));
        }
        due.len()
    }

    /// Closes the queue and every listener: what waits is dropped (client-go §153).
    pub fn stop(&self) {
        self.queue.close();
        let registrations = self.registrations.lock();
        self.stopped.store(true, Ordering::Release);
        for registration in registrations.iter() {
            registration.listener.close();
        }
    }

    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// The store's own generation of indices, for `commit`.
    pub fn generation(&self) -> u32 {
        self.store.generation()
    }

    /// `StoreError` helper for callers that only have an informer.
    pub fn check_index(&self, name: &str) -> Result<(), StoreError> {
        self.store.read().index_values(name).map(drop)
    }
}

impl<T: Versioned> Change<T> {
    fn put(&mut self, object: &Arc<T>, source: SourceId) {
        self.writes.push(Write::Put { object: Arc::clone(object), source });
    }

    /// The object is gone, and its final state was not seen.
    fn bury(&mut self, old: &Arc<T>) {
        self.writes.push(Write::Delete(Key::Of(Arc::clone(old))));
        self.notifications.push(tombstone_of(old));
    }
}

fn tombstone_of<T>(old: &Arc<T>) -> Notification<T> {
    Notification::Tombstone { key: Key::Of(Arc::clone(old)), object: Some(Arc::clone(old)) }
}

fn resync_of<T>(object: &Arc<T>) -> Notification<T> {
    Notification::Update { old: Arc::clone(object), new: Arc::clone(object), resync: true }
}

/// A list should not name a key twice; when it does, the last one counts, in its own place (client-go §23).
fn last_of_each_key<T: Versioned>(objects: &[Arc<T>]) -> Vec<&Arc<T>> {
    let mut last: HashMap<&str, usize, foldhash::fast::RandomState> =
        HashMap::with_capacity_and_hasher(objects.len(), foldhash::fast::RandomState::default());
    for (place, object) in objects.iter().enumerate() {
        last.insert(object.key(), place);
    }
    if last.len() == objects.len() {
        return objects.iter().collect();
    }
    let kept = objects.iter().enumerate().filter(|(place, object)| last[object.key()] == *place);
    kept.map(|(_, object)| object).collect()
}
