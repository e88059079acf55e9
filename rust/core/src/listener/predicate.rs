//! `Predicate`: what the handler of a listener wants to hear of, as the listener asks for it.
//!
//! Invariant: of the states of an object that the store goes through, a handler is told as if only those existed that
//! are accepted (client-go's `FilteringResourceEventHandler`, §154): so what is told can be merged like anything else.
//! Whether an update is told is decided on the pair that is handed out: when it comes, and again when it was merged.

use std::sync::Arc;

use crate::notification::Notification;

/// What a handler wants to hear of.
pub trait Predicate<T>: Send + Sync {
    /// Whether there is an object for the handler in this state.
    fn accepts(&self, object: &T) -> bool;

    /// Whether an update between two accepted states is told.
    fn passes(&self, old: &T, new: &T) -> bool;

    /// Whether `passes` says anything but yes.
    fn compares(&self) -> bool;

    /// True only if both states are accepted or neither is, where that is quicker to tell than to ask for both.
    fn is_alike(&self, _old: &T, _new: &T) -> bool {
        false
    }
}

/// What a handler behind the predicate is told in place of a notification.
///
/// A deletion goes by what was told of the object before, so that a handler which knows an object hears of its end
/// whatever the final state is. One of an object of which nothing is known is told.
pub(crate) fn told<T>(
    predicate: &dyn Predicate<T>,
    notification: &Notification<T>,
) -> Option<Notification<T>> {
    use Notification::{Add, Delete, Tombstone, Update};
    let accepts = |object: &Arc<T>| predicate.accepts(object);
    let is_told = match notification {
        Add { object, .. } => accepts(object),
        Update { old, new, .. } => match accepted(predicate, old, new) {
            (true, true) => predicate.passes(old, new),
            (false, true) => {
                return Some(Add {
                    object: Arc::clone(new),
                    initial: false,
                })
            }
            (true, false) => return Some(Notification::delete(old)),
            (false, false) => false,
        },
        Delete { object, last } => accepts(last.as_ref().unwrap_or(object)),
        Tombstone { object, .. } => object.as_ref().is_none_or(accepts),
    };
    is_told.then(|| {
        let mut told = notification.clone();
        told.forget_last();
        told
    })
}

/// Whether an old and a new state are.
fn accepted<T>(predicate: &dyn Predicate<T>, old: &Arc<T>, new: &Arc<T>) -> (bool, bool) {
    let newer = predicate.accepts(new);
    if Arc::ptr_eq(old, new) || predicate.is_alike(old, new) {
        return (newer, newer);
    }
    (predicate.accepts(old), newer)
}
