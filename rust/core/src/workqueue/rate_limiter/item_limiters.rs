//! Limiters that count the attempts at each item: exponential, and fast at first.
//!
//! Invariant: an item is counted from its first attempt until it is forgotten, for ever if it never is (client-go §190).

use std::time::Duration;

use super::RateLimiter;
use crate::sync::{Mutex, MutexGuard};
use crate::workqueue::item::{lock, Compared, Item};
use crate::workqueue::table::Table;

const NANOSECONDS: u128 = 1_000_000_000;

struct Failures<T>(Mutex<Table<T, u64>>);

type Guard<'a, T> = MutexGuard<'a, Table<T, u64>>;

impl<T: Item> Failures<T> {
    fn new() -> Self {
        Self(Mutex::new(Table::new()))
    }

    fn locate(&self, item: &T) -> Result<(Guard<'_, T>, Option<u32>), T::Error> {
        let mut compared = Compared::default();
        loop {
            let table = lock::<T, _>(&self.0);
            match table.find(item, &compared) {
                Ok(found) => return Ok((table, found)),
                Err(unsure) => {
                    drop(table);
                    compared.settle(item, unsure)?;
                }
            }
        }
    }

    /// Counts one more; how many there were before.
    fn count(&self, item: &T) -> Result<u64, T::Error> {
        let (mut table, found) = self.locate(item)?;
        Ok(if let Some(place) = found {
            let failures = table.value(place);
            let before = *failures;
            *failures = before.saturating_add(1);
            before
        } else {
            table.insert(item.clone(), 1);
            0
        })
    }

    fn forget(&self, item: &T) -> Result<(), T::Error> {
        let (mut table, found) = self.locate(item)?;
        let removed = found.map(|place| table.remove(place));
        drop(table);
        drop(removed);
        Ok(())
    }

    fn get(&self, item: &T) -> Result<u64, T::Error> {
        let (table, found) = self.locate(item)?;
        Ok(found
            .and_then(|place| table.get(place))
            .copied()
            .unwrap_or(0))
    }
}

/// `base_delay` · 2ⁿ after n attempts before this one, but not more than `max_delay`.
pub struct ItemExponentialFailureRateLimiter<T> {
    failures: Failures<T>,
    base_delay: Duration,
    max_delay: Duration,
}

impl<T: Item> ItemExponentialFailureRateLimiter<T> {
    /// With nothing counted.
    pub fn new(base_delay: Duration, max_delay: Duration) -> Self {
        Self {
            failures: Failures::new(),
            base_delay,
            max_delay,
        }
    }
}

impl<T: Item> RateLimiter<T> for ItemExponentialFailureRateLimiter<T> {
    fn when(&self, item: &T) -> Result<Duration, T::Error> {
        let failures = self.failures.count(item)?;
        let (base, max) = (self.base_delay.as_nanos(), self.max_delay.as_nanos());
        // Shifting by fewer bits than are free loses none.
        let delay = if failures < u64::from(base.leading_zeros()) {
            (base << failures).min(max)
        } else if base == 0 {
            0
        } else {
            max
        };
        let (seconds, nanoseconds) = (delay / NANOSECONDS, delay % NANOSECONDS);
        Ok(Duration::new(seconds as u64, nanoseconds as u32))
    }

    fn forget(&self, item: &T) -> Result<(), T::Error> {
        self.failures.forget(item)
    }

    fn num_requeues(&self, item: &T) -> Result<u64, T::Error> {
        self.failures.get(item)
    }
}

/// `fast_delay` for the first `max_fast_attempts` attempts, then `slow_delay`.
pub struct ItemFastSlowRateLimiter<T> {
    failures: Failures<T>,
    fast_delay: Duration,
    slow_delay: Duration,
    max_fast_attempts: u64,
}

impl<T: Item> ItemFastSlowRateLimiter<T> {
    /// With nothing counted.
    pub fn new(fast_delay: Duration, slow_delay: Duration, max_fast_attempts: u64) -> Self {
        Self {
            failures: Failures::new(),
            fast_delay,
            slow_delay,
            max_fast_attempts,
        }
    }
}

impl<T: Item> RateLimiter<T> for ItemFastSlowRateLimiter<T> {
    fn when(&self, item: &T) -> Result<Duration, T::Error> {
        let fast = self.failures.count(item)? < self.max_fast_attempts;
        Ok(if fast {
            self.fast_delay
        } else {
            self.slow_delay
        })
    }

    fn forget(&self, item: &T) -> Result<(), T::Error> {
        self.failures.forget(item)
    }

    fn num_requeues(&self, item: &T) -> Result<u64, T::Error> {
        self.failures.get(item)
    }
}
