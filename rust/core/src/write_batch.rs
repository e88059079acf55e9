//! `WriteBatch`: what one store write does, with the index values worked out before any lock is taken.
//!
//! Invariant: before a write a put has the object to store, after it the object that this replaced, if any: so a write
//! moves references, frees nothing under the lock, and costs no allocation an object.

mod values;

use std::ops::Range;
use std::sync::Arc;

use crate::hashing::hash;
use crate::keyed::Keyed;
use crate::queue::SourceId;
pub(crate) use values::{IndexValues, Value, Values};

/// Names a key by an object that has it, or by its text when only that is known.
#[derive(Debug)]
pub enum Key<T> {
    /// The key of this object.
    Of(Arc<T>),
    /// The key itself.
    Text(Arc<str>),
}

impl<T: Keyed> Key<T> {
    /// The text of the key.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Of(object) => object.key(),
            Self::Text(text) => text,
        }
    }

    /// The hash of the key.
    pub(crate) fn hash(&self) -> u64 {
        match self {
            Self::Of(object) => object.key_hash(),
            Self::Text(text) => hash(text),
        }
    }
}

impl<T> Clone for Key<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Of(object) => Self::Of(Arc::clone(object)),
            Self::Text(text) => Self::Text(Arc::clone(text)),
        }
    }
}

/// One operation: puts the object, or deletes the key if there is one.
pub(crate) struct Op<T> {
    /// Before the write what is put, after it what that replaced or what was deleted.
    pub object: Option<Arc<T>>,
    /// Boxed, for it is seldom there: an operation of plain words is written in place, a larger one moved about.
    pub delete: Option<Box<Key<T>>>,
    /// Of the key.
    pub hash: u64,
    /// Who puts.
    pub source: SourceId,
    pub values: Range<u32>,
}

impl<T: Keyed> Op<T> {
    pub fn put(object: Arc<T>, hash: u64, source: SourceId) -> Self {
        Self {
            object: Some(object),
            delete: None,
            hash,
            source,
            values: 0..0,
        }
    }

    pub fn delete(key: Key<T>, hash: u64) -> Self {
        Self {
            object: None,
            delete: Some(Box::new(key)),
            hash,
            source: SourceId::FIRST,
            values: 0..0,
        }
    }

    /// The key, before the write.
    pub fn key(&self) -> &str {
        match (&self.delete, &self.object) {
            (Some(key), _) => key.as_str(),
            (None, Some(object)) => object.key(),
            (None, None) => panic!("a batch is written once"),
        }
    }
}

/// Operations in order; see the [module](self).
pub struct WriteBatch<T> {
    pub(crate) ops: Vec<Op<T>>,
    pub(crate) values: IndexValues,
}

impl<T> Default for WriteBatch<T> {
    fn default() -> Self {
        Self {
            ops: Vec::new(),
            values: IndexValues::default(),
        }
    }
}

impl<T: Keyed> WriteBatch<T> {
    /// An empty batch with room for `ops` operations.
    pub fn with_capacity(ops: usize) -> Self {
        let mut batch = Self::default();
        batch.ops.reserve(ops);
        batch.values.reserve(ops);
        batch
    }

    /// A batch of these operations; `values` hands the index values of the n-th put to its sink.
    pub(crate) fn of(
        mut ops: Vec<Op<T>>,
        mut values: impl FnMut(usize, &T, &mut dyn FnMut(u16, &str)),
    ) -> Self {
        let mut all = IndexValues::default();
        all.reserve(ops.len());
        let puts = ops.iter_mut().filter(|op| op.delete.is_none());
        for (number, op) in puts.enumerate() {
            let object = op.object.as_deref().expect("a put has an object");
            op.values = all.add(|sink| values(number, object, sink));
        }
        Self { ops, values: all }
    }

    /// Number of operations.
    pub fn len(&self) -> usize {
        self.ops.len()
    }

    /// Whether there is no operation.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// Adds or overwrites (§8). `values` receives the object and a sink that takes (index number, value); equal values
    /// of one index count once (§14).
    ///
    /// # Panics
    ///
    /// If the values of the batch exceed 4 GiB.
    pub fn put(
        &mut self,
        object: Arc<T>,
        source: SourceId,
        values: impl FnOnce(&T, &mut dyn FnMut(u16, &str)),
    ) {
        let values = self.values.add(|sink| values(&object, sink));
        let hash = object.key_hash();
        let op = Op::put(object, hash, source);
        self.ops.push(Op { values, ..op });
    }

    /// Deletes; nothing if the key is missing when the batch is written (§26).
    pub fn delete(&mut self, key: Key<T>) {
        let hash = key.hash();
        self.ops.push(Op::delete(key, hash));
    }

    /// The objects to put, in order.
    pub fn puts(&self) -> impl Iterator<Item = &Arc<T>> {
        self.ops.iter().filter_map(|op| op.object.as_ref())
    }

    /// After the write: for each operation the object that it replaced or deleted.
    pub fn replaced(&self) -> impl Iterator<Item = Option<&Arc<T>>> {
        self.ops.iter().map(|op| op.object.as_ref())
    }

    /// Takes all operations out and keeps the memory.
    pub fn clear(&mut self) {
        self.ops.clear();
        self.values.clear();
    }

    /// Indices that the store must have for this batch.
    pub(crate) fn index_bound(&self) -> usize {
        self.values.index_bound
    }
}
