//! `Notification`: what a handler is told, before any Python object exists.
//!
//! Invariant: told in order, the notifications of one key lead a handler from state to state of that object; merging
//! keeps first and last state and hides no absence between two presences.

use std::sync::Arc;

use crate::keyed::Keyed;
use crate::write_batch::Key;

/// One call of a handler (client-go's `OnAdd`, `OnUpdate`, `OnDelete`).
#[derive(Debug)]
pub enum Notification<T> {
    /// The object is new.
    Add {
        /// As it is now.
        object: Arc<T>,
        /// client-go's `isInInitialList`.
        initial: bool,
    },
    /// The object has changed, or is told again.
    Update {
        /// As it was told last.
        old: Arc<T>,
        /// As it is now.
        new: Arc<T>,
        /// Old and new are the same and nothing happened: anything else may take its place.
        resync: bool,
    },
    /// The object is gone, and this is its final state, as the server sent it.
    Delete {
        /// The final state.
        object: Arc<T>,
        /// What was told of it before, where somebody has to know: a filter. None while it waits for a handler.
        last: Option<Arc<T>>,
    },
    /// The object is gone, its final state was missed: client-go's `DeletedFinalStateUnknown` (§3, §4).
    Tombstone {
        /// Its key.
        key: Key<T>,
        /// The last state that was seen, if any.
        object: Option<Arc<T>>,
    },
}

impl<T> Clone for Notification<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Add { object, initial } => Self::Add {
                object: Arc::clone(object),
                initial: *initial,
            },
            Self::Update { old, new, resync } => Self::Update {
                old: Arc::clone(old),
                new: Arc::clone(new),
                resync: *resync,
            },
            Self::Delete { object, last } => Self::Delete {
                object: Arc::clone(object),
                last: last.clone(),
            },
            Self::Tombstone { key, object } => Self::Tombstone {
                key: key.clone(),
                object: object.clone(),
            },
        }
    }
}

impl<T> Notification<T> {
    /// The resync of an object.
    pub(crate) fn resync(object: &Arc<T>) -> Self {
        Self::Update {
            old: Arc::clone(object),
            new: Arc::clone(object),
            resync: true,
        }
    }

    /// The tombstone of an object that was known.
    pub(crate) fn tombstone(object: &Arc<T>) -> Self {
        Self::Tombstone {
            key: Key::Of(Arc::clone(object)),
            object: Some(Arc::clone(object)),
        }
    }

    /// The deletion of an object of which nothing was told before, or nobody has to know what.
    pub(crate) fn delete(object: &Arc<T>) -> Self {
        Self::Delete {
            object: Arc::clone(object),
            last: None,
        }
    }

    /// Keeps only what a handler is told.
    pub(crate) fn forget_last(&mut self) {
        if let Self::Delete { last, .. } = self {
            *last = None;
        }
    }

    /// Whether it is an addition of an initial list.
    pub fn is_initial(&self) -> bool {
        matches!(self, Self::Add { initial: true, .. })
    }

    /// Whether the object is gone.
    pub fn is_deletion(&self) -> bool {
        matches!(self, Self::Delete { .. } | Self::Tombstone { .. })
    }
}

impl<T: Keyed> Notification<T> {
    /// Key of the object.
    pub fn key(&self) -> &str {
        match self {
            Self::Add { object, .. } | Self::Delete { object, .. } => object.key(),
            Self::Update { new, .. } => new.key(),
            Self::Tombstone { key, .. } => key.as_str(),
        }
    }

    /// Bytes that it keeps in memory while it waits.
    pub fn heap_size(&self) -> usize {
        match self {
            Self::Add { object, .. } | Self::Delete { object, .. } => object.heap_size(),
            Self::Update { old, new, .. } if Arc::ptr_eq(old, new) => new.heap_size(),
            Self::Update { old, new, .. } => old.heap_size() + new.heap_size(),
            Self::Tombstone { object, .. } => object.as_ref().map_or(0, Keyed::heap_size),
        }
    }
}

/// What two notifications of one key, the first still waiting, come to.
pub(crate) enum Merged<T> {
    /// The first: the second tells nothing.
    First,
    /// This one, in the place of the first.
    One(Notification<T>),
    /// Neither: the object came and went.
    Nothing,
    /// Both.
    Both,
}

/// The coalescing rules of a backlog past its limit. A deletion and the addition after it are never merged: the handler
/// must see that the object was gone. Nothing is freed here.
pub(crate) fn merge<T>(first: &Notification<T>, second: &Notification<T>) -> Merged<T> {
    use Notification::{Add, Update};
    match (first, second) {
        (Add { .. } | Update { .. }, Update { resync: true, .. }) => Merged::First,
        (Add { initial, .. }, Update { new, .. }) => Merged::One(Add {
            object: Arc::clone(new),
            initial: *initial,
        }),
        (Add { .. }, gone) if gone.is_deletion() => Merged::Nothing,
        (Update { old, .. }, Update { new, .. }) => Merged::One(Update {
            old: Arc::clone(old),
            new: Arc::clone(new),
            resync: false,
        }),
        // Also after a deletion: a watch may tell of the end of an object that the store did not have (§65).
        (_, gone) if gone.is_deletion() => Merged::One(gone.clone()),
        _ => Merged::Both,
    }
}
