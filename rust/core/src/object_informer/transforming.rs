//! Transforms from outside: between the queue and the comparison with the store, with no lock held.
//!
//! Invariant: what goes on from here was made by the transform. Where that failed, what the store has of the key stays
//! (of the same uid; another object's deletion goes on), a deletion goes on with what the store has, and the key counts
//! as failed until a later version passes, or the object or its whole list is gone. The resource version moves on all
//! the same.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::{ObjectInformer, PendingChange};
use crate::error::ScanError;
use crate::informer::{Failed, FailedVersion};
use crate::object::{NotSameError, Object, ObjectView, TypeMeta};
use crate::queue::{Delta, DeltaObject, DeltaType, SourceId};
use crate::scan::list::ListSplitter;
use crate::source::{Compression, Transformer};
use crate::sync::Mutex;

/// Objects that are compared under one lock of the store.
const PIECE: usize = 1024;

/// What was asked for again because its transform had failed.
pub(super) type Refetched = Mutex<Vec<Arc<Object>>>;

/// An object of a batch: which delta, and where in its list.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    delta: usize,
    object: usize,
}

/// A batch that waits for a transform: until `next` gives nothing more, give what it made of those objects.
pub struct PendingTransform {
    deltas: Vec<Delta<Object>>,
    wanted: Vec<Place>,
    given: usize,
    /// In order.
    failed: Vec<Place>,
    compression: Option<Arc<Compression>>,
}

impl PendingTransform {
    fn object(&mut self, place: Place) -> &mut Arc<Object> {
        match &mut self.deltas[place.delta].object {
            DeltaObject::Object(object) => object,
            DeltaObject::Replacement(list) => &mut list.objects[place.object],
            _ => unreachable!("only objects are wanted"),
        }
    }

    /// Up to `max` objects that the transform has not seen, and whether each is the final state of a deleted one.
    pub fn next(&mut self, max: usize) -> Vec<(Arc<Object>, bool)> {
        let places = self.wanted[self.given..].iter().take(max);
        let places: Vec<Place> = places.copied().collect();
        let found = places.into_iter().map(|place| {
            let deleted = self.deltas[place.delta].kind == DeltaType::Deleted;
            (Arc::clone(self.object(place)), deleted)
        });
        found.collect()
    }

    /// What the transform made of the first of those objects, as JSON; None where it failed. What is given back says
    /// where that is no version of the object, which counts as failed then.
    pub fn give(&mut self, made: &[Option<&[u8]>]) -> Vec<Option<NotSameError>> {
        let compression = self.compression.clone();
        let give = |json: Option<&[u8]>| {
            let place = *self.wanted.get(self.given)?;
            self.given += 1;
            let object = self.object(place);
            match json.map(|json| object.made_into(json)) {
                Some(Ok(made)) => {
                    *object = Arc::new(match &compression {
                        Some(compression) => compression.compress(made),
                        None => made,
                    });
                    None
                }
                Some(Err(error)) => {
                    self.failed.push(place);
                    Some(error)
                }
                None => {
                    self.failed.push(place);
                    None
                }
            }
        };
        made.iter().copied().map(give).collect()
    }
}

fn bookmark(source: SourceId, resource_version: &str) -> Delta<Object> {
    Delta {
        kind: DeltaType::Bookmark,
        initial: false,
        source,
        object: DeltaObject::Bookmark {
            resource_version: resource_version.into(),
        },
    }
}

impl ObjectInformer {
    fn failed(&self) -> &Failed {
        self.informer.queue().failed()
    }

    /// How objects are changed before anything else sees them; to be set before the start.
    pub fn set_transformer(&self, transformer: Option<Transformer>) {
        *self.transformer.write() = transformer;
    }

    /// The batch as it waits for a transform from outside; the batch itself if it has nothing to wait for.
    pub(super) fn to_transform(
        &self,
        mut deltas: Vec<Delta<Object>>,
    ) -> Result<PendingTransform, Vec<Delta<Object>>> {
        if !matches!(*self.transformer.read(), Some(Transformer::External { .. })) {
            return Err(deltas);
        }
        let wanted = self.untransformed(&mut deltas);
        if wanted.is_empty() && self.failed().lock().is_empty() {
            return Err(deltas);
        }
        Ok(PendingTransform {
            failed: Vec::new(),
            given: 0,
            compression: self.compression.clone(),
            deltas,
            wanted,
        })
    }

