//! `Change`: a batch of deltas compared with the store.
//!
//! Invariant: a notification is planned iff the write beside it changes the store that way, but for three that tell
//! what the store does not show: resyncs, unchanged objects of a relist if asked for (§136), and deletions of objects
//! that the store did not have (§65).

use std::sync::Arc;

use hashbrown::hash_table::{Entry, HashTable};
use smallvec::SmallVec;

use super::{InformerOptions, QueueMode};
use crate::keyed::Keyed;
use crate::notification::Notification;
use crate::queue::{Delta, DeltaObject, DeltaType, SourceId};
use crate::store::{Store, View};
use crate::versioned::Versioned;
use crate::write_batch::{Key, Op};

/// A batch compared with the store, not yet written: from [`Informer::plan`](super::Informer::plan) to
/// [`Informer::commit`](super::Informer::commit).
pub struct Change<T> {
    pub(super) deltas: usize,
    pub(super) writes: Vec<Op<T>>,
    pub(super) notifications: Vec<Notification<T>>,
    pub(super) versions: SmallVec<[(SourceId, String); 1]>,
}

impl<T: Versioned> Change<T> {
    /// Objects whose index values `commit` will ask for, in that order.
    pub fn puts(&self) -> impl Iterator<Item = &Arc<T>> {
        self.writes.iter().filter_map(|op| op.object.as_ref())
    }

    /// Keys that leave the store.
    pub fn deleted_keys(&self) -> impl Iterator<Item = &str> {
        let keys = self.writes.iter().filter_map(|op| op.delete.as_ref());
        keys.map(|key| key.as_str())
    }

    fn with_capacity(count: usize) -> Self {
        Self {
            deltas: 0,
            writes: Vec::with_capacity(count),
            notifications: Vec::with_capacity(count),
            versions: SmallVec::new(),
        }
    }
}

/// Objects that are compared under one lock of the store: some 100 microseconds.
const PIECE: usize = if cfg!(test) { 4 } else { 1024 };

/// Compares deltas with the store. Nobody else may write objects meanwhile.
pub(super) fn plan<T: Versioned>(
    store: &Store<T>,
    options: InformerOptions,
    deltas: Vec<Delta<T>>,
) -> Change<T> {
    let mut planner = Planner {
        store,
        options,
        change: Change::with_capacity(deltas.len()),
    };
    planner.change.deltas = deltas.len();
    if options.queue.has_resource_versions() {
        planner.change.versions = versions(&deltas);
    }
    if options.queue == QueueMode::Delta {
        planner.plan_key(deltas);
    } else {
        planner.plan(deltas);
    }
    planner.change
}

/// Where the deltas leave each of their sources: at its last one that says so.
fn versions<T: Versioned>(deltas: &[Delta<T>]) -> SmallVec<[(SourceId, String); 1]> {
    let mut versions = SmallVec::<[(SourceId, String); 1]>::new();
    for delta in deltas.iter().rev() {
        if versions.iter().all(|(source, _)| *source != delta.source) {
            let version = resource_version(delta);
            versions.extend(version.map(|version| (delta.source, version.to_owned())));
        }
    }
    versions
}

/// Where the delta leaves its source (§27-§30).
fn resource_version<T: Versioned>(delta: &Delta<T>) -> Option<&str> {
    match &delta.object {
        DeltaObject::Object(object) => Some(object.resource_version()),
        DeltaObject::Replacement(list) => Some(&list.resource_version),
        DeltaObject::Bookmark { resource_version }
        | DeltaObject::OutOfScope {
            resource_version, ..
        } => Some(resource_version),
        DeltaObject::Tombstone { .. } | DeltaObject::None => None,
    }
}

struct Planner<'a, T> {
    store: &'a Store<T>,
    options: InformerOptions,
    change: Change<T>,
}

/// A key with its hash, whose slot was looked up.
#[derive(Clone, Copy)]
struct Place {
    hash: u64,
    slot: Option<u32>,
}

