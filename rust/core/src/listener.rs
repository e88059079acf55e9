//! `Listener`: the notifications that wait for one handler.
//!
//! They are handed out in the order of the store's changes: below the limit each one as it came, past it merged per key
//! so that a slow handler costs memory for the objects it has to learn of, not for every event (client-go §138, §139).
//! A listener has synced iff every notification of the initial list was handed out and acknowledged (§149).

mod barrier;
#[cfg(test)]
mod barrier_tests;
#[cfg(test)]
mod filter_tests;
#[cfg(test)]
mod model_tests;
mod poll;
#[cfg(test)]
mod poll_tests;
mod predicate;
mod ring;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Condvar, Mutex, MutexGuard};

use crate::keyed::Keyed;
use crate::notification::Notification;
pub(crate) use predicate::told;
pub use predicate::Predicate;
use ring::Ring;

/// When notifications are merged: from either limit on, until half of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// Notifications that wait.
    pub notifications: usize,
    /// Sum of their heap sizes.
    pub bytes: usize,
}

impl Default for Backlog {
    fn default() -> Self {
        Self {
            notifications: 100_000,
            bytes: 256 << 20,
        }
    }
}

impl Backlog {
    /// Never merge: client-go's ring, which grows without bound.
    pub const GROW: Self = Self {
        notifications: usize::MAX,
        bytes: usize::MAX,
    };
}

/// What [`Listener::pop_batch`] found.
#[derive(Debug)]
pub enum Popped<T> {
    /// At least one, oldest first.
    Notifications(Vec<Notification<T>>),
    /// Nothing came in time.
    TimedOut,
    /// Nothing will come any more.
    Closed,
}

/// Counters for a status page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListenerStats {
    /// Notifications that wait.
    pub pending: usize,
    /// Sum of their heap sizes.
    pub pending_bytes: usize,
    /// Notifications handed out.
    pub delivered: u64,
    /// Notifications merged away. All that were pushed to a listener that is not closed are delivered, pending,
    /// coalesced or, as updates that came to nothing when they were merged, filtered.
    pub coalesced: u64,
    /// Notifications of which the handler's filter lets it hear nothing.
    pub filtered: u64,
}

struct State<T> {
    ring: Ring<T>,
    delivered: u64,
    /// Initial notifications handed out but not acknowledged.
    initial_out: usize,
    /// Number of the oldest push that is handed out and not acknowledged.
    out: Option<u64>,
    /// Numbers of pushes before which a batch ends, as somebody waits for all before; growing.
    barriers: VecDeque<u64>,
    closed: bool,
    /// What `settled` was when it was closed.
    settled_at_close: u64,
}

impl<T: Keyed> State<T> {
    fn initial_list_done(&self) -> bool {
        self.ring.initial() == 0 && self.initial_out == 0
    }
}

/// The backlog of one handler; see the [module](self). For one consumer.
pub struct Listener<T> {
    state: Mutex<State<T>>,
    ready: Condvar,
    /// The initial list is done, or will never be.
    listed: Condvar,
    /// A batch was acknowledged.
    acknowledged: Condvar,
    /// Copy of the state's, so that asking for it takes no lock.
    closed: AtomicBool,
    predicate: Option<Arc<dyn Predicate<T>>>,
    filtered: AtomicU64,
}

impl<T: Keyed> Listener<T> {
    /// One with nothing waiting.
    pub fn new(backlog: Backlog) -> Self {
        Self::with_predicate(backlog, None)
    }

    /// The same for a handler that hears of some things only. What is pushed went through `predicate` already.
    pub fn with_predicate(backlog: Backlog, predicate: Option<Arc<dyn Predicate<T>>>) -> Self {
        let state = State {
            ring: Ring::new(backlog),
            delivered: 0,
            initial_out: 0,
            out: None,
            barriers: VecDeque::new(),
            closed: false,
            settled_at_close: 0,
        };
        Self {
            state: Mutex::new(state),
            ready: Condvar::new(),
            listed: Condvar::new(),
            acknowledged: Condvar::new(),
            closed: AtomicBool::new(false),
            predicate,
            filtered: AtomicU64::new(0),
        }
    }

    /// What its handler wants to hear of; None: everything.
    pub(crate) fn predicate(&self) -> Option<&Arc<dyn Predicate<T>>> {
        self.predicate.as_ref()
    }

    /// Counts notifications that the handler is not told of.
    pub(crate) fn count_filtered(&self, count: usize) {
        self.filtered.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Adds notifications in order, or drops them if closed. Never waits for the handler.
    pub fn push_all(&self, notifications: impl IntoIterator<Item = Notification<T>>) {
        let notifications = notifications.into_iter();
        let mut discarded = Vec::new();
        let mut state = self.state.lock();
        if state.closed {
            return;
        }
        for notification in notifications {
            state.ring.push(notification, &mut discarded);
        }
        let wake = state.ring.len() > 0;
        // A merge with a deletion can take the last one of the list away.
        if state.initial_list_done() {
            self.listed.notify_all();
        }
        drop(state);
        if wake {
            self.ready.notify_one();
        }
        drop(discarded);
    }

    /// Up to `max` (at least 1) notifications, oldest first. Acknowledges the batch handed out before. Waits up to
    /// `timeout` (none: for ever) for the first one; a closed listener hands out nothing more (§146).
    pub fn pop_batch(&self, max: usize, timeout: Option<Duration>) -> Popped<T> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut left = timeout;
        loop {
            match self.pop(self.state.lock(), max, left) {
                Popped::Notifications(batch) => {
                    let batch = self.ask_again(batch);
                    if !batch.is_empty() {
                        return Popped::Notifications(batch);
                    }
                }
                popped => return popped,
            }
            left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        }
    }

