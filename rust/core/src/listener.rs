//! `Listener`: the notifications that wait for one handler.
//!
//! They are handed out in the order of the store's changes; below the limit each one as it came, past it merged per key
//! so that a slow handler costs memory for the objects it has to learn of, not for every event (client-go §138, §139).
//! A listener has synced iff every notification of the initial list was handed out and acknowledged (§149).

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::keyed::Keyed;
use crate::notification::{merge, Merged, Notification};

/// When notifications are merged: past either limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    pub notifications: usize,
    pub bytes: usize,
}

impl Default for Backlog {
    fn default() -> Self {
        Self { notifications: 100_000, bytes: 256 << 20 }
    }
}

impl Backlog {
    /// Never merge: client-go's ring, which grows without bound.
    pub const GROW: Self = Self { notifications: usize::MAX, bytes: usize::MAX };
}

/// What `Listener::pop_batch` found.
#[derive(Debug)]
pub enum Popped<T> {
    Notifications(Vec<Notification<T>>),
    TimedOut,
    Closed,
}

/// Counters for a status page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListenerStats {
    pub pending: usize,
    pub pending_bytes: usize,
    pub delivered: u64,
    pub coalesced: u64,
}

struct State<T> {
    /// None: merged away. The front is never None.
    ring: VecDeque<Option<Notification<T>>>,
    /// Sequence number of the ring's front.
    front: u64,
    /// Last waiting notification of each key; filled only past the limit.
    last: HashTable<u64>,
    merging: bool,
    stats: ListenerStats,
    /// Initial notifications that wait, and those handed out but not acknowledged.
    initial_waiting: usize,
    initial_out: usize,
    closed: bool,
}

/// See the module.
pub struct Listener<T> {
    state: Mutex<State<T>>,
    ready: Condvar,
    backlog: Backlog,
    hasher: RandomState,
}

impl<T: Keyed> State<T> {
    fn at(&self, sequence: u64) -> Option<&Notification<T>> {
        let place = sequence.checked_sub(self.front)?;
        self.ring.get(place as usize)?.as_ref()
    }

    fn push(&mut self, notification: Notification<T>) {
        self.stats.pending += 1;
        self.stats.pending_bytes += notification.heap_size();
        self.initial_waiting += usize::from(notification.is_initial());
        self.ring.push_back(Some(notification));
    }

    /// Puts `with` in the place of the notification that waits there.
    fn replace(&mut self, sequence: u64, with: Option<Notification<T>>) {
        let place = (sequence - self.front) as usize;
        let old = self.ring[place].take().expect("only a waiting notification is replaced");
        self.forget(&old);
        if let Some(new) = &with {
            self.stats.pending += 1;
            self.stats.pending_bytes += new.heap_size();
            self.initial_waiting += usize::from(new.is_initial());
        }
        self.ring[place] = with;
    }

    fn forget(&mut self, old: &Notification<T>) {
        self.stats.pending -= 1;
        self.stats.pending_bytes -= old.heap_size();
        self.initial_waiting -= usize::from(old.is_initial());
    }

    fn skip_merged_away(&mut self) {
        while let Some(None) = self.ring.front() {
            self.ring.pop_front();
            self.front += 1;
        }
    }
}

impl<T: Keyed> Listener<T> {
    pub fn new(backlog: Backlog) -> Self {
        let state = State {
            ring: VecDeque::new(),
            front: 0,
            last: HashTable::new(),
            merging: false,
            stats: ListenerStats::default(),
            initial_waiting: 0,
            initial_out: 0,
            closed: false,
        };
        Self { state: Mutex::new(state), ready: Condvar::new(), backlog, hasher: RandomState::default() }
    }

    /// Adds notifications in order; never blocks on the handler.
    pub fn push_all(&self, notifications: impl IntoIterator<Item = Notification<T>>) {
        let mut state = self.state.lock();
        if state.closed {
            return;
        }
        for notification in notifications {
            let full = state.stats.pending >= self.backlog.notifications
                || state.stats.pending_bytes >= self.backlog.bytes;
            if full && !state.merging {
                self.start_merging(&mut state);
            }
            if state.merging {
                self.push_merged(&mut state, notification);
            } else {
                state.push(notification);
            }
        }
        state.skip_merged_away();
        drop(state);
        self.ready.notify_one();
    }

    fn start_merging(&self, state: &mut MutexGuard<'_, State<T>>) {
        state.merging = true;
        let sequences = state.front..state.front + state.ring.len() as u64;
        for sequence in sequences {
            self.remember(state, sequence);
        }
    }

