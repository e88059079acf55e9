//! Prints what one delta costs from add to the end of its processing, single and batched.
//!
//! `cargo run --release --example queue_bench`

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kubeinformer_core::keyed::Keyed;
use kubeinformer_core::queue::{
    Delta, DeltaFifo, DeltaFifoOptions, RealFifo, RealFifoMode, SourceId, WaitError,
    DEFAULT_BATCH_SIZE,
};

const OBJECTS: u32 = 100_000;
const ROUNDS: usize = 10;
const SOURCE: SourceId = SourceId::FIRST;
const NOW: Option<Duration> = Some(Duration::ZERO);

struct Pod(String);

impl Keyed for Pod {
    fn key(&self) -> &str {
        &self.0
    }

    fn heap_size(&self) -> usize {
        self.0.len()
    }
}

/// Runs `round` on prepared payloads; prints the best round.
fn measure(name: &str, pods: &[Arc<Pod>], mut round: impl FnMut(Vec<Arc<Pod>>)) {
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let prepared = pods.to_vec();
        let start = Instant::now();
        round(prepared);
        best = best.min(start.elapsed());
    }
    println!(
        "{name:<58} {:>6.1} ns/delta",
        best.as_secs_f64() * 1e9 / f64::from(OBJECTS)
    );
}

/// Pops until the queue is empty; returns how many deltas came.
fn drain(mut pop: impl FnMut() -> Result<usize, WaitError>, done: impl Fn()) -> usize {
    let mut popped = 0;
    while let Ok(count) = pop() {
        done();
        popped += count;
    }
    popped
}

fn events(pods: &[Arc<Pod>]) -> Vec<Delta<Pod>> {
    pods.iter()
        .map(|pod| Delta::updated(SOURCE, Arc::clone(pod)))
        .collect()
}

fn delta_fifo(name: &str, pods: &[Arc<Pod>]) {
    let fifo = DeltaFifo::new(DeltaFifoOptions::default());
    let pop = || fifo.pop(NOW).map(|item| black_box(item).deltas.len());
    let pop_batch = || {
        let items = fifo.pop_batch(DEFAULT_BATCH_SIZE, NOW)?;
        Ok(black_box(items).iter().map(|item| item.deltas.len()).sum())
    };
    measure(
        &format!("DeltaFifo {name}, single, {OBJECTS} queued"),
        pods,
        |prepared| {
            for pod in prepared {
                fifo.update(SOURCE, pod);
            }
            assert_eq!(drain(pop, || fifo.processed()), pods.len());
        },
    );
    measure(
        &format!("DeltaFifo {name}, single, popped at once"),
        pods,
        |prepared| {
            for pod in prepared {
                fifo.update(SOURCE, pod);
                assert!(black_box(fifo.pop(NOW)).is_ok());
                fifo.processed();
            }
        },
    );
    measure(
        &format!("DeltaFifo {name}, batches of 1000"),
        pods,
        |prepared| {
            for chunk in prepared.chunks(DEFAULT_BATCH_SIZE) {
                fifo.add_many(events(chunk));
                assert_eq!(drain(pop_batch, || fifo.processed()), chunk.len());
            }
        },
    );
}

fn real_fifo(name: &str, pods: &[Arc<Pod>]) {
    let fifo = RealFifo::new(RealFifoMode::Atomic {
        emit_bookmarks: true,
    });
    let pop = || {
        fifo.pop(NOW)
            .map(|delta| usize::from(black_box(delta).key().is_some()))
    };
    let pop_batch = || {
        fifo.pop_batch(DEFAULT_BATCH_SIZE, NOW)
            .map(|deltas| black_box(deltas).len())
    };
    measure(
        &format!("RealFifo {name}, single, {OBJECTS} queued"),
        pods,
        |prepared| {
            for pod in prepared {
                fifo.update(SOURCE, pod);
            }
            assert_eq!(drain(pop, || fifo.processed()), pods.len());
        },
    );
    measure(
        &format!("RealFifo {name}, single in, batches of 1000 out"),
        pods,
        |prepared| {
            for pod in prepared {
                fifo.update(SOURCE, pod);
            }
            assert_eq!(drain(pop_batch, || fifo.processed()), pods.len());
        },
    );
    measure(
        &format!("RealFifo {name}, batches of 1000"),
        pods,
        |prepared| {
            for chunk in prepared.chunks(DEFAULT_BATCH_SIZE) {
                fifo.add_many(events(chunk));
                assert_eq!(drain(pop_batch, || fifo.processed()), chunk.len());
            }
        },
    );
}

fn main() {
    let pod = |index| {
        Arc::new(Pod(format!(
            "namespace-{}/deployment-7d9f8b6c5-{index:05}",
            index % 50
        )))
    };
    let distinct: Vec<_> = (0..OBJECTS).map(pod).collect();
    // The same key comes again after 100 others, as from busy objects.
    let repeated: Vec<_> = (0..OBJECTS)
        .map(|index| pod(index / 1000 * 100 + index % 100))
        .collect();
    for (name, pods) in [("distinct keys", &distinct), ("10 deltas a key", &repeated)] {
        delta_fifo(name, pods);
        real_fifo(name, pods);
    }
}
