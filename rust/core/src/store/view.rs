//! `View` and `Snapshot`: a cut under the lock, and one without.

use std::ops::Deref;

use super::cut::Cut;
use crate::sync::RwLockReadGuard;

/// The store as it is, held back from changing: what [`Store::read`](super::Store::read) gives.
pub struct View<'a, T> {
    pub(super) cut: RwLockReadGuard<'a, Cut<T>>,
}

impl<T> Deref for View<'_, T> {
    type Target = Cut<T>;

    fn deref(&self) -> &Cut<T> {
        &self.cut
    }
}

/// The store as it was: what [`Store::snapshot`](super::Store::snapshot) gives. It takes no lock, and outlives the
/// store.
pub struct Snapshot<T> {
    pub(super) cut: Cut<T>,
}

impl<T> Clone for Snapshot<T> {
    fn clone(&self) -> Self {
        Self {
            cut: self.cut.clone(),
        }
    }
}

impl<T> Deref for Snapshot<T> {
    type Target = Cut<T>;

    fn deref(&self) -> &Cut<T> {
        &self.cut
    }
}
