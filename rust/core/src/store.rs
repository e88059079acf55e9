//! `Store`: objects by key, and any number of indices, behind one lock.
//!
//! A reader sees an object iff it sees the object's index entries: key map, slots and indices change under one write
//! lock, a batch at a time (client-go §9, §10).
//!
//! # What the lock is held for
//!
//! A write does work in proportion to what it changes, never to what is stored. Index values and hashes are worked out
//! before the lock, replaced objects are freed after it. Where that would still take milliseconds, and where somebody
//! has a snapshot, the write goes into a copy of the tables, which then takes the place of the original: when the batch
//! is long, or a large table has to grow. Writers wait for each other at a lock of their own, so none waits for readers
//! while a copy is made, which would keep new readers out. So no reader waits for more than a few milliseconds, unless
//! another one holds its view for longer.

mod cut;
mod pending;
mod tables;
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

use crate::sync::{Mutex, RwLock};

use crate::keyed::Keyed;
use crate::queue::SourceId;
use crate::write_batch::WriteBatch;
use tables::Tables;
use versions::Versions;

pub use crate::index::IndexName;
pub use cut::Cut;
pub use pending::PendingIndices;
pub(crate) use tables::{clone_all, with_room};
pub use view::{Snapshot, View};

/// Why a store call was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// There is no index of that name (§18).
    NoIndex(String),
    /// There is an index of that name: none of the new ones was added (§21).
    IndexExists(String),
    /// More than 65,535 indices.
    TooManyIndices,
    /// Another thread adds indices: its index functions are running.
    AlreadyAdding,
    /// The indices changed since the batch was made: work out its values again.
    Stale,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoIndex(name) => write!(f, "Index with name {name} does not exist"),
            Self::IndexExists(name) => write!(f, "indexer conflict: {name}"),
            Self::TooManyIndices => f.write_str("more than 65535 indices"),
            Self::AlreadyAdding => f.write_str("add_indexers is already running in another thread"),
            Self::Stale => f.write_str("the indices changed since the batch was made"),
        }
    }
}

impl std::error::Error for StoreError {}

/// Objects by key, with indices; see the [module](self). Any thread may write.
pub struct Store<T> {
    /// Held by who writes, before the lock of what is written.
    writing: Mutex<()>,
    cut: RwLock<Cut<T>>,
}

/// A batch with more operations than this (a millisecond) is written into a copy. Tests are to meet both ways.
const LONG_WRITE: usize = if cfg!(feature = "shuttle") {
    2
} else if cfg!(test) {
    6
} else {
    2048
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
            writing: Mutex::new(()),
            cut: RwLock::new(Cut {
                tables: Arc::new(Tables::new()),
                versions: Versions::default(),
            }),
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
        self.cut.read().tables.generation
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
        let writing = self.writing.lock();
        if batch.len() <= LONG_WRITE {
            let mut cut = self.cut.write();
            cut.tables.check(batch, generation)?;
            let tables = Arc::get_mut(&mut cut.tables).filter(|it| it.has_room(batch));
            let is_written = batch.is_empty() || tables.is_some();
            if let Some(tables) = tables {
                tables.apply(batch);
            }
            if is_written {
                cut.versions.set_all(versions);
                return Ok(());
            }
        }
        let before = self.tables();
        before.check(batch, generation)?;
        let mut written = before.copy(batch);
        written.apply(batch);
        let retired = self.swap(written, versions);
        drop(writing);
        drop((before, retired));
        Ok(())
    }

    fn tables(&self) -> Arc<Tables<T>> {
        Arc::clone(&self.cut.read().tables)
    }

    /// Takes what was written into a copy, by the thread that has `writing`, and gives what there was.
    fn swap<'v>(
        &self,
        written: Tables<T>,
        versions: impl IntoIterator<Item = (SourceId, &'v str)>,
    ) -> Arc<Tables<T>> {
        let written = Arc::new(written);
        let mut cut = self.cut.write();
        cut.versions.set_all(versions);
        std::mem::replace(&mut cut.tables, written)
    }

    /// Changes the tables by a short work: in place, unless somebody has a snapshot of them.
    fn change<R>(&self, work: impl FnOnce(&mut Tables<T>) -> R) -> R {
        let writing = self.writing.lock();
        let mut cut = self.cut.write();
        if let Some(tables) = Arc::get_mut(&mut cut.tables) {
            return work(tables);
        }
        drop(cut);
        let before = self.tables();
        let mut written = before.copy(&WriteBatch::default());
        let result = work(&mut written);
        let retired = self.swap(written, []);
        drop(writing);
        drop((before, retired));
        result
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
        let writing = self.writing.lock();
        let before = self.tables();
        before.check(batch, generation)?;
        let mut written = before.without_objects();
        written.apply(batch);
        let version = resource_version.map(|version| (SourceId::FIRST, version));
        let retired = self.swap(written, version);
        drop(writing);
        drop((before, retired));
        Ok(())
    }

    /// Sets the resource version alone: a bookmark (§30).
    pub fn set_resource_version(&self, version: &str) {
        let _writing = self.writing.lock();
        self.cut.write().versions.set(SourceId::FIRST, version);
    }

    /// A consistent view. Blocks while a write is under way; writers, and the readers after them, wait while it lives:
    /// hold it briefly, and call nothing else of this store or its informer from the thread that holds it.
    pub fn read(&self) -> View<'_, T> {
        View {
            cut: self.cut.read(),
        }
    }

    /// The same without waiting: none while a write is under way or waits.
    pub fn try_read(&self) -> Option<View<'_, T>> {
        let cut = self.cut.try_read()?;
        Some(View { cut })
    }

    /// A consistent view that nobody waits for and that lasts. Making it costs nothing; the next write copies the
    /// tables if it lives then. Drop it where there is time to free them: some 10 milliseconds for 100,000 objects.
    pub fn snapshot(&self) -> Snapshot<T> {
        Snapshot {
            cut: self.cut.read().clone(),
        }
    }

    /// All objects, unordered. No lock is held long, so this is of one cut only if nothing is written meanwhile.
    pub(crate) fn objects(&self) -> Vec<Arc<T>> {
        self.objects_if(|_| true)
    }

    /// The same, of one source.
    pub(crate) fn objects_of(&self, source: SourceId) -> Vec<Arc<T>> {
        self.objects_if(|owner| owner == source)
    }

    fn objects_if(&self, is_wanted: impl Fn(SourceId) -> bool) -> Vec<Arc<T>> {
        let mut objects = Vec::new();
        for first in (0..).step_by(PIECE) {
            let cut = self.cut.read();
            let Some(piece) = cut.tables.piece(first) else {
                break;
            };
            let piece = piece.filter(|(_, slot)| is_wanted(slot.source));
            clone_all(
                piece.filter_map(|(_, slot)| slot.object.as_ref()),
                &mut objects,
            );
        }
        objects
    }
}
