//! `Change`: a batch of deltas compared with the store.
//!
//! Invariant: a notification is planned iff the write beside it changes the store that way, but for three that tell
//! what the store does not show: resyncs, unchanged objects of a relist if asked for (§136), and deletions of objects
//! that the store did not have (§65).

use std::sync::Arc;

use hashbrown::HashMap;

use super::InformerOptions;
use crate::keyed::Keyed;
use crate::notification::Notification;
use crate::queue::{Delta, DeltaObject, DeltaType, Replacement, SourceId};
use crate::store::{Store, View};
use crate::versioned::Versioned;
use crate::write_batch::{Key, WriteBatch};

enum Write<T> {
    Put { object: Arc<T>, source: SourceId },
    Delete(Key<T>),
}

/// A batch compared with the store, not yet written: from [`Informer::plan`](super::Informer::plan) to
/// [`Informer::commit`](super::Informer::commit).
pub struct Change<T> {
    pub(super) deltas: usize,
    writes: Vec<Write<T>>,
    pub(super) notifications: Vec<Notification<T>>,
    pub(super) resource_version: Option<String>,
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

    /// The writes, with the index values of each put.
    pub(super) fn to_batch(
        &self,
        mut values: impl FnMut(usize, &T, &mut dyn FnMut(u16, &str)),
    ) -> WriteBatch<T> {
        let mut batch = WriteBatch::with_capacity(self.writes.len());
        let mut puts = 0;
        for write in &self.writes {
            match write {
                Write::Put { object, source } => {
                    let values = |object: &T, sink: &mut dyn FnMut(u16, &str)| {
                        values(puts, object, sink);
                    };
                    batch.put(Arc::clone(object), *source, values);
                    puts += 1;
                }
                Write::Delete(key) => batch.delete(key.clone()),
            }
        }
        batch
    }

    fn with_capacity(count: usize) -> Self {
        Self {
            deltas: 0,
            writes: Vec::with_capacity(count),
            notifications: Vec::with_capacity(count),
            resource_version: None,
        }
    }

    fn put(&mut self, object: Arc<T>, source: SourceId) {
        self.writes.push(Write::Put { object, source });
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
    let version = deltas.iter().rev().find_map(resource_version);
    planner.change.resource_version = version.map(str::to_owned);
    planner.plan(deltas);
    planner.change
}

/// Where the delta leaves its source (§27-§30).
fn resource_version<T: Versioned>(delta: &Delta<T>) -> Option<&str> {
    match &delta.object {
        DeltaObject::Object(object) => Some(object.resource_version()),
        DeltaObject::Replacement(list) => Some(&list.resource_version),
        DeltaObject::Bookmark { resource_version } => Some(resource_version),
        DeltaObject::Tombstone { .. } | DeltaObject::None => None,
    }
}

struct Planner<'a, T> {
    store: &'a Store<T>,
    options: InformerOptions,
    change: Change<T>,
}

impl<T: Versioned> Planner<'_, T> {
    fn plan(&mut self, deltas: Vec<Delta<T>>) {
        let store = self.store;
        let mut view = None;
        for delta in deltas {
            let Delta {
                kind,
                initial,
                source,
                object,
            } = delta;
            match object {
                DeltaObject::Object(object) => {
                    let view = view.get_or_insert_with(|| store.read());
                    if kind == DeltaType::Deleted {
                        let key = Key::Of(Arc::clone(&object));
                        let notification = Notification::Delete { object };
                        self.delete(view, key, source, notification);
                    } else {
                        let stored = view.locate(object.key());
                        let stored = stored.map(|(_, owner, object)| (owner, object));
                        self.upsert(stored, object, source, initial);
                    }
                }
                DeltaObject::Tombstone { key, object } => {
                    let view = view.get_or_insert_with(|| store.read());
                    let object = object.or_else(|| view.get(&key).cloned());
                    let key = Key::Text(key);
                    let notification = Notification::Tombstone {
                        key: key.clone(),
                        object,
                    };
                    self.delete(view, key, source, notification);
                }
                DeltaObject::Replacement(list) => {
                    view = None;
                    self.replace(*list, source, initial);
                }
                DeltaObject::None => {
                    view = None;
                    let resyncs = store.snapshot();
                    let resyncs = resyncs.iter().map(Notification::resync);
                    self.change.notifications.extend(resyncs);
                }
                DeltaObject::Bookmark { .. } => {}
            }
        }
    }

    /// An object that another source put lives on there. One that nobody put is told of all the same (§65).
    fn delete(
        &mut self,
        view: &View<'_, T>,
        key: Key<T>,
        source: SourceId,
        notification: Notification<T>,
    ) {
        let owner = view.locate(key.as_str()).map(|(_, owner, _)| owner);
        match owner {
            Some(owner) if owner != source => return,
            Some(_) => self.change.writes.push(Write::Delete(key)),
            None => {}
        }
        self.change.notifications.push(notification);
    }

    fn upsert(
        &mut self,
        stored: Option<(SourceId, &Arc<T>)>,
        new: Arc<T>,
        source: SourceId,
        initial: bool,
    ) {
        let notifications = &mut self.change.notifications;
        let Some((owner, old)) = stored else {
            notifications.push(Notification::Add {
                object: Arc::clone(&new),
                initial,
            });
            self.change.put(new, source);
            return;
        };
        if Arc::ptr_eq(old, &new) || old.same_version(&new) {
            if self.options.notify_unchanged_on_relist {
                notifications.push(Notification::resync(old));
            }
            if owner != source {
                // It moved here: the relist of the source that had it must not delete it.
                let old = Arc::clone(old);
                self.change.put(old, source);
            }
            return;
        }
        if old.uid() != new.uid() && !self.options.recreate_as_update {
            notifications.push(Notification::tombstone(old));
            notifications.push(Notification::Add {
                object: Arc::clone(&new),
                initial,
            });
        } else {
            notifications.push(Notification::Update {
                old: Arc::clone(old),
                new: Arc::clone(&new),
                resync: false,
            });
        }
        self.change.put(new, source);
    }

    /// Deletions first, then additions and updates in the order of the list (§67).
    fn replace(&mut self, list: Replacement<T>, source: SourceId, initial: bool) {
        let objects = last_of_each_key(list.objects);
        let mut listed = vec![false; self.store.read().slot_bound()];
        let mut upserts = Planner {
            change: Change::with_capacity(0),
            ..*self
        };
        let mut objects = objects.into_iter().peekable();
        while objects.peek().is_some() {
            let view = self.store.read();
            for object in objects.by_ref().take(PIECE) {
                let stored = view.locate(object.key()).map(|(slot, owner, old)| {
                    listed[slot as usize] = true;
                    (owner, old)
                });
                upserts.upsert(stored, object, source, initial);
            }
        }
        for first in (0..listed.len()).step_by(PIECE) {
            let view = self.store.read();
            for (slot, owner, old) in view.located_from(first, PIECE) {
                if owner == source && !listed[slot as usize] {
                    let key = Key::Of(Arc::clone(old));
                    self.change.writes.push(Write::Delete(key));
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

/// A list should not name a key twice; when it does, the last one counts, in its own place (§23).
fn last_of_each_key<T: Keyed>(mut objects: Vec<Arc<T>>) -> Vec<Arc<T>> {
    let mut last = HashMap::with_capacity(objects.len());
    for (place, object) in objects.iter().enumerate() {
        last.insert(object.key(), place);
    }
    let mut keep = vec![false; objects.len()];
    for place in last.into_values() {
        keep[place] = true;
    }
    let mut keep = keep.into_iter();
    objects.retain(|_| keep.next() == Some(true));
    objects
}
