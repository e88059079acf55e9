//! `Clock`: the time by which deadlines and limiters go; tests give one that they move on themselves.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::sync::Mutex;

/// Where the time comes from.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The system's.
    #[default]
    System,
    /// A test's.
    Fake(Arc<FakeClock>),
}

impl Clock {
    /// Never goes back.
    pub fn now(&self) -> Instant {
        match self {
            Self::System => Instant::now(),
            Self::Fake(clock) => clock.now(),
        }
    }

    /// Wakes `sleeper` whenever the time jumps.
    pub(super) fn subscribe(&self, sleeper: Weak<dyn Sleeper>) {
        if let Self::Fake(clock) = self {
            let mut sleepers = clock.sleepers.lock();
            sleepers.retain(|sleeper| sleeper.strong_count() > 0);
            sleepers.push(sleeper);
        }
    }
}

/// Has threads that wait for a time.
pub trait Sleeper: Send + Sync {
    /// Lets them look at the clock.
    fn wake(&self);
}

/// A clock that stands still until [`step`](Self::step) (the `FakeClock` of client-go's tests).
pub struct FakeClock {
    start: Instant,
    nanoseconds: AtomicU64,
    sleepers: Mutex<Vec<Weak<dyn Sleeper>>>,
}

impl std::fmt::Debug for FakeClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FakeClock({:?})", self.now() - self.start)
    }
}

impl Default for FakeClock {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            nanoseconds: AtomicU64::new(0),
            sleepers: Mutex::default(),
        }
    }
}

impl FakeClock {
    /// The time that it shows.
    pub fn now(&self) -> Instant {
        self.start + Duration::from_nanos(self.nanoseconds.load(Ordering::SeqCst))
    }

    /// Moves it on by at most 584 years in all, and wakes who waits for what is then past.
    pub fn step(&self, by: Duration) {
        let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX / 2);
        self.nanoseconds.fetch_add(by, Ordering::SeqCst);
        let sleepers: Vec<_> = self
            .sleepers
            .lock()
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        for sleeper in sleepers {
            sleeper.wake();
        }
    }
}
