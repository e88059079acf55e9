//! `Item`: what queues and limiters hold, compared so that no foreign code runs under a lock.
//!
//! A search under the lock compares as far as it can (`same`). For what is left it gives the candidates away; they are
//! compared with no lock held (`equals`), and the search begins again with what was learnt. Items are known by their
//! birth meanwhile, so one that came or went is noticed.

use crate::sync::{Mutex, MutexGuard};

/// Something that can be queued. Equal items must have equal hashes.
///
/// Items are cloned under a lock, so cloning must run no foreign code; they are dropped with none held.
pub trait Item: Clone + Send + Sync {
    /// What `equals` may fail with.
    type Error;

    /// The item that a text is. Runs no foreign code, and is called under a lock.
    fn of_text(text: &str) -> Self;

    /// Spread over all bits.
    fn hash(&self) -> u64;

    /// Equality as far as it can be told under a lock; None: `equals` must be asked.
    fn same(&self, other: &Self) -> Option<bool>;

    /// Equality; may run foreign code, which may use the very queue that asks.
    fn equals(&self, other: &Self) -> Result<bool, Self::Error>;

    /// Runs `wait`, which waits for a lock that another thread holds for a moment. A thread that others wait for
    /// steps aside meanwhile.
    fn step_aside(wait: impl FnOnce() + Send) {
        wait();
    }
}

/// Candidates of a search that only `equals` can decide, by birth.
pub(super) struct Unsure<T>(pub(super) Vec<(u64, T)>);

/// What comparisons outside the lock have told, by birth.
#[derive(Default)]
pub(super) struct Compared {
    pub(super) equal: Option<u64>,
    pub(super) different: Vec<u64>,
}

impl Compared {
    pub(super) fn settle<T: Item>(&mut self, item: &T, unsure: Unsure<T>) -> Result<(), T::Error> {
        for (birth, other) in unsure.0 {
            if other.equals(item)? {
                self.equal = Some(birth);
                break;
            }
            self.different.push(birth);
        }
        Ok(())
    }

    /// The same where nobody can be told of an error: an item that cannot be compared is another one.
    pub(super) fn settle_quietly<T: Item>(&mut self, item: &T, unsure: Unsure<T>) {
        for (birth, other) in unsure.0 {
            if matches!(other.equals(item), Ok(true)) {
                self.equal = Some(birth);
                break;
            }
            self.different.push(birth);
        }
    }
}

/// Locks a mutex of microseconds as the item's threads must.
pub(super) fn lock<T: Item, S: Send>(mutex: &Mutex<S>) -> MutexGuard<'_, S> {
    loop {
        if let Some(guard) = mutex.try_lock() {
            return guard;
        }
        T::step_aside(|| drop(mutex.lock()));
    }
}
