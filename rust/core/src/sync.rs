//! Locks and condition variables of `std`, without poisoning.
//!
//! Those of `std` keep all their state in themselves, so a lock made after a fork works whatever another thread of the
//! parent was doing at that moment. `parking_lot`'s park through one table of the process, whose buckets a fork can leave
//! locked for ever. A panic under a lock leaves the data as it is: what is locked here is changed in steps that do not
//! panic, or is checked by the next reader.
//!
//! With the feature `shuttle` they are that crate's, which decides at each of them which thread goes on: `tests/shuttle`
//! so runs through many schedules.

use std::ops::{Deref, DerefMut};
use std::sync::{PoisonError, TryLockError};
use std::task::Waker;
use std::time::Instant;

#[cfg(feature = "shuttle")]
use shuttle::sync;
#[cfg(not(feature = "shuttle"))]
use std::sync;

use atomic::{AtomicUsize, Ordering};

#[cfg(feature = "shuttle")]
pub(crate) use shuttle::thread;
#[cfg(not(feature = "shuttle"))]
pub(crate) use std::thread;
pub use sync::{atomic, RwLockReadGuard, RwLockWriteGuard};

/// `std::sync::Mutex`.
#[derive(Debug, Default)]
pub struct Mutex<T>(sync::Mutex<T>);

/// Holds a [`Mutex`]; [`Condvar::wait`] lets it go for a while.
pub struct MutexGuard<'a, T>(Option<sync::MutexGuard<'a, T>>);

const HELD: &str = "a guard is empty only within `Condvar::wait`, which has it borrowed";

impl<T> Mutex<T> {
    /// An unlocked one.
    pub const fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }

    /// Waits until it is free.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard(Some(self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// None if another thread has it.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(MutexGuard(Some(guard))),
            Err(TryLockError::Poisoned(poisoned)) => Some(MutexGuard(Some(poisoned.into_inner()))),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().expect(HELD)
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_deref_mut().expect(HELD)
    }
}

/// `std::sync::Condvar`, whose notifications cost a system call only if somebody waits: a thread, or a task with a waker.
///
/// A notification must follow a change made under the lock with which others wait: whoever waits then either was counted
/// before the change, or has seen it.
#[derive(Debug, Default)]
pub struct Condvar {
    inner: sync::Condvar,
    /// Threads and wakers.
    waiting: AtomicUsize,
    wakers: Mutex<Vec<Waker>>,
}

impl Condvar {
    /// One that nobody waits for.
    pub const fn new() -> Self {
        Self {
            inner: sync::Condvar::new(),
            waiting: AtomicUsize::new(0),
            wakers: Mutex::new(Vec::new()),
        }
    }

    /// Lets the lock go and waits for a notification; may come back without one.
    pub fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        let held = guard.0.take().expect(HELD);
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let held = self.inner.wait(held);
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        guard.0 = Some(held.unwrap_or_else(PoisonError::into_inner));
    }

    /// The same until `deadline` at most. True if that has passed.
    pub fn wait_until<T>(&self, guard: &mut MutexGuard<'_, T>, deadline: Instant) -> bool {
        let timeout = deadline.saturating_duration_since(Instant::now());
        let held = guard.0.take().expect(HELD);
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let waited = self.inner.wait_timeout(held, timeout);
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        let (held, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        guard.0 = Some(held);
        waited.timed_out()
    }

    /// Wakes `waker` at the next notification, once. Whoever calls it holds the lock and has found nothing, as before a
    /// `wait`.
    pub fn wake_by<T>(&self, _guard: &MutexGuard<'_, T>, waker: &Waker) {
        let mut wakers = self.wakers.lock();
        if !wakers.iter().any(|known| known.will_wake(waker)) {
            wakers.push(waker.clone());
            self.waiting.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes a `waker` back.
    pub fn forget(&self, waker: &Waker) {
        let mut wakers = self.wakers.lock();
        if let Some(place) = wakers.iter().position(|known| known.will_wake(waker)) {
            wakers.swap_remove(place);
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn wake_all(&self) {
        let wakers = std::mem::take(&mut *self.wakers.lock());
        self.waiting.fetch_sub(wakers.len(), Ordering::Relaxed);
        for waker in wakers {
            waker.wake();
        }
    }

    /// Wakes one thread that waits, and every waker.
    pub fn notify_one(&self) {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.inner.notify_one();
            self.wake_all();
        }
    }

    /// Wakes all that wait.
    pub fn notify_all(&self) {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.inner.notify_all();
            self.wake_all();
        }
    }
}

/// `std::sync::RwLock`.
#[derive(Debug, Default)]
pub struct RwLock<T>(sync::RwLock<T>);

impl<T> RwLock<T> {
    /// An unlocked one.
    pub const fn new(value: T) -> Self {
        Self(sync::RwLock::new(value))
    }

    /// Waits until no writer has it.
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// None while a writer has it or waits.
    pub fn try_read(&self) -> Option<RwLockReadGuard<'_, T>> {
        match self.0.try_read() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Waits until nobody has it.
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
