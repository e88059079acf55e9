//! The handlers of an informer: joining, leaving, resync.
//!
//! Invariant: between two changes of the store that were handed out, a listener is told of the whole store at most
//! once (when it joins late) and of no part of it twice: joining, resync and handing out exclude each other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Informer;
use crate::listener::{Backlog, Listener};
use crate::notification::Notification;
use crate::sync::atomic::Ordering;
use crate::versioned::Versioned;

/// A handler, as the informer sees it.
pub(super) struct Registration<T> {
    pub listener: Arc<Listener<T>>,
    pub resync: Option<Resync>,
}

/// A handler's own resync (§127).
#[derive(Clone, Copy, Debug)]
pub(super) struct Resync {
    period: Duration,
    /// None before the informer starts, and when it is past the end of the clock.
    next: Option<Instant>,
}

impl Resync {
    fn schedule(&mut self, now: Instant) {
        self.next = now.checked_add(self.period);
    }

    fn is_due(&self, now: Instant) -> bool {
        self.next.is_some_and(|next| next <= now)
    }
}

impl<T: Versioned> Informer<T> {
    /// Adds a handler's listener, with a resync every `resync` (none: never, §128). After the start it first gets
    /// every object of the store as an initial addition (§141, §142). None when the informer is stopped (§143).
    pub fn add_listener(
        &self,
        backlog: Backlog,
        resync: Option<Duration>,
    ) -> Option<Arc<Listener<T>>> {
        let listener = Arc::new(Listener::new(backlog));
        let mut resync = resync.map(|period| Resync { period, next: None });
        let mut registrations = self.registrations.lock();
        if self.is_stopped() {
            return None;
        }
        if self.started.load(Ordering::Acquire) {
            let snapshot = self.store.objects();
            listener.push_all(snapshot.into_iter().map(|object| Notification::Add {
                object,
                initial: true,
            }));
            if let Some(resync) = &mut resync {
                resync.schedule(Instant::now());
            }
        }
        registrations.push(Registration {
            listener: Arc::clone(&listener),
            resync,
        });
        Some(listener)
    }

    /// Takes a listener out and closes it: what waits for it is dropped (§146). False, and no effect, when it is not
    /// one of this informer's (§145).
    pub fn remove_listener(&self, listener: &Arc<Listener<T>>) -> bool {
        let mut registrations = self.registrations.lock();
        let is_it = |other: &Registration<T>| Arc::ptr_eq(&other.listener, listener);
        let place = registrations.iter().position(is_it);
        let removed = place.map(|place| registrations.remove(place));
        drop(registrations);
        if let Some(removed) = &removed {
            removed.listener.close();
        }
        removed.is_some()
    }

    /// What waits for all handlers: notifications, and the sum of their heap sizes.
    pub fn backlog(&self) -> (usize, usize) {
        let registrations = self.registrations.lock();
        let waiting = registrations.iter().map(|it| it.listener.stats());
        waiting.fold((0, 0), |(count, bytes), stats| {
            (count + stats.pending, bytes + stats.pending_bytes)
        })
    }

    /// Lets the resync periods begin, and listeners that join later get the store first. False, and no effect, when it
    /// was started before (§156).
    pub fn start(&self) -> bool {
        let mut registrations = self.registrations.lock();
        if self.started.swap(true, Ordering::AcqRel) {
            return false;
        }
        let now = Instant::now();
        for registration in registrations.iter_mut() {
            if let Some(resync) = &mut registration.resync {
                resync.schedule(now);
            }
        }
        true
    }

    /// Time until the next handler's resync is due; none when no handler resyncs.
    pub fn until_resync(&self, now: Instant) -> Option<Duration> {
        let registrations = self.registrations.lock();
        let resyncs = registrations.iter().filter_map(|it| it.resync?.next);
        Some(resyncs.min()?.saturating_duration_since(now))
    }

    /// Gives every due handler an update of each object with itself (§125-§127). Returns how many were due.
    pub fn resync(&self, now: Instant) -> usize {
        let mut registrations = self.registrations.lock();
        let mut due = Vec::new();
        for Registration { listener, resync } in registrations.iter_mut() {
            if let Some(resync) = resync.as_mut().filter(|resync| resync.is_due(now)) {
                resync.schedule(now);
                due.push(&*listener);
            }
        }
        if !due.is_empty() {
            let snapshot = self.store.objects();
            for listener in &due {
                listener.push_all(snapshot.iter().map(Notification::resync));
            }
        }
        due.len()
    }
}