    /// The same without waiting, and none when that takes longer: another thread holds the lock, or updates have to be
    /// looked at. Then nothing is acknowledged either.
    pub fn try_pop_batch(&self, max: usize) -> Option<Popped<T>> {
        let state = self.state.try_lock()?;
        if self.comparing().is_some() && state.ring.coalesced() > 0 {
            return None;
        }
        Some(self.pop(state, max, Some(Duration::ZERO)))
    }

    fn comparing(&self) -> Option<&Arc<dyn Predicate<T>>> {
        self.predicate.as_ref().filter(|it| it.compares())
    }

    /// The batch without the updates that have come to nothing since they were pushed, as others were merged with them.
    fn ask_again(&self, mut batch: Vec<Notification<T>>) -> Vec<Notification<T>> {
        let Some(predicate) = self.comparing() else {
            return batch;
        };
        if self.state.lock().ring.coalesced() == 0 {
            return batch;
        }
        let before = batch.len();
        batch.retain(|notification| match notification {
            Notification::Update { old, new, .. } => predicate.passes(old, new),
            _ => true,
        });
        let dropped = before - batch.len();
        if dropped > 0 {
            self.count_filtered(dropped);
            self.state.lock().delivered -= dropped as u64;
        }
        batch
    }

    fn pop(
        &self,
        mut state: MutexGuard<'_, State<T>>,
        max: usize,
        timeout: Option<Duration>,
    ) -> Popped<T> {
        self.acknowledge(&mut state);
        if state.ring.len() == 0 && !self.wait(&mut state, timeout) {
            return Popped::TimedOut;
        }
        if state.closed {
            return Popped::Closed;
        }
        let count = max.clamp(1, state.ring.len());
        let mut batch = Vec::with_capacity(count);
        state.out = state.ring.oldest();
        if state.barriers.is_empty() {
            batch.extend((0..count).map_while(|_| state.ring.pop()));
        } else {
            state.pop_to_barrier(count, &mut batch);
        }
        let initial = batch
            .iter()
            .filter(|notification| notification.is_initial());
        state.initial_out = initial.count();
        state.delivered += batch.len() as u64;
        Popped::Notifications(batch)
    }

    fn acknowledge(&self, state: &mut MutexGuard<'_, State<T>>) {
        if state.initial_out > 0 {
            state.initial_out = 0;
            if state.initial_list_done() {
                self.listed.notify_all();
            }
        }
        state.out = None;
        self.acknowledged.notify_all();
    }

    /// Waits until there is something or the listener is closed; false if neither happened in time.
    fn wait(&self, state: &mut MutexGuard<'_, State<T>>, timeout: Option<Duration>) -> bool {
        // A deadline past the end of the clock is none.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let is_past = |deadline: Option<Instant>| deadline.is_some_and(|it| Instant::now() >= it);
        while state.ring.len() == 0 && !state.closed && !is_past(deadline) {
            match deadline {
                None => self.ready.wait(state),
                Some(deadline) => {
                    self.ready.wait_until(state, deadline);
                }
            }
        }
        state.ring.len() > 0 || state.closed
    }

    /// Whether every initial notification that came was handed out and acknowledged, or merged away with the deletion
    /// of its object.
    pub fn initial_list_done(&self) -> bool {
        self.state.lock().initial_list_done()
    }

    /// Waits until that is so (true) or can never be, as the listener was closed before (false). None when neither
    /// happened within `timeout` (none: for ever).
    pub fn wait_initial_list(&self, timeout: Option<Duration>) -> Option<bool> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = self.state.lock();
        loop {
            if state.initial_list_done() {
                return Some(true);
            }
            if state.closed {
                return Some(false);
            }
            match deadline {
                None => self.listed.wait(&mut state),
                Some(deadline) if Instant::now() >= deadline => return None,
                Some(deadline) => {
                    self.listed.wait_until(&mut state, deadline);
                }
            }
        }
    }

    /// The counters now.
    pub fn stats(&self) -> ListenerStats {
        let state = self.state.lock();
        ListenerStats {
            pending: state.ring.len(),
            pending_bytes: state.ring.bytes(),
            delivered: state.delivered,
            coalesced: state.ring.coalesced(),
            filtered: self.filtered.load(Ordering::Relaxed),
        }
    }

    /// Discards what waits and ends `pop_batch`, now and for good. An initial list that was not handed out in full
    /// never counts as done.
    pub fn close(&self) {
        let mut state = self.state.lock();
        if !state.closed {
            state.settled_at_close = state.settled();
        }
        state.closed = true;
        self.closed.store(true, Ordering::Release);
        let discarded = state.ring.clear();
        drop(state);
        self.ready.notify_all();
        self.listed.notify_all();
        self.acknowledged.notify_all();
        drop(discarded);
    }

    /// Whether `close` was called. Takes no lock.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}
