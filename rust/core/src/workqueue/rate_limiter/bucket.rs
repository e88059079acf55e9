//! `BucketRateLimiter`: so many a second over all items, with bursts (a token bucket, as `golang.org/x/time/rate`).
//!
//! Invariant: a delay is given out once; those given out are such that within any time t at most burst + qps · t of them
//! end.

use std::time::{Duration, Instant};

use super::RateLimiter;
use crate::sync::Mutex;
use crate::workqueue::item::{lock, Item};
use crate::workqueue::Clock;

struct Bucket {
    /// Below zero: as many are promised.
    tokens: f64,
    filled: Instant,
}

/// See the module. It knows no items, so forgetting has no effect and nothing is counted.
pub struct BucketRateLimiter {
    bucket: Mutex<Bucket>,
    per_second: f64,
    burst: f64,
    clock: Clock,
}

impl BucketRateLimiter {
    /// A full one.
    ///
    /// # Panics
    ///
    /// Unless `per_second` is a positive number.
    pub fn new(per_second: f64, burst: u32, clock: Clock) -> Self {
        assert!(per_second > 0.0, "a rate of {per_second}");
        let bucket = Bucket {
            tokens: f64::from(burst),
            filled: clock.now(),
        };
        Self {
            bucket: Mutex::new(bucket),
            per_second,
            burst: f64::from(burst),
            clock,
        }
    }
}

impl<T: Item> RateLimiter<T> for BucketRateLimiter {
    fn when(&self, _: &T) -> Result<Duration, T::Error> {
        let mut bucket = lock::<T, _>(&self.bucket);
        let now = self.clock.now();
        let passed = now.saturating_duration_since(bucket.filled).as_secs_f64();
        bucket.tokens = (bucket.tokens + passed * self.per_second).min(self.burst) - 1.0;
        bucket.filled = bucket.filled.max(now);
        let seconds = -bucket.tokens / self.per_second;
        Ok(Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX))
    }

    fn forget(&self, _: &T) -> Result<(), T::Error> {
        Ok(())
    }

    fn num_requeues(&self, _: &T) -> Result<u64, T::Error> {
        Ok(0)
    }
}