impl<T: Versioned> Planner<'_, T> {
    fn plan(&mut self, deltas: Vec<Delta<T>>) {
        let store = self.store;
        // What is not about one object has no key, and no use for a place.
        let places = places(
            &store.read(),
            deltas
                .iter()
                .map(|it| (it.key().unwrap_or(""), it.key_hash())),
        );
        let mut view = None;
        for (delta, Place { hash, slot }) in deltas.into_iter().zip(places) {
            match delta.object {
                DeltaObject::Replacement(list) => {
                    view = None;
                    self.replace(list.objects, delta.source, delta.initial);
                }
                DeltaObject::None => {
                    view = None;
                    let resyncs = store.objects();
                    let resyncs = resyncs.iter().map(Notification::resync);
                    self.change.notifications.extend(resyncs);
                }
                DeltaObject::Bookmark { .. } => {}
                DeltaObject::Object(_)
                | DeltaObject::Tombstone { .. }
                | DeltaObject::OutOfScope { .. } => {
                    let view = view.get_or_insert_with(|| store.read());
                    self.plan_one(slot.map(|slot| view.at(slot)), hash, delta);
                }
            }
        }
    }

    /// All deltas are of one key: each is told, the last one leaves what is written.
    fn plan_key(&mut self, deltas: Vec<Delta<T>>) {
        let keyed = |delta: &&Delta<T>| delta.key().is_some();
        let Some(first) = deltas.iter().find(keyed) else {
            return;
        };
        let hash = first.key_hash();
        let view = self.store.read();
        let located = view.locate(first.key().unwrap_or(""));
        let mut stored = located.map(|(_, owner, object)| (owner, Arc::clone(object)));
        drop(view);
        let mut last = None;
        for delta in deltas {
            let now = stored.as_ref().map(|(owner, object)| (*owner, object));
            self.plan_one(now, hash, delta);
            if let Some(write) = self.change.writes.pop() {
                let put = write.object.as_ref();
                stored = put.map(|object| (write.source, Arc::clone(object)));
                last = Some(write);
            }
        }
        self.change.writes.extend(last);
    }

    /// A delta of one object, of which `stored` is there; at most one write.
    fn plan_one(&mut self, stored: Option<(SourceId, &Arc<T>)>, hash: u64, delta: Delta<T>) {
        let Delta {
            kind,
            initial,
            source,
            object,
        } = delta;
        match object {
            DeltaObject::Object(object) if kind == DeltaType::Deleted => {
                let key = Key::Of(Arc::clone(&object));
                let last = stored.map(|(_, last)| Arc::clone(last));
                let notification = Notification::Delete { object, last };
                self.delete(stored, hash, key, source, notification);
            }
            DeltaObject::Object(_) if kind == DeltaType::Sync => {
                let resync = stored.map(|(_, object)| Notification::resync(object));
                self.change.notifications.extend(resync);
            }
            DeltaObject::Object(object) => self.upsert(stored, hash, object, source, initial),
            // A list was compared when it came. What is gone since was told by the source that had taken it over.
            DeltaObject::Tombstone { .. }
                if stored.is_none() && self.options.queue != QueueMode::Atomic => {}
            DeltaObject::Tombstone { key, object } => {
                let seen = || Some(Arc::clone(stored?.1));
                let notification = Notification::Tombstone {
                    key: Key::Text(Arc::clone(&key)),
                    object: object.or_else(seen),
                };
                self.delete(stored, hash, Key::Text(key), source, notification);
            }
            // As the API server has it (its watch cache): the last state that was in the scope.
            DeltaObject::OutOfScope { key, .. } => {
                if let Some((_, object)) = stored {
                    let notification = Notification::delete(object);
                    self.delete(stored, hash, Key::Text(key), source, notification);
                }
            }
            DeltaObject::Bookmark { .. } => {}
            _ => unreachable!("it is about one object"),
        }
    }

    /// An object that another source put lives on there. One that nobody put is told of all the same (§65).
    fn delete(
        &mut self,
        stored: Option<(SourceId, &Arc<T>)>,
        hash: u64,
        key: Key<T>,
        source: SourceId,
        notification: Notification<T>,
    ) {
        match stored {
            Some((owner, _)) if owner != source => return,
            Some(_) => self.change.writes.push(Op::delete(key, hash)),
            None if self.options.is_filtered => return,
            None => {}
        }
        self.change.notifications.push(notification);
    }

    fn upsert(
        &mut self,
        stored: Option<(SourceId, &Arc<T>)>,
        hash: u64,
        new: Arc<T>,
        source: SourceId,
        initial: bool,
    ) {
        let Change {
            writes,
            notifications,
            ..
        } = &mut self.change;
        let mut put = |object: Arc<T>| writes.push(Op::put(object, hash, source));
        let add = |new: &Arc<T>| Notification::Add {
            object: Arc::clone(new),
            initial,
        };
        let Some((owner, old)) = stored else {
            notifications.push(add(&new));
            put(new);
            return;
        };
        if Arc::ptr_eq(old, &new) || old.same_version(&new) {
            if self.options.notify_unchanged_on_relist {
                notifications.push(Notification::resync(old));
            }
            if owner != source {
                // It moved here: the relist of the source that had it must not delete it.
                put(Arc::clone(old));
            }
            return;
        }
        if old.uid() != new.uid() && !self.options.recreate_as_update {
            notifications.extend([Notification::tombstone(old), add(&new)]);
        } else {
            notifications.push(Notification::Update {
                old: Arc::clone(old),
                new: Arc::clone(&new),
                resync: false,
            });
        }
        put(new);
    }

    /// Deletions first, then additions and updates in the order of the list (§67).
    fn replace(&mut self, objects: Vec<Arc<T>>, source: SourceId, initial: bool) {
        let mut listed = vec![false; self.store.read().slot_bound()];
        let mut upserts = Planner {
            change: Change::with_capacity(0),
            ..*self
        };
        let mut objects = last_of_each_key(objects).into_iter();
        while objects.len() > 0 {
            let piece: Vec<Arc<T>> = objects.by_ref().take(PIECE).collect();
            let view = self.store.read();
            let slots = view.find_all(piece.iter().map(|it| (it.key(), it.key_hash())));
            for (object, slot) in piece.into_iter().zip(slots) {
                let hash = object.key_hash();
                if let Some(slot) = slot {
                    listed[slot as usize] = true;
                }
                let stored = slot.map(|slot| view.at(slot));
                upserts.upsert(stored, hash, object, source, initial);
            }
        }
        for first in (0..listed.len()).step_by(PIECE) {
            let view = self.store.read();
            for (slot, owner, old) in view.located_from(first, PIECE) {
                if owner == source && !listed[slot as usize] {
                    let key = Key::Of(Arc::clone(old));
                    let delete = Op::delete(key, old.key_hash());
                    self.change.writes.push(delete);
                    let tombstone = Notification::tombstone(old);
                    self.change.notifications.push(tombstone);
                }
            }
        }
        self.change.writes.append(&mut upserts.change.writes);
        let notifications = &mut upserts.change.notifications;
        self.change.notifications.append(notifications);
    }
}

