//! `Queue`: client-go's delaying queue with priorities, for any number of producers and workers.
//!
//! Lock discipline: one mutex, held for the change of a few items at a time; items are compared (where that takes foreign
//! code) and dropped without it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::clock::{Clock, Sleeper};
use super::inbox::Inbox;
use super::item::{lock, Compared, Item, Unsure};
use super::rate_limiter::RateLimiter;
use super::state::{State, Stats};
use super::AGING;
use crate::sync::{Condvar, Mutex, MutexGuard};

/// Items of a batch that are changed under one lock.
const BATCH: usize = 1000;

/// How a queue behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// After so many items that got ahead of lower priorities, the one that has waited longest comes next. None: a
    /// higher priority always comes first.
    pub aging: Option<u32>,
    /// Keep the times of [`Stats`].
    pub timed: bool,
    /// For deadlines and times.
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            aging: Some(AGING),
            timed: false,
            clock: Clock::System,
        }
    }
}

/// What [`Queue::wait`] ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// There was something to take when it ended.
    Ready,
    /// Nothing will ever be there.
    ShutDown,
    /// Nothing came in time.
    TimedOut,
}

/// An item that is now processed.
#[derive(Debug)]
pub struct Taken<R> {
    /// What the caller made of the item as it was first given.
    pub item: R,
    /// For how long it was dirty, if the queue keeps times.
    pub waited: Option<Duration>,
}

/// What [`Queue::take`] or [`Queue::take_many`] found.
#[derive(Debug)]
pub enum Take<T> {
    /// What was asked for.
    Taken(T),
    /// Nothing at the moment.
    Empty,
    /// Nothing, for ever.
    ShutDown,
}

/// See the [module](super).
pub struct Queue<T> {
    state: Mutex<State<T>>,
    /// Something is in the line, or the queue shuts down.
    ready: Condvar,
    /// Nothing is processed, or nobody need wait for that.
    idle: Condvar,
    inbox: Inbox,
    timed: bool,
    clock: Clock,
}

/// A queue as threads see it that cannot make its items.
pub trait TextQueue: Send + Sync {
    /// Adds the items that these texts are, each with a priority, as [`Queue::add`] does. Runs no foreign code; the
    /// queue compares the items with others when somebody uses it next.
    fn add_texts(&self, texts: Vec<(String, i32)>);
}

type Guard<'a, T> = MutexGuard<'a, State<T>>;

impl<T: Item + 'static> Queue<T> {
    /// An empty queue.
    pub fn new(options: Options) -> Arc<Self> {
        let queue = Arc::new(Self {
            state: Mutex::new(State::new(options.aging)),
            ready: Condvar::new(),
            idle: Condvar::new(),
            inbox: Inbox::default(),
            timed: options.timed,
            clock: options.clock,
        });
        let weak = Arc::downgrade(&queue);
        queue.clock.subscribe(weak);
        queue
    }
}

