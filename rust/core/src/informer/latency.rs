//! `Latency`: how long the processing phases of a queue took, as client-go's histogram of them counts.
//!
//! A phase is counted once, when it ends, and only if it began with a pop.

use std::time::{Duration, Instant};

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::Mutex;

/// Upper bounds in seconds, as client-go has them for `informer_processing_latency_seconds`; the last class has none.
pub const LATENCY_BOUNDS: [f64; 12] = [
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LatencyStats {
    /// Phases by the class that their time is in: up to each bound, then all above.
    pub counts: [u64; LATENCY_BOUNDS.len() + 1],
    /// Sum of the times.
    pub sum: Duration,
}

#[derive(Default)]
pub(super) struct Latency {
    popped: Mutex<Option<Instant>>,
    counts: [AtomicU64; LATENCY_BOUNDS.len() + 1],
    nanos: AtomicU64,
}

impl Latency {
    /// A phase begins.
    pub(super) fn begin(&self) {
        *self.popped.lock() = Some(Instant::now());
    }

    /// It ends.
    pub(super) fn end(&self) {
        let popped = self.popped.lock().take();
        if let Some(popped) = popped {
            self.count(popped.elapsed());
        }
    }

    fn count(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let class = LATENCY_BOUNDS.partition_point(|bound| *bound < seconds);
        self.counts[class].fetch_add(1, Ordering::Relaxed);
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    pub(super) fn stats(&self) -> LatencyStats {
        LatencyStats {
            counts: std::array::from_fn(|class| self.counts[class].load(Ordering::Relaxed)),
            sum: Duration::from_nanos(self.nanos.load(Ordering::Relaxed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_in_the_first_class_that_has_it() {
        let latency = Latency::default();
        for micros in [0, 1000, 1001, 10_000_000, 10_000_001] {
            latency.count(Duration::from_micros(micros));
        }
        let stats = latency.stats();
        assert_eq!(stats.counts[..2], [2, 1]);
        assert_eq!(stats.counts[11..], [1, 1]);
        assert_eq!(stats.counts.iter().sum::<u64>(), 5);
        assert_eq!(stats.sum, Duration::from_micros(20_002_002));
    }

    #[test]
    fn an_end_without_a_pop_is_none() {
        let latency = Latency::default();
        latency.end();
        assert_eq!(latency.stats(), LatencyStats::default());
        latency.begin();
        latency.end();
        latency.end();
        assert_eq!(latency.stats().counts.iter().sum::<u64>(), 1);
    }
}
