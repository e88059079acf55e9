//! The lock of a queue, its phases and everything that waits on them.
//!
//! Invariant: at most one thread is between a pop and its `processed()`, or in the quiet phase, and never one in each.

use std::fmt;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Condvar, Mutex, MutexGuard};

use super::delta::SourceId;
use super::synced::InitialLists;

/// Why a blocking call came back without what it waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitError {
    /// The timeout has passed.
    TimedOut,
    /// The queue is closed, and what was waited for is not there.
    Closed,
}

impl fmt::Display for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TimedOut => "timed out",
            Self::Closed => "the queue is closed",
        })
    }
}

impl std::error::Error for WaitError {}

/// What a queue holds.
pub(super) trait Content {
    fn is_empty(&self) -> bool;
}

#[derive(PartialEq, Eq)]
enum Phase {
    Idle,
    Processing,
    Quiet,
}

pub(super) struct State<C> {
    pub(super) content: C,
    pub(super) initial: InitialLists,
    phase: Phase,
    /// Threads in `begin_quiet`: they come before the next pop, or a busy consumer would starve them.
    quiet_waiters: usize,
    /// `wake` was called and no pop has come back for it yet.
    woken: bool,
    closed: bool,
    /// Threads that sleep on a condition variable: counted before the lock is let go, so a test that sees one here
    /// can wake it.
    #[cfg(test)]
    pub(super) waiting: usize,
}

pub(super) type Guard<'a, C> = MutexGuard<'a, State<C>>;

pub(super) struct Gate<C> {
    state: Mutex<State<C>>,
    /// Something to pop, or a pop may begin.
    ready: Condvar,
    /// The phase is idle.
    idle: Condvar,
    /// Something was popped.
    drained: Condvar,
    /// `all_synced`, copied so that polling it takes no lock.
    has_synced: AtomicBool,
    synced: Condvar,
}

/// Waits until a timeout that starts to run with the first wait: a call that does not wait never asks for the time.
struct Timer {
    timeout: Option<Duration>,
    deadline: Option<Instant>,
}

impl Timer {
    fn new(timeout: Option<Duration>) -> Self {
        Self {
            timeout,
            deadline: None,
        }
    }

    /// Waits for a notification; an error if the timeout has passed without one.
    fn wait<C>(&mut self, condvar: &Condvar, state: &mut Guard<'_, C>) -> Result<(), WaitError> {
        #[cfg(test)]
        {
            state.waiting += 1;
        }
        let waited = self.sleep(condvar, state);
        #[cfg(test)]
        {
            state.waiting -= 1;
        }
        waited
    }

    fn sleep<C>(&mut self, condvar: &Condvar, state: &mut Guard<'_, C>) -> Result<(), WaitError> {
        if self.deadline.is_none() {
            // A deadline past the end of the clock is none.
            self.deadline = self
                .timeout
                .and_then(|timeout| Instant::now().checked_add(timeout));
        }
        match self.deadline {
            Some(deadline) if condvar.wait_until(state, deadline) => Err(WaitError::TimedOut),
            Some(_) => Ok(()),
            None => {
                condvar.wait(state);
                Ok(())
            }
        }
    }
}

impl<C: Content> Gate<C> {
    pub(super) fn new(content: C) -> Self {
        Self {
            state: Mutex::new(State {
                content,
                initial: InitialLists::new(),
                phase: Phase::Idle,
                quiet_waiters: 0,
                woken: false,
                closed: false,
                #[cfg(test)]
                waiting: 0,
            }),
            ready: Condvar::new(),
            idle: Condvar::new(),
            drained: Condvar::new(),
            has_synced: AtomicBool::new(false),
            synced: Condvar::new(),
        }
    }