fn places<'k, T: Versioned>(
    view: &View<'_, T>,
    keys: impl Iterator<Item = (&'k str, u64)> + Clone,
) -> Vec<Place> {
    let slots = view.find_all(keys.clone());
    let places = keys.zip(slots);
    places
        .map(|((_, hash), slot)| Place { hash, slot })
        .collect()
}

/// A list should not name a key twice; when it does, the last one counts, in its own place (§23).
fn last_of_each_key<T: Keyed>(mut objects: Vec<Arc<T>>) -> Vec<Arc<T>> {
    // Small, and gone before anything else is made: a list of what did not change costs little more than itself.
    let mut last = HashTable::<u32>::with_capacity(objects.len());
    let mut keep = vec![true; objects.len()];
    let place = |place: &u32| &objects[*place as usize];
    for (number, object) in (0..).zip(&objects) {
        let same = |other: &u32| {
            let other = place(other);
            other.key_hash() == object.key_hash() && other.key() == object.key()
        };
        match last.entry(object.key_hash(), same, |other| place(other).key_hash()) {
            Entry::Occupied(mut entry) => {
                keep[std::mem::replace(entry.get_mut(), number) as usize] = false;
            }
            Entry::Vacant(entry) => {
                entry.insert(number);
            }
        }
    }
    let mut keep = keep.into_iter();
    objects.retain(|_| keep.next() == Some(true));
    objects
}