    /// What the transform has to see. What the store has of the same bytes takes their place.
    fn untransformed(&self, deltas: &mut [Delta<Object>]) -> Vec<Place> {
        let mut wanted = Vec::new();
        for (number, delta) in deltas.iter_mut().enumerate() {
            let objects = match &mut delta.object {
                DeltaObject::Object(object) => std::slice::from_mut(object),
                DeltaObject::Replacement(list) => &mut list.objects[..],
                DeltaObject::Tombstone { object, .. } => {
                    // The store's takes its place: nobody may see what the transform has not.
                    object.take_if(|object| !object.is_made());
                    continue;
                }
                DeltaObject::OutOfScope { .. }
                | DeltaObject::Bookmark { .. }
                | DeltaObject::None => continue,
            };
            for (piece, objects) in objects.chunks_mut(PIECE).enumerate() {
                if objects.iter().all(|object| object.is_made()) {
                    continue;
                }
                let stored = self.informer.store().read();
                for (place, object) in objects.iter_mut().enumerate() {
                    if object.is_made() {
                        continue;
                    }
                    match stored.get(object.key()) {
                        Some(known) if known.is_made_of(object) => *object = Arc::clone(known),
                        _ => wanted.push(Place {
                            delta: number,
                            object: piece * PIECE + place,
                        }),
                    }
                }
            }
        }
        wanted
    }

    /// Once the transform has seen all of it, puts what the store has in the place of what failed. Gives the keys that
    /// count as failed no longer.
    pub fn settle(&self, pending: &mut PendingTransform) -> Vec<String> {
        let wanted = std::mem::take(&mut pending.wanted);
        let mut failed = std::mem::take(&mut pending.failed);
        // What nobody gave failed too.
        failed.extend(&wanted[std::mem::take(&mut pending.given)..]);
        let mut failed = failed.into_iter().peekable();
        let deltas = std::mem::take(&mut pending.deltas);
        let mut settling = Settling {
            informer: self,
            deltas: Vec::with_capacity(deltas.len()),
            mended: Vec::new(),
        };
        for (number, delta) in deltas.into_iter().enumerate() {
            let mut has_failed = |object| {
                let place = Place {
                    delta: number,
                    object,
                };
                failed.next_if_eq(&place).is_some()
            };
            match delta.object {
                DeltaObject::Object(_) => settling.object(delta, has_failed(0)),
                DeltaObject::Replacement(_) => settling.list(delta, has_failed),
                _ => {
                    if let (DeltaType::Deleted, Some(key)) = (delta.kind, delta.key()) {
                        settling.mended(key);
                    }
                    settling.deltas.push(delta);
                }
            }
        }
        pending.deltas = settling.deltas;
        let mut mended = settling.mended;
        let failures = self.failed().lock();
        mended.retain(|key| !failures.contains_key(key));
        mended
    }

    /// Takes a settled batch on its way to the store.
    pub fn transformed(&self, pending: PendingTransform) -> Option<PendingChange> {
        self.commit_or_ask(self.informer.plan(pending.deltas))
    }

