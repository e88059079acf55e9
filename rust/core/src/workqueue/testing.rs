//! What the tests of this folder share: items, a queue on a clock of its own, and short names for its answers.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;

use super::{FakeClock, Item, Options, Queue, Take, Waited};
use crate::hashing;
use crate::workqueue::Clock;

/// Longer than anything here takes, so that a lost wakeup fails a test instead of hanging it.
pub(super) const LONG: Option<Duration> = Some(Duration::from_secs(20));

impl Item for &'static str {
    type Error = Infallible;

    fn of_text(text: &str) -> Self {
        text.to_owned().leak()
    }

    fn hash(&self) -> u64 {
        hashing::hash(self)
    }

    fn same(&self, other: &Self) -> Option<bool> {
        Some(self == other)
    }

    fn equals(&self, other: &Self) -> Result<bool, Infallible> {
        Ok(self == other)
    }
}

impl Item for u32 {
    type Error = Infallible;

    fn of_text(text: &str) -> Self {
        text.parse().expect("the tests put numbers in")
    }

    fn hash(&self) -> u64 {
        // Few values, so that different items meet.
        u64::from(self % 1000).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn same(&self, other: &Self) -> Option<bool> {
        Some(self == other)
    }

    fn equals(&self, other: &Self) -> Result<bool, Infallible> {
        Ok(self == other)
    }
}

/// Runs when two items are compared.
type Comparing = Arc<dyn Fn(&Foreign, &Foreign) + Send + Sync>;

/// An item that no lock may compare: all have one hash, and comparing runs anything.
#[derive(Clone)]
pub(super) struct Foreign {
    pub(super) name: &'static str,
    identity: usize,
    comparing: Comparing,
}

static IDENTITIES: AtomicUsize = AtomicUsize::new(0);

impl Foreign {
    pub(super) fn new(
        name: &'static str,
        comparing: impl Fn(&Self, &Self) + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            identity: IDENTITIES.fetch_add(1, Ordering::Relaxed),
            comparing: Arc::new(comparing),
        }
    }
}

impl Item for Foreign {
    type Error = &'static str;

    fn of_text(text: &str) -> Self {
        Self::new(text.to_owned().leak(), |_, _| {})
    }

    fn hash(&self) -> u64 {
        7
    }

    fn same(&self, other: &Self) -> Option<bool> {
        (self.identity == other.identity).then_some(true)
    }

    fn equals(&self, other: &Self) -> Result<bool, &'static str> {
        (other.comparing)(self, other);
        if other.name == "incomparable" {
            return Err("no");
        }
        Ok(self.name == other.name)
    }
}

pub(super) fn queue<T: Item + 'static>() -> Arc<Queue<T>> {
    Queue::new(Options::default())
}

/// One that keeps times, on a clock that stands still.
pub(super) fn with_clock<T: Item + 'static>(aging: Option<u32>) -> (Arc<Queue<T>>, Arc<FakeClock>) {
    let clock = Arc::new(FakeClock::default());
    let queue = Queue::new(Options {
        aging,
        timed: true,
        clock: Clock::Fake(Arc::clone(&clock)),
    });
    (queue, clock)
}

/// The next item, if there is one.
pub(super) fn take<T: Item>(queue: &Queue<T>) -> Option<T> {
    match queue.take(T::clone) {
        Take::Taken(taken) => Some(taken.item),
        Take::Empty | Take::ShutDown => None,
    }
}

/// What is in the line, in order; each is done.
pub(super) fn drain<T: Item>(queue: &Queue<T>) -> Vec<T>
where
    T::Error: std::fmt::Debug,
{
    let mut all = Vec::new();
    while let Some(item) = take(queue) {
        queue.done(&item).expect("it is the item itself");
        all.push(item);
    }
    all
}

/// As a worker does it; None at shutdown.
pub(super) fn get<T: Item>(queue: &Queue<T>) -> Option<T> {
    loop {
        match queue.take(T::clone) {
            Take::Taken(taken) => return Some(taken.item),
            Take::ShutDown => return None,
            Take::Empty => assert_ne!(queue.wait(LONG), Waited::TimedOut, "nothing woke it"),
        }
    }
}

pub(super) fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
