//! `Notification`: what a handler is told, before any Python object exists.

use std::sync::Arc;

use crate::keyed::Keyed;
use crate::write_batch::Key;

/// One call of a handler (client-go's `OnAdd`, `OnUpdate`, `OnDelete`).
#[derive(Debug)]
pub enum Notification<T> {
    Add { object: Arc<T>, initial: bool },
    /// `resync`: old and new are the same, and nothing happened; anything else may replace it.
    Update { old: Arc<T>, new: Arc<T>, resync: bool },
    /// The final state, as the server sent it.
    Delete { object: Arc<T> },
    /// `DeletedFinalStateUnknown`: the last state that was seen, if any (client-go §3, §4).
    Tombstone { key: Key<T>, object: Option<Arc<T>> },
}

impl<T> Clone for Notification<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Add { object, initial } => Self::Add { object: Arc::clone(object), initial: *initial },
            Self::Update { old, new, resync } => {
                Self::Update { old: Arc::clone(old), new: Arc::clone(new), resync: *resync }
            }
            Self::Delete { object } => Self::Delete { object: Arc::clone(object) },
            Self::Tombstone { key, object } => Self::Tombstone { key: key.clone(), object: object.clone() },
        }
    }
}

impl<T: Keyed> Notification<T> {
    pub fn key(&self) -> &str {
        match self {
            Self::Add { object, .. } | Self::Delete { object } => object.key(),
            Self::Update { new, .. } => new.key(),
            Self::Tombstone { key, .. } => key.as_str(),
        }
    }

    pub fn is_initial(&self) -> bool {
        matches!(self, Self::Add { initial: true, .. })
    }

    /// Bytes that waiting keeps in memory.
    pub fn heap_size(&self) -> usize {
        match self {
            Self::Add { object, .. } | Self::Delete { object } => object.heap_size(),
            Self::Update { old, new, .. } if Arc::ptr_eq(old, new) => new.heap_size(),
            Self::Update { old, new, .. } => old.heap_size() + new.heap_size(),
            Self::Tombstone { object, .. } => object.as_ref().map_or(0, |object| object.heap_size()),
        }
    }
}

/// What two notifications of one key, the first still waiting, come to.
pub(crate) enum Merged<T> {
    /// One notification in the place of the first.
    One(Notification<T>),
    /// The handler need not know: the object came and went.
    Nothing,
    /// Both must be delivered; the second comes back.
    Both(Notification<T>),
}

/// The coalescing rules of a backlog past its limit. A deletion and the addition after it are never merged: the handler
/// must see that the object was gone.
pub(crate) fn merge<T>(first: &Notification<T>, second: Notification<T>) -> Merged<T> {
    use Notification::{Add, Delete, Tombstone, Update};
    match (first, second) {
        (_, Update { resync: true, .. }) if !matches!(first, Delete { .. } | Tombstone { .. }) => {
            Merged::One(first.clone())
        }
        (Add { initial, .. }, Update { new, .. }) => Merged::One(Add { object: new, initial: *initial }),
        (Add { .. }, Delete { .. } | Tombstone { .. }) => Merged::Nothing,
        (Update { old, .. }, Update { new, .. }) => {
            Merged::One(Update { old: Arc::clone(old), new, resync: false })
        }
        (Update { .. }, gone @ (Delete { .. } | Tombstone { .. })) => Merged::One(gone),
        (_, second) => Merged::Both(second),
    }
}
