//! What a payload must tell to be queued and stored.
//!
//! Invariant: `key()` of a payload never changes while a queue or a store holds it.

use std::sync::Arc;

use crate::hashing::hash;

/// A payload with a key: an object of the API, or anything that a user of the standalone classes puts in.
pub trait Keyed {
    /// The key: `namespace/name`, or `name` where there is no namespace (§1). Two payloads are versions of one
    /// object iff their keys are equal.
    fn key(&self) -> &str;

    /// [`hashing::hash`](crate::hashing::hash) of the key: for payloads that know it already.
    fn key_hash(&self) -> u64 {
        hash(self.key())
    }

    /// The bytes on the heap that are freed with this payload. Only sums of it are used, to bound memory.
    fn heap_size(&self) -> usize {
        0
    }
}

impl<T: Keyed + ?Sized> Keyed for Arc<T> {
    fn key(&self) -> &str {
        (**self).key()
    }

    fn key_hash(&self) -> u64 {
        (**self).key_hash()
    }

    fn heap_size(&self) -> usize {
        (**self).heap_size()
    }
}

impl Keyed for String {
    fn key(&self) -> &str {
        self
    }

    fn heap_size(&self) -> usize {
        self.capacity()
    }
}

/// Key and value, for payloads that do not carry their own key.
impl<V> Keyed for (String, V) {
    fn key(&self) -> &str {
        &self.0
    }

    fn heap_size(&self) -> usize {
        self.0.capacity() + size_of::<V>()
    }
}
