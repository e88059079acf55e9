//! Waiting until a handler has dealt with all that it was told up to now.
//!
//! Invariant: a barrier is passed iff no push with a lower number waits, or is handed out and not acknowledged. What was
//! merged counts where the first of it stands, and what was merged away counts as done. A batch ends before a barrier,
//! so its acknowledgement does not wait for what was pushed later.

use std::time::{Duration, Instant};

use super::{Listener, State};
use crate::keyed::Keyed;
use crate::notification::Notification;
use crate::queue::WaitError;

impl<T: Keyed> State<T> {
    /// Every push with a lower number was handed out and acknowledged, or merged away.
    pub(super) fn settled(&self) -> u64 {
        let open = self.out.or_else(|| self.ring.oldest());
        open.unwrap_or_else(|| self.ring.pushed())
    }

    /// How the wait for a barrier ends; None while it does not.
    pub(super) fn handled(&self, barrier: u64) -> Option<Result<(), WaitError>> {
        let settled = if self.closed {
            self.settled_at_close
        } else {
            self.settled()
        };
        if settled >= barrier {
            return Some(Ok(()));
        }
        self.closed.then_some(Err(WaitError::Closed))
    }

    /// Takes up to `count` notifications out of a ring that has some, but none past the first barrier.
    pub(super) fn pop_to_barrier(&mut self, count: usize, batch: &mut Vec<Notification<T>>) {
        let oldest = self.ring.oldest().unwrap_or(u64::MAX);
        while self.barriers.front().is_some_and(|it| *it <= oldest) {
            self.barriers.pop_front();
        }
        let end = self.barriers.front().copied().unwrap_or(u64::MAX);
        for _ in 0..count {
            if self.ring.oldest().is_none_or(|oldest| oldest >= end) {
                break;
            }
            batch.extend(self.ring.pop());
        }
    }
}

impl<T: Keyed> Listener<T> {
    /// A barrier behind all that was pushed so far, for `wait_handled`.
    pub fn barrier(&self) -> u64 {
        let mut state = self.state.lock();
        let barrier = state.ring.pushed();
        let passed = state.settled() >= barrier;
        if !passed && !state.closed && state.barriers.back() != Some(&barrier) {
            state.barriers.push_back(barrier);
        }
        barrier
    }

    /// Waits until the handler has returned from everything before the barrier, for at most `timeout` (none: for ever).
    /// `Closed` when it will not: the listener was closed before.
    pub fn wait_handled(&self, barrier: u64, timeout: Option<Duration>) -> Result<(), WaitError> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = self.state.lock();
        loop {
            if let Some(handled) = state.handled(barrier) {
                return handled;
            }
            match deadline {
                None => self.acknowledged.wait(&mut state),
                Some(deadline) if Instant::now() >= deadline => return Err(WaitError::TimedOut),
                Some(deadline) => {
                    self.acknowledged.wait_until(&mut state, deadline);
                }
            }
        }
    }
}
