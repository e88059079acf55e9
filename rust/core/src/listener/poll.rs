//! The waits of a listener for who must not block: instead of sleeping they leave a waker.

use std::task::{Poll, Waker};
use std::time::Duration;

use super::{Listener, Popped};
use crate::keyed::Keyed;
use crate::queue::WaitError;

impl<T: Keyed> Listener<T> {
    /// `pop_batch` without a wait: while there is nothing, `waker` is woken once when there may be something.
    pub fn poll_batch(&self, max: usize, waker: &Waker) -> Poll<Popped<T>> {
        loop {
            let mut state = self.state.lock();
            if state.ring.len() == 0 && !state.closed {
                self.acknowledge(&mut state);
                self.ready.wake_by(&state, waker);
                return Poll::Pending;
            }
            match self.pop(state, max, Some(Duration::ZERO)) {
                Popped::Notifications(batch) => {
                    let batch = self.ask_again(batch);
                    if !batch.is_empty() {
                        return Poll::Ready(Popped::Notifications(batch));
                    }
                }
                popped => return Poll::Ready(popped),
            }
        }
    }

    /// `wait_handled` without a wait.
    pub fn poll_handled(&self, barrier: u64, waker: &Waker) -> Poll<Result<(), WaitError>> {
        let state = self.state.lock();
        if let Some(handled) = state.handled(barrier) {
            return Poll::Ready(handled);
        }
        self.acknowledged.wake_by(&state, waker);
        Poll::Pending
    }

    /// Takes back a waker that was left in either.
    pub fn forget(&self, waker: &Waker) {
        self.ready.forget(waker);
        self.acknowledged.forget(waker);
    }
}
