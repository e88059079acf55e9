//! What is queued: a delta says what happened to one object, or to all objects of a source.
//!
//! Invariant: a delta has a key iff its type concerns one object (all but `ReplacedAll`, `SyncAll` and `Bookmark`),
//! and only a `Deleted` one may be a tombstone.

use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::hashing::hash;
use crate::keyed::Keyed;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeltaType {
    /// A watch event ADDED.
    Added,
    /// A watch event MODIFIED.
    Updated,
    /// A watch event DELETED, or a deletion found by comparing a list with what was known.
    Deleted,
    /// An item of a new list.
    Replaced,
    /// A whole new list: the consumer compares it with its store.
    ReplacedAll,
    /// A periodic resync of one object.
    Sync,
    /// A periodic resync of whatever the store holds when this is processed.
    SyncAll,
    /// The resource version moved on, no object changed.
    Bookmark,
}

impl DeltaType {
    /// Whether deltas of this type may share a batch with others (§54).
    pub fn is_batchable(self) -> bool {
        !matches!(self, Self::ReplacedAll | Self::SyncAll | Self::Bookmark)
    }
}

/// One list/watch pair that feeds a queue; numbered by the queue from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(pub u32);

impl SourceId {
    /// The source that every queue has.
    pub const FIRST: Self = Self(0);

    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A whole list, as one delta (client-go's `ReplacedAllInfo`).
pub struct Replacement<T> {
    /// The resource version of the list.
    pub resource_version: String,
    /// Every object of the source, in list order.
    pub objects: Vec<Arc<T>>,
}

/// What a delta is about.
pub enum DeltaObject<T> {
    /// An object; with `Deleted`, its final state.
    Object(Arc<T>),
    /// A deletion whose event was missed (client-go's `DeletedFinalStateUnknown`).
    Tombstone {
        /// Key of the deleted object; never computed again from `object` (§3).
        key: Arc<str>,
        /// Last known state: maybe stale, maybe unknown (§4).
        object: Option<Arc<T>>,
    },
    /// With `Deleted`: what its source is to hold does not include the object in its present state. Means nothing where it
    /// was not held.
    OutOfScope {
        /// Key of the object.
        key: Arc<str>,
        /// The resource version of the state.
        resource_version: Box<str>,
    },
    /// With `ReplacedAll`.
    Replacement(Box<Replacement<T>>),
    /// With `Bookmark`.
    Bookmark {
        /// The resource version that the source has reached.
        resource_version: Box<str>,
    },
    /// With `SyncAll`.
    None,
}

impl<T> From<Arc<T>> for DeltaObject<T> {
    fn from(object: Arc<T>) -> Self {
        Self::Object(object)
    }
}

impl<T> DeltaObject<T> {
    /// A tombstone.
    pub fn tombstone(key: impl Into<Arc<str>>, object: Option<Arc<T>>) -> Self {
        let key = key.into();
        Self::Tombstone { key, object }
    }

    /// Whether this is a tombstone.
    pub fn is_tombstone(&self) -> bool {
        matches!(self, Self::Tombstone { .. })
    }

    /// The object, or the last known state in a tombstone; none if unknown or not about one object.
    pub fn object(&self) -> Option<&Arc<T>> {
        match self {
            Self::Object(object) => Some(object),
            Self::Tombstone { object, .. } => object.as_ref(),
            _ => None,
        }
    }
}

impl<T: Keyed> DeltaObject<T> {
    /// The key; none if not about one object.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Object(object) => Some(object.key()),
            Self::Tombstone { key, .. } | Self::OutOfScope { key, .. } => Some(key),
            _ => None,
        }
    }

    /// The tombstone of an object that is found to be gone.
    pub(super) fn to_tombstone(&self) -> Self {
        let object = self.object().expect("what is not deleted is an object");
        Self::tombstone(object.key(), Some(Arc::clone(object)))
    }
}

/// One thing that happened.
pub struct Delta<T> {
    /// What.
    pub kind: DeltaType,
    /// Whether it belongs to the initial list of its source (client-go's `isInInitialList`). Set by the queue.
    pub initial: bool,
    /// Whose list or watch told it.
    pub source: SourceId,
    /// To what.
    pub object: DeltaObject<T>,
}

impl<T> Delta<T> {
    pub(super) fn new(kind: DeltaType, source: SourceId, object: DeltaObject<T>) -> Self {
        Self {
            kind,
            initial: false,
            source,
            object,
        }
    }

    /// `Added`.
    pub fn added(source: SourceId, object: Arc<T>) -> Self {
        Self::new(DeltaType::Added, source, object.into())
    }

    /// `Updated`.
    pub fn updated(source: SourceId, object: Arc<T>) -> Self {
        Self::new(DeltaType::Updated, source, object.into())
    }

    /// `Deleted`: of the final state, or of a tombstone.
    pub fn deleted(source: SourceId, deleted: impl Into<DeltaObject<T>>) -> Self {
        Self::new(DeltaType::Deleted, source, deleted.into())
    }
}

impl<T> Delta<T> {
    /// `Deleted`, if it was held: the object is out of the source's scope since this version.
    pub fn out_of_scope(source: SourceId, key: &str, resource_version: &str) -> Self {
        let object = DeltaObject::OutOfScope {
            key: key.into(),
            resource_version: resource_version.into(),
        };
        Self::new(DeltaType::Deleted, source, object)
    }
}

impl<T: Keyed> Delta<T> {
    /// The key of the object; none if the delta is not about one object.
    pub fn key(&self) -> Option<&str> {
        self.object.key()
    }

    /// The key of a delta that its queue only accepts with one.
    pub(super) fn expect_key(&self) -> &str {
        self.key()
            .expect("a delta of this type is about one object")
    }

    /// The hash of the key; 0 if the delta is not about one object.
    pub(crate) fn key_hash(&self) -> u64 {
        match &self.object {
            DeltaObject::Object(object) => object.key_hash(),
            other => other.key().map_or(0, hash),
        }
    }

    /// The bytes that live only because this is queued: what a tombstone or a resync carries is known elsewhere.
    pub(super) fn heap_size(&self) -> usize {
        match &self.object {
            DeltaObject::Object(object) if self.kind != DeltaType::Sync => object.heap_size(),
            DeltaObject::Replacement(list) => list.objects.iter().map(Keyed::heap_size).sum(),
            _ => 0,
        }
    }
}

/// Shows type, source and key, never the content of an object.
impl<T: Keyed> fmt::Debug for Delta<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delta")
            .field("kind", &self.kind)
            .field("initial", &self.initial)
            .field("source", &self.source.0)
            .field("key", &self.key())
            .field("tombstone", &self.object.is_tombstone())
            .finish_non_exhaustive()
    }
}

/// All deltas of one key, oldest first; never empty when popped.
pub type Deltas<T> = SmallVec<[Delta<T>; 1]>;

/// Keys and objects that the consumer holds (client-go's `knownObjects`): each key once, of one source, read in the
/// quiet phase. The object is none if its lookup failed (§4).
pub type Known<T> = Vec<(Arc<str>, Option<Arc<T>>)>;
