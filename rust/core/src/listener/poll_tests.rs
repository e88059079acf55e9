//! Polling: what wakes, how often, and what is left behind.

use std::sync::Arc;
use std::task::Poll;

use super::{Backlog, Listener, Popped};
use crate::notification::Notification;
use crate::queue::WaitError;
use crate::testing::Pod;
use crate::wake::WakePipe;

fn add(key: &str) -> [Notification<Pod>; 1] {
    let object = Pod::new(key, "uid", "1");
    [Notification::Add {
        object,
        initial: false,
    }]
}

fn listener() -> (Listener<Pod>, Arc<WakePipe>) {
    let pipe = WakePipe::new().expect("file descriptors");
    (Listener::new(Backlog::GROW), Arc::new(pipe))
}

fn polled(poll: Poll<Popped<Pod>>) -> Option<usize> {
    match poll {
        Poll::Ready(Popped::Notifications(batch)) => Some(batch.len()),
        Poll::Ready(Popped::Closed) => Some(0),
        Poll::Ready(Popped::TimedOut) => panic!("a poll does not wait"),
        Poll::Pending => None,
    }
}

#[test]
fn a_push_wakes_who_found_nothing_once() {
    let (listener, pipe) = listener();
    let waker = pipe.waker(7);
    listener.push_all(add("a"));
    assert_eq!(pipe.take(), [0; 0], "nobody waits");
    assert_eq!(polled(listener.poll_batch(10, &waker)), Some(1));
    for _ in 0..2 {
        assert_eq!(polled(listener.poll_batch(10, &waker)), None);
    }
    listener.push_all(add("b"));
    listener.push_all(add("c"));
    assert_eq!(pipe.take(), [7]);
    assert_eq!(polled(listener.poll_batch(10, &waker)), Some(2));
}

#[test]
fn a_close_wakes_and_ends_the_polls() {
    let (listener, pipe) = listener();
    listener.push_all(add("a"));
    let barrier = listener.barrier();
    let (popper, waiter) = (pipe.waker(1), pipe.waker(2));
    assert_eq!(listener.poll_handled(barrier, &waiter), Poll::Pending);
    assert_eq!(polled(listener.poll_batch(10, &popper)), Some(1));
    assert_eq!(pipe.take(), [2], "it looks again, as at any pop");
    assert_eq!(listener.poll_handled(barrier, &waiter), Poll::Pending);
    listener.close();
    assert_eq!(pipe.take(), [2]);
    let failed = Poll::Ready(Err(WaitError::Closed));
    assert_eq!(listener.poll_handled(barrier, &waiter), failed);
    assert_eq!(polled(listener.poll_batch(10, &popper)), Some(0));
}

#[test]
fn a_poll_that_finds_nothing_acknowledges() {
    let (listener, pipe) = listener();
    listener.push_all(add("a"));
    let barrier = listener.barrier();
    assert_eq!(polled(listener.poll_batch(10, &pipe.waker(1))), Some(1));
    let waiter = pipe.waker(2);
    assert_eq!(listener.poll_handled(barrier, &waiter), Poll::Pending);
    assert_eq!(polled(listener.poll_batch(10, &pipe.waker(1))), None);
    assert_eq!(pipe.take(), [2]);
    assert_eq!(listener.poll_handled(barrier, &waiter), Poll::Ready(Ok(())));
}

#[test]
fn a_waker_that_was_taken_back_is_not_woken() {
    let (listener, pipe) = listener();
    let (gone, stays) = (pipe.waker(1), pipe.waker(2));
    assert_eq!(polled(listener.poll_batch(10, &gone)), None);
    assert_eq!(polled(listener.poll_batch(10, &stays)), None);
    listener.forget(&gone);
    listener.push_all(add("a"));
    assert_eq!(pipe.take(), [2]);
}