impl<T: Item> Queue<T> {
    /// The state, with all in the line that came into the inbox before.
    fn lock(&self) -> Guard<'_, T> {
        loop {
            let state = lock::<T, _>(&self.state);
            if self.has_nothing_incoming(&state) {
                return state;
            }
            self.take_in(state);
        }
    }

    fn has_nothing_incoming(&self, state: &State<T>) -> bool {
        state.incoming.is_empty() && self.inbox.is_empty()
    }

    /// Makes items of what came in, so many at a time that others get their turn.
    #[cold]
    fn take_in<'a>(&'a self, mut state: Guard<'a, T>) {
        if !self.inbox.is_empty() {
            let Some(texts) = self.inbox.try_take() else {
                drop(state);
                return T::step_aside(|| self.inbox.wait());
            };
            state.incoming.extend(texts);
        }
        let (mut left, mut unsure) = (Vec::new(), Vec::new());
        let count = state.incoming.len().min(BATCH);
        let piece: Vec<_> = state.incoming.drain(..count).collect();
        for entry in piece {
            let item = T::of_text(&entry.text);
            match state.table.find(&item, &Compared::default()) {
                Ok(found) => left.extend(state.add(found, item, entry.priority, entry.since)),
                Err(candidates) => unsure.push((item, candidates, entry)),
            }
        }
        let rests = !state.incoming.is_empty();
        if !rests {
            // The first list of a large informer must not keep its places for ever.
            state.incoming = VecDeque::new();
        }
        self.changed(state);
        drop(left);
        for (item, candidates, entry) in unsure {
            self.add_compared(item, candidates, entry.priority, entry.since);
        }
        if rests {
            T::step_aside(|| ());
        }
    }

    /// Adds what only foreign code can compare with the candidates, and of which nobody can be told that this failed.
    fn add_compared(&self, item: T, mut unsure: Unsure<T>, priority: i32, since: Option<Instant>) {
        let mut compared = Compared::default();
        loop {
            compared.settle_quietly(&item, unsure);
            let mut state = lock::<T, _>(&self.state);
            match state.table.find(&item, &compared) {
                Ok(found) => {
                    let left = state.add(found, item, priority, since);
                    self.changed(state);
                    drop(left);
                    return;
                }
                Err(more) => unsure = more,
            }
        }
    }

    fn locate(&self, item: &T) -> Result<(Guard<'_, T>, Option<u32>), T::Error> {
        self.search(self.lock(), item)
    }

    /// Where the item is; lets the lock go meanwhile if comparing takes foreign code.
    #[inline]
    fn search<'a>(
        &'a self,
        state: Guard<'a, T>,
        item: &T,
    ) -> Result<(Guard<'a, T>, Option<u32>), T::Error> {
        match state.table.find(item, &Compared::default()) {
            Ok(found) => Ok((state, found)),
            Err(unsure) => self.compare(state, item, unsure),
        }
    }

    #[cold]
    fn compare<'a>(
        &'a self,
        mut state: Guard<'a, T>,
        item: &T,
        mut unsure: Unsure<T>,
    ) -> Result<(Guard<'a, T>, Option<u32>), T::Error> {
        let mut compared = Compared::default();
        loop {
            self.changed(state);
            compared.settle(item, unsure)?;
            state = self.lock();
            match state.table.find(item, &compared) {
                Ok(found) => return Ok((state, found)),
                Err(more) => unsure = more,
            }
        }
    }

    /// For metrics: None where nobody keeps times.
    fn time(&self) -> Option<Instant> {
        self.timed.then(|| self.clock.now())
    }

    /// Moves what is due into the line.
    fn promote(&self, state: &mut Guard<'_, T>) {
        if state.delays.next().is_some() {
            state.promote(self.clock.now(), self.timed);
        }
    }

    /// Ends a change: wakes as many as may go on.
    fn changed(&self, mut state: Guard<'_, T>) {
        let pushed = std::mem::take(&mut state.pushed);
        drop(state);
        match pushed {
            0 => {}
            1 => self.ready.notify_one(),
            _ => self.ready.notify_all(),
        }
    }

    /// Adds an item, with no effect on one that is dirty but for a higher priority (client-go §184). Ignored when
    /// shutting down (§187). An error is one of comparing; nothing is added then.
    pub fn add(&self, item: T, priority: i32) -> Result<(), T::Error> {
        let (mut state, found) = self.locate(&item)?;
        let now = self.time();
        let left = state.add(found, item, priority, now);
        self.changed(state);
        drop(left);
        Ok(())
    }

    /// The same for many, in order. What came before one that cannot be compared is added.
    pub fn add_all(&self, items: Vec<T>, priority: i32) -> Result<(), T::Error> {
        let mut items = items.into_iter();
        while items.len() > 0 {
            let mut left = Vec::new();
            let mut state = self.lock();
            let now = self.time();
            for item in items.by_ref().take(BATCH) {
                let found;
                (state, found) = self.search(state, &item)?;
                left.extend(state.add(found, item, priority, now));
            }
            self.changed(state);
        }
        Ok(())
    }

    /// Adds an item after `delay`, at once if that is zero; the earlier deadline of one that waits wins. What waits at
    /// shutdown is dropped (client-go §189). Priority None: the one with which an item was taken that is processed, else 0.
    pub fn add_after(
        &self,
        item: T,
        delay: Duration,
        priority: Option<i32>,
    ) -> Result<(), T::Error> {
        let (state, found) = self.locate(&item)?;
        self.add_located(state, found, item, delay, priority);
        Ok(())
    }

    fn add_located(
        &self,
        mut state: Guard<'_, T>,
        found: Option<u32>,
        item: T,
        delay: Duration,
        priority: Option<i32>,
    ) {
        if delay.is_zero() {
            let priority = found.map_or(priority.unwrap_or(0), |place| {
                state.priority(place, priority)
            });
            let now = self.time();
            let left = state.add(found, item, priority, now);
            self.changed(state);
            drop(left);
            return;
        }
        let now = self.clock.now();
        let far = || now + Duration::from_secs(u64::from(u32::MAX));
        let due = now.checked_add(delay).unwrap_or_else(far);
        let first = state.delays.next();
        let left = state.add_at(found, item, priority, due);
        let is_first = state.delays.next() != first;
        if is_first {
            // Whoever watches the former deadline would sleep too long: another one takes over.
            state.watcher = 0;
        }
        drop(state);
        if is_first {
            self.ready.notify_one();
        }
        drop(left);
    }

    /// Adds an item when `limiter` says that it may be (client-go's `AddRateLimited`); returns the delay.
    pub fn add_rate_limited(
        &self,
        item: T,
        limiter: &dyn RateLimiter<T>,
        priority: Option<i32>,
    ) -> Result<Duration, T::Error> {
        let delay = limiter.when(&item)?;
        let (mut state, found) = self.locate(&item)?;
        state.retried();
        self.add_located(state, found, item, delay, priority);
        Ok(delay)
    }

    /// Takes the next item, which nobody else gets until it is [`done`](Self::done) (§185). Does not wait. `ShutDown`
    /// only when nothing is left (§187). `give` makes a copy of it, under the lock.
    pub fn take<R>(&self, give: impl Fn(&T) -> R) -> Take<Taken<R>> {
        self.take_with(|state, now| take_one(state, now, &give))
    }

    /// The same for up to `max` items, in order.
    pub fn take_many<R>(&self, max: usize, give: impl Fn(&T) -> R) -> Take<Vec<Taken<R>>> {
        self.take_with(|state, now| {
            let mut taken = Vec::with_capacity(max.min(state.line.len()));
            taken.extend((0..max).map_while(|_| take_one(state, now, &give)));
            (!taken.is_empty()).then_some(taken)
        })
    }

    fn take_with<R>(
        &self,
        take: impl FnOnce(&mut State<T>, Option<Instant>) -> Option<R>,
    ) -> Take<R> {
        let mut state = self.lock();
        self.promote(&mut state);
        let taken = take(&mut state, self.time());
        let shutting_down = state.shutting_down;
        self.changed(state);
        match taken {
            Some(taken) => Take::Taken(taken),
            None if shutting_down => Take::ShutDown,
            None => Take::Empty,
        }
    }

    /// Waits for at most `timeout` (none: for ever) until there is something to take, and takes nothing: who wakes may
    /// have to do something before, while another worker takes it.
    pub fn wait(&self, timeout: Option<Duration>) -> Waited {
        // A deadline past the end of the clock is none.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = self.state.lock();
        state.waits += 1;
        let me = state.waits;
        let waited = loop {
            self.promote(&mut state);
            if state.line.len() > 0 || !self.has_nothing_incoming(&state) {
                break Waited::Ready;
            }
            if state.shutting_down {
                break Waited::ShutDown;
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                break Waited::TimedOut;
            }
            let until = match (deadline, self.watch(&mut state, me)) {
                (Some(deadline), Some(due)) => Some(deadline.min(due)),
                (deadline, due) => deadline.or(due),
            };
            match until {
                None => self.ready.wait(&mut state),
                Some(until) => {
                    self.ready.wait_until(&mut state, until);
                }
            }
            if state.watcher == me {
                state.watcher = 0;
            }
        };
        if waited == Waited::Ready {
            // This one takes one itself.
            state.pushed = state.pushed.saturating_sub(1);
        }
        // Somebody else must watch the next deadline.
        let hand_over = state.watcher == 0 && state.delays.next().is_some();
        self.changed(state);
        if hand_over {
            self.ready.notify_one();
        }
        waited
    }

    /// The earliest deadline, for the one waiter that watches it.
    fn watch(&self, state: &mut Guard<'_, T>, me: u64) -> Option<Instant> {
        let due = state.delays.next()?;
        if state.watcher != 0 {
            return None;
        }
        state.watcher = me;
        // The clock may be a test's, but threads wait by the system's.
        let left = due.saturating_duration_since(self.clock.now());
        Instant::now().checked_add(left)
    }

    /// Ends the processing of an item; one that was added meanwhile is in the line again (§184). Returns how long it
    /// took, if the queue keeps times. Nothing happens to an item that is not processed.
    pub fn done(&self, item: &T) -> Result<Option<Duration>, T::Error> {
        let (mut state, found) = self.locate(item)?;
        let now = self.time();
        let done = found.and_then(|place| state.done(place, now));
        let idle = state.is_idle();
        self.changed(state);
        if idle {
            self.idle.notify_all();
        }
        Ok(done.and_then(|(_, worked)| worked))
    }

    /// The same for many. What came before one that cannot be compared is done. Returns the times that were kept.
    pub fn done_all(&self, items: &[T]) -> Result<Vec<Duration>, T::Error> {
        let mut times = Vec::new();
        for items in items.chunks(BATCH) {
            let mut left = Vec::with_capacity(items.len());
            let mut state = self.lock();
            let now = self.time();
            for item in items {
                let found;
                (state, found) = self.search(state, item)?;
                if let Some((gone, worked)) = found.and_then(|place| state.done(place, now)) {
                    left.extend(gone);
                    times.extend(worked);
                }
            }
            let idle = state.is_idle();
            self.changed(state);
            if idle {
                self.idle.notify_all();
            }
        }
        Ok(times)
    }

    /// Items that can be taken (§186); those that are processed do not count.
    pub fn len(&self) -> usize {
        let mut state = self.lock();
        self.promote(&mut state);
        let len = state.line.len();
        self.changed(state);
        len
    }

    /// Whether nothing can be taken.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Refuses adds from now on, drops what waits, and lets every waiting call return. What is in the line can still be
    /// taken (§187).
    pub fn shut_down(&self) {
        self.end(false);
    }

    /// The same, for [`wait_drained`](Self::wait_drained).
    pub fn begin_drain(&self) {
        self.end(true);
    }

    fn end(&self, drain: bool) {
        let mut state = self.lock();
        self.promote(&mut state);
        state.draining = drain;
        let dropped = state.shut_down();
        self.inbox.close();
        drop(state);
        self.ready.notify_all();
        self.idle.notify_all();
        drop(dropped);
    }

    /// Waits for at most `timeout` (none: for ever) until nothing is processed. What was not taken is not waited for
    /// (§188). Some(false) if [`shut_down`](Self::shut_down) ended the wait, None if the timeout has passed.
    pub fn wait_drained(&self, timeout: Option<Duration>) -> Option<bool> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = self.state.lock();
        loop {
            if state.is_idle() {
                return Some(true);
            }
            if !state.draining {
                return Some(false);
            }
            match deadline {
                None => self.idle.wait(&mut state),
                Some(deadline) if Instant::now() >= deadline => return None,
                Some(deadline) => {
                    self.idle.wait_until(&mut state, deadline);
                }
            }
        }
    }

    /// Whether the queue shuts down or is shut down.
    pub fn is_shutting_down(&self) -> bool {
        self.lock().shutting_down
    }

    /// The counters now.
    pub fn stats(&self) -> Stats {
        let mut state = self.lock();
        self.promote(&mut state);
        let now = self.clock.now();
        let counted = state.stats(now);
        self.changed(state);
        counted
    }

    /// Adds since the last call, by deadlines too: for counters that live elsewhere.
    pub fn take_unreported(&self) -> u64 {
        std::mem::take(&mut self.lock().unreported)
    }

    /// Waits that were begun, and whether one of them watches a deadline; all that have not ended sleep.
    #[cfg(test)]
    pub(super) fn waits(&self) -> (u64, bool) {
        let state = self.lock();
        (state.waits, state.watcher != 0)
    }

    /// Places for texts that are no items yet.
    #[cfg(test)]
    pub(super) fn places_of_incoming(&self) -> usize {
        self.lock().incoming.capacity()
    }

    /// Items with a slot, and entries of line and heap.
    #[cfg(test)]
    pub(super) fn kept(&self) -> (usize, usize, usize) {
        let state = self.lock();
        (state.table.len(), state.line.kept(), state.delays.kept())
    }
}

impl<T: Item> TextQueue for Queue<T> {
    fn add_texts(&self, texts: Vec<(String, i32)>) {
        let new = self.inbox.put_all(texts, self.time());
        if new > 0 {
            // Who has found the inbox empty under this lock waits by now.
            drop(self.state.lock());
        }
        match new {
            0 => {}
            1 => self.ready.notify_one(),
            _ => self.ready.notify_all(),
        }
    }
}

fn take_one<T: Item, R>(
    state: &mut State<T>,
    now: Option<Instant>,
    give: impl Fn(&T) -> R,
) -> Option<Taken<R>> {
    let (item, waited) = state.take(now)?;
    let item = give(item);
    Some(Taken { item, waited })
}

impl<T: Item> Sleeper for Queue<T> {
    fn wake(&self) {
        // A waiter that has looked at the clock before it jumped waits by now.
        drop(self.state.lock());
        self.ready.notify_all();
    }
}