    /// Reads the answer to a GET that was sent because a transform had failed, of one object or (`list`) of some, and
    /// tries the transform again: iff it is the very version that failed, and nothing newer of that key came meanwhile.
    /// A version that is newer than the failed one comes by the watch, where it is in the source's scope and in order.
    pub fn refetched(&self, body: &[u8], list: bool) -> Result<(), ScanError> {
        let transformer = self.transformer.read().clone();
        let read = |view: &ObjectView<'_>, defaults: &TypeMeta| {
            let keep_managed_fields = self.read_options.keep_managed_fields;
            Transformer::read(transformer.as_ref(), view, defaults, keep_managed_fields)
        };
        let mut objects = Vec::new();
        if list {
            let mut splitter = ListSplitter::new(self.read_options.max_object);
            let _ = splitter.feed(body, |item| -> Result<_, ScanError> {
                let defaults = item.defaults;
                let view = item.into_view()?;
                if self.failed().lock().contains_key(&view.key()) {
                    objects.push(Arc::new(read(&view, defaults)?));
                }
                Ok(ControlFlow::Continue(()))
            })?;
            splitter.finish()?;
        } else {
            let view = ObjectView::scan(body, 0)?;
            objects.push(Arc::new(read(&view, &TypeMeta::default())?));
        }
        self.refetched.lock().append(&mut objects);
        self.wake_processor();
        Ok(())
    }

    pub(super) fn refetched_deltas(&self) -> Option<Vec<Delta<Object>>> {
        if self.refetched.lock().is_empty() {
            return None;
        }
        let queue = self.informer.queue();
        queue.begin_processing();
        // One at a time: with some queues a batch is about one key.
        let mut refetched = self.refetched.lock();
        let failures = self.failed().lock();
        let retried = std::iter::from_fn(|| refetched.pop()).find_map(|object| {
            let failure = failures.get(object.key())?;
            let same = failure.uid == object.uid() && failure.version == object.resource_version();
            same.then(|| Delta::updated(failure.source, object))
        });
        drop((failures, refetched));
        let Some(retried) = retried else {
            queue.processed();
            return None;
        };
        // Its version is older than the store's.
        let source = retried.source;
        let stored = bookmark(source, &self.informer.resource_version(Some(source)));
        Some(vec![retried, stored])
    }
}

/// A batch on its way to the comparison with the store.
struct Settling<'i> {
    informer: &'i ObjectInformer,
    deltas: Vec<Delta<Object>>,
    mended: Vec<String>,
}

impl Settling<'_> {
    fn stored(&self, key: &str) -> Option<Arc<Object>> {
        self.informer.informer.store().read().get(key).cloned()
    }

    /// What this batch leaves of the key so far.
    fn before(&self, key: &str) -> Option<Arc<Object>> {
        let mut before = self.deltas.iter().rev();
        match before.find(|delta| delta.key() == Some(key)) {
            Some(delta) if delta.kind == DeltaType::Deleted => None,
            Some(delta) => delta.object.object().cloned(),
            None => self.stored(key),
        }
    }

    fn mended(&mut self, key: &str) {
        let failed = self.informer.failed().lock().remove(key);
        self.mended.extend(failed.map(|_| key.to_owned()));
    }

    fn failed(&self, source: SourceId, object: &Object) {
        let failure = FailedVersion {
            source,
            uid: object.uid().to_owned(),
            version: object.resource_version().to_owned(),
        };
        let mut failures = self.informer.failed().lock();
        failures.insert(object.key().to_owned(), failure);
    }

    fn object(&mut self, delta: Delta<Object>, failed: bool) {
        let DeltaObject::Object(object) = &delta.object else {
            return self.deltas.push(delta);
        };
        let (source, deleted) = (delta.source, delta.kind == DeltaType::Deleted);
        if deleted || !failed {
            self.mended(object.key());
        } else {
            self.failed(source, object);
        }
        if !failed {
            return self.deltas.push(delta);
        }
        let gone = self.before(object.key());
        let gone = gone.filter(|stored| deleted || stored.uid() != object.uid());
        if let Some(gone) = gone {
            let tombstone = DeltaObject::tombstone(gone.key(), Some(Arc::clone(&gone)));
            self.deltas.push(Delta::deleted(source, tombstone));
        }
        self.deltas
            .push(bookmark(source, object.resource_version()));
    }

    fn list(&mut self, mut delta: Delta<Object>, mut has_failed: impl FnMut(usize) -> bool) {
        let source = delta.source;
        if let DeltaObject::Replacement(list) = &mut delta.object {
            if !self.informer.failed().lock().is_empty() {
                let listed: HashSet<&str> =
                    list.objects.iter().map(|object| object.key()).collect();
                let mut failures = self.informer.failed().lock();
                failures.retain(|key, failure| {
                    let stays = failure.source != source || listed.contains(key.as_str());
                    if !stays {
                        self.mended.push(key.clone());
                    }
                    stays
                });
            }
            let mut place = 0;
            let objects = std::mem::take(&mut list.objects)
                .into_iter()
                .filter_map(|object| {
                    let failed = has_failed(place);
                    place += 1;
                    if !failed {
                        self.mended(object.key());
                        return Some(object);
                    }
                    self.failed(source, &object);
                    self.stored(object.key())
                        .filter(|stored| stored.uid() == object.uid())
                });
            list.objects = objects.collect();
        }
        self.deltas.push(delta);
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod queue_tests;
