//! `WriteBatch`: what one store write does, with the index values worked out before any lock is taken.
//!
//! Invariant: an object's values of one index are distinct (client-go §14), and every hash that the write will need is
//! in the batch. Text and spans of all operations share two allocations, so that a batch of a thousand objects with
//! three indices costs no allocation per object.

use std::ops::Range;
use std::sync::Arc;

use hashbrown::HashSet;

use crate::hashing::hash;
use crate::keyed::Keyed;
use crate::queue::SourceId;

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

pub(crate) enum Op<T> {
    Put(Put<T>),
    Delete { key: Key<T>, hash: u64 },
}

pub(crate) struct Put<T> {
    pub object: Arc<T>,
    /// Of the object's key.
    pub hash: u64,
    pub source: SourceId,
    spans: Range<u32>,
}

/// One value of one index.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Value<'a> {
    /// Number of the index.
    pub index: u16,
    pub text: &'a str,
}

#[derive(Clone, Copy)]
struct Span {
    index: u16,
    start: u32,
    end: u32,
}

impl Span {
    fn value(self, text: &str) -> Value<'_> {
        Value {
            index: self.index,
            text: &text[self.start as usize..self.end as usize],
        }
    }
}

/// The index values of one object, distinct.
#[derive(Clone, Copy)]
pub(crate) struct Values<'a> {
    spans: &'a [Span],
    text: &'a str,
}

impl<'a> Values<'a> {
    pub fn len(self) -> usize {
        self.spans.len()
    }

    pub fn iter(self) -> impl Iterator<Item = Value<'a>> {
        self.spans.iter().map(move |span| span.value(self.text))
    }
}

/// Operations in order; see the [module](self).
pub struct WriteBatch<T> {
    pub(crate) ops: Vec<Op<T>>,
    spans: Vec<Span>,
    text: String,
    /// One more than the highest index number of a value.
    index_bound: usize,
}

impl<T> Default for WriteBatch<T> {
    fn default() -> Self {
        Self {
            ops: Vec::new(),
            spans: Vec::new(),
            text: String::new(),
            index_bound: 0,
        }
    }
}

/// A value is compared with so many before it one by one, with those after them by hash.
const MANY: usize = if cfg!(test) { 3 } else { 32 };

/// Room for so many values an object, and bytes a value, is made at once.
const USUAL_VALUES: usize = 3;
const USUAL_LENGTH: usize = 24;

impl<T: Keyed> WriteBatch<T> {
    /// An empty batch with room for `ops` operations.
    pub fn with_capacity(ops: usize) -> Self {
        Self {
            ops: Vec::with_capacity(ops),
            spans: Vec::with_capacity(ops * USUAL_VALUES),
            text: String::with_capacity(ops * USUAL_VALUES * USUAL_LENGTH),
            index_bound: 0,
        }
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
        let hash = object.key_hash();
        self.put_hashed(object, hash, source, values);
    }

    /// The same with the hash of the key.
    pub(crate) fn put_hashed(
        &mut self,
        object: Arc<T>,
        hash: u64,
        source: SourceId,
        values: impl FnOnce(&T, &mut dyn FnMut(u16, &str)),
    ) {
        let first = self.spans.len();
        values(&object, &mut |index, text| {
            self.push_value(first, Value { index, text });
        });
        if self.spans.len() - first > MANY {
            self.drop_repeated(first);
        }
        let spans = first as u32..self.spans.len() as u32;
        self.ops.push(Op::Put(Put {
            object,
            hash,
            source,
            spans,
        }));
    }

    fn push_value(&mut self, first: usize, value: Value<'_>) {
        let text = &self.text;
        let mut first_ones = self.spans[first..].iter().take(MANY);
        if first_ones.any(|span| span.value(text) == value) {
            return;
        }
        let start = self.text.len() as u32;
        self.text.push_str(value.text);
        let end = u32::try_from(self.text.len()).expect("the values of a batch are below 4 GiB");
        self.spans.push(Span {
            index: value.index,
            start,
            end,
        });
        self.index_bound = self.index_bound.max(usize::from(value.index) + 1);
    }

    /// Leaves each value of the spans from `first` on once.
    fn drop_repeated(&mut self, first: usize) {
        let text = &self.text;
        let mut known = HashSet::with_capacity(self.spans.len() - first);
        let mut spans = self.spans.split_off(first);
        spans.retain(|span| known.insert(span.value(text)));
        self.spans.append(&mut spans);
    }

    /// Deletes; nothing if the key is missing when the batch is written (§26).
    pub fn delete(&mut self, key: Key<T>) {
        let hash = key.hash();
        self.delete_hashed(key, hash);
    }

    /// The same with the hash of the key.
    pub(crate) fn delete_hashed(&mut self, key: Key<T>, hash: u64) {
        self.ops.push(Op::Delete { key, hash });
    }

    /// The objects put, in order.
    pub fn puts(&self) -> impl Iterator<Item = &Arc<T>> {
        self.ops.iter().filter_map(|op| match op {
            Op::Put(put) => Some(&put.object),
            Op::Delete { .. } => None,
        })
    }

    /// Takes all operations out and keeps the memory.
    pub fn clear(&mut self) {
        self.ops.clear();
        self.spans.clear();
        self.text.clear();
        self.index_bound = 0;
    }

    pub(crate) fn values(&self, put: &Put<T>) -> Values<'_> {
        Values {
            spans: &self.spans[put.spans.start as usize..put.spans.end as usize],
            text: &self.text,
        }
    }

    /// Indices that the store must have for this batch.
    pub(crate) fn index_bound(&self) -> usize {
        self.index_bound
    }
}
