//! Rate limiters: how long to wait before an item is tried again (client-go's `default_rate_limiters.go`).
//!
//! Invariant: `when` counts one attempt, in every limiter that is asked; `forget` takes back what is counted for an item.

mod bucket;
mod item_limiters;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use super::item::Item;
use super::Clock;

pub use bucket::BucketRateLimiter;
pub use item_limiters::{ItemExponentialFailureRateLimiter, ItemFastSlowRateLimiter};

/// Waits for items. No lock is held while another limiter, or foreign code, is asked.
pub trait RateLimiter<T: Item>: Send + Sync {
    /// Counts an attempt at the item; how long to wait before the next.
    fn when(&self, item: &T) -> Result<Duration, T::Error>;

    /// The item has succeeded, or is given up for good.
    fn forget(&self, item: &T) -> Result<(), T::Error>;

    /// Attempts counted for the item.
    fn num_requeues(&self, item: &T) -> Result<u64, T::Error>;
}

/// Asks every limiter and waits as long as the slowest says (client-go §191).
pub struct MaxOfRateLimiter<T> {
    limiters: Vec<Arc<dyn RateLimiter<T>>>,
}

impl<T> MaxOfRateLimiter<T> {
    /// Of none it never waits.
    pub fn new(limiters: Vec<Arc<dyn RateLimiter<T>>>) -> Self {
        Self { limiters }
    }
}

/// The result of each of them; the first error, after all were asked.
fn of_all<T, E>(results: impl Iterator<Item = Result<T, E>>) -> Result<Vec<T>, E> {
    let results: Vec<_> = results.collect();
    results.into_iter().collect()
}

impl<T: Item> RateLimiter<T> for MaxOfRateLimiter<T> {
    fn when(&self, item: &T) -> Result<Duration, T::Error> {
        let delays = of_all(self.limiters.iter().map(|limiter| limiter.when(item)))?;
        Ok(delays.into_iter().max().unwrap_or_default())
    }

    fn forget(&self, item: &T) -> Result<(), T::Error> {
        of_all(self.limiters.iter().map(|limiter| limiter.forget(item))).map(drop)
    }

    fn num_requeues(&self, item: &T) -> Result<u64, T::Error> {
        let counts = of_all(
            self.limiters
                .iter()
                .map(|limiter| limiter.num_requeues(item)),
        )?;
        Ok(counts.into_iter().max().unwrap_or_default())
    }
}

/// Another limiter's delays, but none longer than `max_delay`.
pub struct WithMaxWaitRateLimiter<T> {
    limiter: Arc<dyn RateLimiter<T>>,
    max_delay: Duration,
}

impl<T> WithMaxWaitRateLimiter<T> {
    /// Around `limiter`.
    pub fn new(limiter: Arc<dyn RateLimiter<T>>, max_delay: Duration) -> Self {
        Self { limiter, max_delay }
    }
}

impl<T: Item> RateLimiter<T> for WithMaxWaitRateLimiter<T> {
    fn when(&self, item: &T) -> Result<Duration, T::Error> {
        Ok(self.limiter.when(item)?.min(self.max_delay))
    }

    fn forget(&self, item: &T) -> Result<(), T::Error> {
        self.limiter.forget(item)
    }

    fn num_requeues(&self, item: &T) -> Result<u64, T::Error> {
        self.limiter.num_requeues(item)
    }
}

/// client-go's `DefaultControllerRateLimiter`: per item 5 ms · 2ⁿ up to 1000 s, over all 10 a second with bursts of 100.
pub fn default_controller<T: Item + 'static>(clock: Clock) -> MaxOfRateLimiter<T> {
    let (base, max) = (Duration::from_millis(5), Duration::from_secs(1000));
    MaxOfRateLimiter::new(vec![
        Arc::new(ItemExponentialFailureRateLimiter::new(base, max)),
        Arc::new(BucketRateLimiter::new(10.0, 100, clock)),
    ])
}

/// client-go's `DefaultItemBasedRateLimiter`: 1 ms · 2ⁿ up to 1000 s.
pub fn default_item_based<T: Item>() -> ItemExponentialFailureRateLimiter<T> {
    ItemExponentialFailureRateLimiter::new(Duration::from_millis(1), Duration::from_secs(1000))
}
