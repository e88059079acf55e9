//! The handlers of an informer: joining, leaving, resync.
//!
//! Invariant: between two changes of the store that were handed out, a listener is told of the whole store at most
//! once (when it joins late) and of no part of it twice: joining, resync and handing out exclude each other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use super::Informer;
use crate::listener::{told, Backlog, Listener, Predicate};
use crate::notification::Notification;
use crate::sync::atomic::Ordering;
use crate::versioned::Versioned;

/// Whom the informer tells.
pub(super) enum Target<T> {
    /// A handler, which asks for it.
    Listener(Arc<Listener<T>>),
    /// What is called for it.
    Sink(Arc<dyn Sink<T>>),
}

/// What is told of changes while the store's writer waits, under the lock of the registrations: so it must neither wait
/// nor run foreign code, nor call the informer.
pub trait Sink<T>: Send + Sync {
    /// Changes in the order of the store's.
    fn tell(&self, notifications: &[Notification<T>]);
}

/// A handler, as the informer sees it.
pub(super) struct Registration<T> {
    pub target: Target<T>,
    pub resync: Option<Resync>,
}

impl<T> Registration<T> {
    pub fn listener(&self) -> Option<&Arc<Listener<T>>> {
        match &self.target {
            Target::Listener(listener) => Some(listener),
            Target::Sink(_) => None,
        }
    }
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
        self.add_listener_for(backlog, resync, None)
    }

    /// The same for a handler that hears only of what `predicate` lets through.
    pub fn add_listener_for(
        &self,
        backlog: Backlog,
        resync: Option<Duration>,
        predicate: Option<Arc<dyn Predicate<T>>>,
    ) -> Option<Arc<Listener<T>>> {
        let listener = Arc::new(Listener::with_predicate(backlog, predicate));
        let target = Target::Listener(Arc::clone(&listener));
        self.register(target, resync).then_some(listener)
    }

    /// Adds a sink, as `add_listener` adds a listener. False when the informer is stopped.
    pub fn add_sink(&self, sink: Arc<dyn Sink<T>>, resync: Option<Duration>) -> bool {
        self.register(Target::Sink(sink), resync)
    }

    fn register(&self, target: Target<T>, resync: Option<Duration>) -> bool {
        let mut resync = resync.map(|period| Resync { period, next: None });
        let mut registrations = self.registrations.lock();
        if self.is_stopped() {
            return false;
        }
        if self.started.load(Ordering::Acquire) {
            let snapshot = self.store.objects().into_iter();
            let initial = snapshot.map(|object| Notification::Add {
                object,
                initial: true,
            });
            tell_all([&target].into_iter(), initial.collect());
            if let Some(resync) = &mut resync {
                resync.schedule(Instant::now());
            }
        }
        registrations.push(Registration { target, resync });
        true
    }

    /// Takes a listener out and closes it: what waits for it is dropped (§146). False, and no effect, when it is not
    /// one of this informer's (§145).
    pub fn remove_listener(&self, listener: &Arc<Listener<T>>) -> bool {
        let removed = self.remove(|target| match target {
            Target::Listener(other) => Arc::ptr_eq(other, listener),
            Target::Sink(_) => false,
        });
        if removed {
            listener.close();
        }
        removed
    }

    /// Takes a sink out, which is told of nothing more. False when it is not one of this informer's.
    pub fn remove_sink(&self, sink: &Arc<dyn Sink<T>>) -> bool {
        self.remove(|target| match target {
            Target::Sink(other) => Arc::ptr_eq(other, sink),
            Target::Listener(_) => false,
        })
    }

    fn remove(&self, is_it: impl Fn(&Target<T>) -> bool) -> bool {
        let mut registrations = self.registrations.lock();
        let place = registrations.iter().position(|it| is_it(&it.target));
        let removed = place.map(|place| registrations.remove(place));
        drop(registrations);
        removed.is_some()
    }

    /// What waits for all handlers: notifications, and the sum of their heap sizes.
    pub fn backlog(&self) -> (usize, usize) {
        let registrations = self.registrations.lock();
        let waiting = registrations
            .iter()
            .filter_map(Registration::listener)
            .map(|it| it.stats());
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
        for Registration { target, resync } in registrations.iter_mut() {
            if let Some(resync) = resync.as_mut().filter(|resync| resync.is_due(now)) {
                resync.schedule(now);
                due.push(&*target);
            }
        }
        if !due.is_empty() {
            let snapshot = self.store.objects();
            let resyncs = snapshot.iter().map(Notification::resync).collect();
            tell_all(due.iter().copied(), resyncs);
        }
        due.len()
    }
}

/// Tells each of what it wants to hear. Who shares a predicate shares the work; no lock of a listener is held meanwhile.
pub(super) fn tell_all<'t, T: Versioned>(
    targets: impl Iterator<Item = &'t Target<T>>,
    mut notifications: Vec<Notification<T>>,
) {
    type Asked<T> = (Arc<dyn Predicate<T>>, Vec<Notification<T>>);
    let mut asked: Vec<Asked<T>> = Vec::new();
    let mut unfiltered: SmallVec<[&Listener<T>; 8]> = SmallVec::new();
    for target in targets {
        let listener = match target {
            Target::Listener(listener) => listener,
            Target::Sink(sink) => {
                sink.tell(&notifications);
                continue;
            }
        };
        let Some(predicate) = listener.predicate() else {
            unfiltered.push(listener);
            continue;
        };
        let known = asked.iter().position(|(it, _)| Arc::ptr_eq(it, predicate));
        let place = known.unwrap_or_else(|| {
            let wanted = notifications.iter().filter_map(|it| told(&**predicate, it));
            asked.push((Arc::clone(predicate), wanted.collect()));
            asked.len() - 1
        });
        let wanted = &asked[place].1;
        listener.count_filtered(notifications.len() - wanted.len());
        listener.push_all(wanted.iter().cloned());
    }
    if let Some((last, others)) = unfiltered.split_last() {
        notifications.iter_mut().for_each(Notification::forget_last);
        for listener in others {
            listener.push_all(notifications.iter().cloned());
        }
        last.push_all(notifications);
    }
}