    pub(super) fn lock(&self) -> Guard<'_, C> {
        self.state.lock()
    }

    /// Ends a change that may have enqueued something.
    pub(super) fn enqueued(&self, state: Guard<'_, C>) {
        let newly_synced = self.note_synced(&state);
        drop(state);
        self.ready.notify_one();
        if newly_synced {
            self.synced.notify_all();
        }
    }

    /// Waits until something can be popped and nothing is processed; the caller pops under the returned lock and
    /// hands it to `popped`.
    pub(super) fn wait_ready(&self, timeout: Option<Duration>) -> Result<Guard<'_, C>, WaitError> {
        let mut timer = Timer::new(timeout);
        let mut state = self.lock();
        let mut waited = Ok(());
        loop {
            if !state.content.is_empty() {
                if state.phase == Phase::Idle && state.quiet_waiters == 0 {
                    return Ok(state);
                }
            } else if state.closed {
                return Err(WaitError::Closed);
            } else if std::mem::take(&mut state.woken) {
                return Err(WaitError::TimedOut);
            }
            waited?;
            waited = timer.wait(&self.ready, &mut state);
        }
    }

    /// Lets a pop that waits, or the next one that would, come back as if its time were over.
    pub(super) fn wake(&self) {
        self.lock().woken = true;
        self.ready.notify_one();
    }

    pub(super) fn popped(&self, mut state: Guard<'_, C>) {
        state.phase = Phase::Processing;
        drop(state);
        self.drained.notify_all();
    }

    /// Begins the processing phase without a pop: for the one thread that pops.
    pub(super) fn begin_processing(&self) {
        let mut state = self.lock();
        while state.phase == Phase::Quiet {
            self.ready.wait(&mut state);
        }
        state.phase = Phase::Processing;
    }

    /// Ends the processing phase; nothing if there is none.
    pub(super) fn processed(&self) {
        let mut state = self.lock();
        if state.phase != Phase::Processing {
            return;
        }
        state.phase = Phase::Idle;
        state.initial.processed();
        let newly_synced = self.note_synced(&state);
        let closed = state.closed;
        drop(state);
        self.phase_ended(closed);
        if newly_synced {
            self.synced.notify_all();
        }
    }

    fn phase_ended(&self, closed: bool) {
        self.idle.notify_one();
        if closed {
            // Nothing more may come: then there is no other notification for all but one of those that wait.
            self.ready.notify_all();
        } else {
            self.ready.notify_one();
        }
    }

    /// Waits for the quiet phase and begins it.
    pub(super) fn begin_quiet(&self, timeout: Option<Duration>) -> Result<(), WaitError> {
        let mut state = self.lock();
        state.quiet_waiters += 1;
        let waited = self.wait_idle(&mut state, timeout);
        state.quiet_waiters -= 1;
        if waited.is_ok() {
            state.phase = Phase::Quiet;
        }
        // If not, another phase lasts, and the end of that one wakes the next pop.
        waited
    }

    fn wait_idle(
        &self,
        state: &mut Guard<'_, C>,
        timeout: Option<Duration>,
    ) -> Result<(), WaitError> {
        let mut timer = Timer::new(timeout);
        let mut waited = Ok(());
        while state.phase != Phase::Idle {
            if state.closed {
                return Err(WaitError::Closed);
            }
            waited?;
            waited = timer.wait(&self.idle, state);
        }
        Ok(())
    }

    pub(super) fn end_quiet(&self) {
        let mut state = self.lock();
        state.phase = Phase::Idle;
        let closed = state.closed;
        drop(state);
        self.phase_ended(closed);
    }

    /// Waits while `pending` holds; looks again after each pop.
    pub(super) fn wait_drained(
        &self,
        timeout: Option<Duration>,
        pending: impl Fn(&C) -> bool,
    ) -> Result<(), WaitError> {
        let mut timer = Timer::new(timeout);
        let mut state = self.lock();
        let mut waited = Ok(());
        while pending(&state.content) {
            if state.closed {
                return Err(WaitError::Closed);
            }
            waited?;
            waited = timer.wait(&self.drained, &mut state);
        }
        Ok(())
    }

    pub(super) fn add_source(&self) -> SourceId {
        let mut state = self.lock();
        let id = state.initial.add_source();
        self.note_synced(&state);
        id
    }

    pub(super) fn sources(&self) -> u32 {
        u32::try_from(self.lock().initial.len()).expect("a queue has fewer than 2^32 sources")
    }

    /// Copies `all_synced`; returns whether it turned true.
    fn note_synced(&self, state: &State<C>) -> bool {
        let now = state.initial.all_synced();
        // Written only under the lock: a plain load cannot miss another write.
        if self.has_synced.load(Ordering::Relaxed) == now {
            return false;
        }
        self.has_synced.store(now, Ordering::Release);
        now
    }

    pub(super) fn has_synced(&self) -> bool {
        self.has_synced.load(Ordering::Acquire)
    }

    pub(super) fn wait_synced(&self, timeout: Option<Duration>) -> Result<(), WaitError> {
        let mut timer = Timer::new(timeout);
        let mut state = self.lock();
        let mut waited = Ok(());
        while !state.initial.all_synced() {
            if state.closed {
                return Err(WaitError::Closed);
            }
            waited?;
            waited = timer.wait(&self.synced, &mut state);
        }
        Ok(())
    }

    /// `wait_synced` without a wait: `waker` is woken once when it may be over.
    pub(super) fn poll_synced(&self, waker: &Waker) -> Poll<Result<(), WaitError>> {
        let state = self.lock();
        if state.initial.all_synced() {
            return Poll::Ready(Ok(()));
        }
        if state.closed {
            return Poll::Ready(Err(WaitError::Closed));
        }
        self.synced.wake_by(&state, waker);
        Poll::Pending
    }

    /// Takes back a waker that was left.
    pub(super) fn forget(&self, waker: &Waker) {
        self.synced.forget(waker);
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.ready.notify_all();
        self.idle.notify_all();
        self.drained.notify_all();
        self.synced.notify_all();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }
}
