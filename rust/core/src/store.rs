//! `Store`: objects by key, and any number of indices, behind one lock.
//!
//! A reader sees an object iff it sees the object's index entries: key map, slots and indices change under one write
//! lock, a batch at a time (client-go §9, §10).
//!
//! # What the lock is held for
//!
//! A write does work in proportion to what it changes, never to what is stored. Index values and hashes are worked out
//! before the lock, replaced objects are freed after it. A batch too long even for that is written into a copy, which
//! then takes the place of the original. So no reader waits for more than a few milliseconds, unless another reader
//! holds its view for longer, or a table of hundreds of thousands of objects doubles.

mod inner;
mod pending;
mod versions;
mod view;

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod thread_tests;

use std::fmt;
use std::sync::Arc;

use crate::sync::RwLock;

use crate::keyed::Keyed;
use crate::queue::SourceId;
use crate::write_batch::WriteBatch;
use inner::Inner;

pub use pending::PendingIndices;
pub use view::View;

/// Why a store call was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// There is no index of that name (§18).
    NoIndex(String),
    /// There is an index of that name: none of the new ones was added (§21).
    IndexExists(String),
    /// More than 65,535 indices.
    TooManyIndices,
    /// The indices changed since the batch was made: work out its values again.
    Stale,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoIndex(name) => write!(f, "Index with name {name} does not exist"),
            Self::IndexExists(name) => write!(f, "indexer conflict: {name}"),
            Self::TooManyIndices => f.write_str("more than 65535 indices"),
            Self::Stale => f.write_str("the indices changed since the batch was made"),
        }
    }
}

impl std::error::Error for StoreError {}

/// Objects by key, with indices; see the [module](self). Any thread may write.
pub struct Store<T> {
    inner: RwLock<Inner<T>>,
}

/// A batch with more operations than this (some milliseconds) is written into a copy. Tests are to meet both ways.
const LONG_WRITE: usize = if cfg!(feature = "shuttle") {
    2
} else if cfg!(test) {
    6
} else {
    8192
};

/// How many slots are walked under one lock where a walk over all need not be of one cut: some 100 microseconds.
const PIECE: usize = if cfg!(feature = "shuttle") {
    1
} else if cfg!(test) {
    4
} else {
    1024
};

impl<T: Keyed> Default for Store<T> {
    fn default() -> Self {
        Self {
            inner: RwLock::new(Inner::new()),
        }
    }
}

impl<T: Keyed> Store<T> {
    /// An empty store without indices.
    pub fn new() -> Self {
        Self::default()
    }

    /// Of the set of indices: what a batch's values must be worked out for. A write refuses another one as
    /// [`StoreError::Stale`].
    pub fn generation(&self) -> u32 {
        self.inner.read().generation
    }

    /// Does the whole batch in one cut, and sets the resource version in the same cut if one is given (§27-§30).
    /// Afterwards the batch has what was [replaced](WriteBatch::replaced): drop or clear it when that is to be freed.
    /// After an error it is as before.
    ///
    /// # Panics
    ///
    /// If the batch has values of an index that does not exist, or was written before.
    pub fn apply(
        &self,
        batch: &mut WriteBatch<T>,
        generation: u32,
        resource_version: Option<&str>,
    ) -> Result<(), StoreError> {
        let version = resource_version.map(|version| (SourceId::FIRST, version));
        self.apply_of_sources(batch, generation, version)
    }

    /// The same, with the resource versions of several sources.
    pub(crate) fn apply_of_sources<'v>(
        &self,
        batch: &mut WriteBatch<T>,
        generation: u32,
        versions: impl IntoIterator<Item = (SourceId, &'v str)>,
    ) -> Result<(), StoreError> {
        let mut aside = None;
        if batch.len() > LONG_WRITE {
            let inner = self.inner.read();
            inner.check(batch, generation)?;
            let mut copy = inner.clone();
            drop(inner);
            let mut written = batch.duplicate();
            copy.apply(&mut written);
            aside = Some((copy, written));
        }
        let mut inner = self.inner.write();
        inner.check(batch, generation)?;
        let unused = match aside {
            Some((copy, written)) if copy.epoch == inner.epoch + 1 => {
                Some((inner.swap(copy), std::mem::replace(batch, written)))
            }
            // Another write came between, if there was a copy.
            aside => {
                inner.apply(batch);
                aside
            }
        };
        for (source, version) in versions {
            inner.versions.set(source, version);
        }
        drop(inner);
        drop(unused);
        Ok(())
    }

    /// Makes the store hold the batch's objects and nothing else, in one cut (§22); of equal keys the last counts (§23).
    /// Afterwards, also after an error, nothing can be said of what is in the batch.
    ///
    /// # Panics
    ///
    /// If the batch has values of an index that does not exist, or was written before.
    pub fn replace(
        &self,
        batch: &mut WriteBatch<T>,
        generation: u32,
        resource_version: Option<&str>,
    ) -> Result<(), StoreError> {
        let mut written = {
            let inner = self.inner.read();
            inner.check(batch, generation)?;
            inner.without_objects()
        };
        written.apply(batch);
        let mut inner = self.inner.write();
        inner.check(batch, generation)?;
        let retired = inner.swap(written);
        if let Some(version) = resource_version {
            inner.versions.set(SourceId::FIRST, version);
        }
        drop(inner);
        drop(retired);
        Ok(())
    }

    /// Sets the resource version alone: a bookmark (§30).
    pub fn set_resource_version(&self, version: &str) {
        self.inner.write().versions.set(SourceId::FIRST, version);
    }

    /// A consistent view. Blocks while a write is under way; writers, and the readers after them, wait while it lives:
    /// hold it briefly, and call nothing else of this store or its informer from the thread that holds it.
    pub fn read(&self) -> View<'_, T> {
        View::new(self.inner.read())
    }

    /// The same without waiting: none while a write is under way or waits.
    pub fn try_read(&self) -> Option<View<'_, T>> {
        self.inner.try_read().map(View::new)
    }

    /// All objects, unordered. No lock is held long, so this is of one cut only if nothing is written meanwhile.
    pub(crate) fn snapshot(&self) -> Vec<Arc<T>> {
        self.snapshot_if(|_| true)
    }

    /// The same, of one source.
    pub(crate) fn snapshot_of(&self, source: SourceId) -> Vec<Arc<T>> {
        self.snapshot_if(|owner| owner == source)
    }

    fn snapshot_if(&self, is_wanted: impl Fn(SourceId) -> bool) -> Vec<Arc<T>> {
        let mut objects = Vec::new();
        for first in (0..).step_by(PIECE) {
            let inner = self.inner.read();
            let Some(piece) = inner.piece(first) else {
                break;
            };
            let piece = piece.filter(|(_, slot)| is_wanted(slot.source));
            objects.extend(piece.filter_map(|(_, slot)| slot.object.clone()));
        }
        objects
    }
}
