//! `kubeinformer.workqueue`: the core's queue and rate limiters for any hashable Python objects.

mod clock;
mod item;
mod metrics;
mod queue;
mod rate_limiter;

use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

pub use clock::FakeClock;
pub use metrics::StatsReader;
pub use queue::{DelayingQueue, ItemContext, Queue, RateLimitingQueue};
pub use rate_limiter::{
    BucketRateLimiter, CoreRateLimiter, ItemExponentialFailureRateLimiter, ItemFastSlowRateLimiter,
    MaxOfRateLimiter, WithMaxWaitRateLimiter,
};

/// Longer than any program runs.
const LONGEST_DELAY: f64 = 1e9;

/// Seconds as Python gives them; a negative number is no delay.
fn delay(name: &str, seconds: f64) -> PyResult<Duration> {
    if seconds.is_finite() {
        return Ok(Duration::from_secs_f64(seconds.clamp(0.0, LONGEST_DELAY)));
    }
    Err(PyValueError::new_err(format!(
        "{name} must be a finite number of seconds, not {seconds}"
    )))
}