    fn remember(&self, state: &mut State<T>, sequence: u64) {
        let Some(key) = state.at(sequence).map(Notification::key) else { return };
        let hash = self.hasher.hash_one(key);
        let known = state.last.find(hash, |other| state.at(*other).is_some_and(|n| n.key() == key)).copied();
        if let Some(known) = known {
            if let Ok(entry) = state.last.find_entry(hash, |other| *other == known) {
                *entry.into_mut() = sequence;
            }
            return;
        }
        let mut last = std::mem::take(&mut state.last);
        let rehash = |other: &u64| state.at(*other).map_or(0, |n| self.hasher.hash_one(n.key()));
        last.insert_unique(hash, sequence, rehash);
        state.last = last;
    }

    fn push_merged(&self, state: &mut State<T>, notification: Notification<T>) {
        let hash = self.hasher.hash_one(notification.key());
        let same = |other: &u64| state.at(*other).is_some_and(|n| n.key() == notification.key());
        let Some(sequence) = state.last.find(hash, same).copied() else {
            let sequence = state.front + state.ring.len() as u64;
            state.push(notification);
            self.remember(state, sequence);
            return;
        };
        let first = state.at(sequence).expect("only waiting notifications are remembered");
        match merge(first, notification) {
            Merged::One(merged) => {
                state.stats.coalesced += 1;
                state.replace(sequence, Some(merged));
            }
            Merged::Nothing => {
                state.stats.coalesced += 2;
                if let Ok(entry) = state.last.find_entry(hash, |other| *other == sequence) {
                    entry.remove();
                }
                state.replace(sequence, None);
            }
            Merged::Both(second) => {
                let sequence = state.front + state.ring.len() as u64;
                state.push(second);
                self.remember(state, sequence);
            }
        }
    }

    /// Up to `max` notifications, oldest first. Acknowledges the batch handed out before. Waits up to `timeout` (None:
    /// for ever) for the first one; a closed listener hands out nothing more (client-go §146).
    pub fn pop_batch(&self, max: usize, timeout: Option<Duration>) -> Popped<T> {
        self.pop(self.state.lock(), max, timeout)
    }

    /// The same, but None at once when another thread holds the lock.
    pub fn try_pop_batch(&self, max: usize) -> Option<Popped<T>> {
        let state = self.state.try_lock()?;
        Some(self.pop(state, max, Some(Duration::ZERO)))
    }

    fn pop(&self, mut state: MutexGuard<'_, State<T>>, max: usize, timeout: Option<Duration>) -> Popped<T> {
        state.initial_out = 0;
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        while !state.closed && state.stats.pending == 0 {
            match deadline {
                None => self.ready.wait(&mut state),
                Some(deadline) => {
                    let timed_out = self.ready.wait_until(&mut state, deadline).timed_out();
                    if timed_out && state.stats.pending == 0 && !state.closed {
                        return Popped::TimedOut;
                    }
                }
            }
        }
        if state.closed {
            return Popped::Closed;
        }
        let mut batch = Vec::with_capacity(max.min(state.stats.pending));
        while batch.len() < max {
            let Some(next) = state.ring.pop_front() else { break };
            state.front += 1;
            let Some(notification) = next else { continue };
            state.forget(&notification);
            state.initial_out += usize::from(notification.is_initial());
            if state.merging {
                self.drop_from_last(&mut state, &notification);
            }
            batch.push(notification);
        }
        state.skip_merged_away();
        state.stats.delivered += batch.len() as u64;
        let calm = state.stats.pending <= self.backlog.notifications / 2
            && state.stats.pending_bytes <= self.backlog.bytes / 2;
        if state.merging && calm {
            state.merging = false;
            state.last = HashTable::new();
        }
        Popped::Notifications(batch)
    }

    fn drop_from_last(&self, state: &mut State<T>, popped: &Notification<T>) {
        let sequence = state.front - 1;
        let hash = self.hasher.hash_one(popped.key());
        if let Ok(entry) = state.last.find_entry(hash, |other| *other == sequence) {
            entry.remove();
        }
    }

    /// Every initial notification that it was given is handed out and acknowledged.
    pub fn initial_list_done(&self) -> bool {
        let state = self.state.lock();
        state.initial_waiting == 0 && state.initial_out == 0
    }

    pub fn stats(&self) -> ListenerStats {
        self.state.lock().stats
    }

    /// Discards what waits and ends `pop_batch`, now and for good.
    pub fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        let discarded = std::mem::take(&mut state.ring);
        state.last = HashTable::new();
        state.stats.pending = 0;
        state.stats.pending_bytes = 0;
        drop(state);
        self.ready.notify_all();
        drop(discarded);
    }

    pub fn is_closed(&self) -> bool {
        self.state.lock().closed
    }
}

/// A handler of an informer, as the informer sees it.
pub(crate) struct Registration<T> {
    pub listener: Arc<Listener<T>>,
    pub resync: Option<Resync>,
}

/// A handler's own resync (client-go §127): `next` is set when the informer starts, or at once after that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resync {
    pub period: Duration,
    pub next: Option<Instant>,
}
