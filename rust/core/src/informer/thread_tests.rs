//! Listeners that join and leave while batches are handed out.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::{Informer, InformerOptions, QueueMode, BATCH_SIZE};
use crate::listener::{Backlog, Listener, Popped};
use crate::queue::SourceId;
use crate::testing::{Believer, Pod};

const A: SourceId = SourceId::FIRST;
const ROUNDS: usize = 600;

fn pod(key: &str, version: &str) -> Arc<Pod> {
    Pod::new(key, "uid", version)
}

/// Watch events and lists that fit each other.
fn produce(informer: &Informer<Pod>) {
    let mut known = BTreeSet::new();
    for round in 0..ROUNDS {
        let version = round.to_string();
        for number in 0..10 {
            let key = format!("key{}", (number * round) % 23);
            let pod = pod(&key, &version);
            if (round + number) % 4 != 0 {
                informer.queue().update(A, pod);
                known.insert(key);
            } else if known.remove(&key) {
                informer.queue().delete(A, pod);
            }
        }
        if round % 50 == 7 {
            known = (0..15).map(|number| format!("key{number}")).collect();
            let pods = known.iter().map(|key| pod(key, &version));
            informer.queue().replace(A, version.clone(), pods.collect());
        }
    }
}

fn process(informer: &Informer<Pod>) {
    // Something is queued; it may wait for the end of a quiet phase.
    let long = Duration::from_secs(60);
    let deltas = informer.queue().pop_batch(BATCH_SIZE, Some(long)).unwrap();
    let change = informer.plan(deltas);
    let done = informer.commit(change, informer.generation(), |_, _, _| {});
    assert!(done.is_ok());
}

/// Listens until `end` is set and nothing waits.
fn follow(listener: &Listener<Pod>, end: &AtomicBool) -> Believer {
    let mut believer = Believer::default();
    loop {
        let last = end.load(Ordering::Acquire);
        match listener.pop_batch(64, Some(Duration::ZERO)) {
            Popped::Notifications(batch) => batch.iter().for_each(|it| believer.hear(it)),
            _ if last => return believer,
            _ => thread::yield_now(),
        }
    }
}

/// Sets `end`, also when the thread panics: nobody waits for ever.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

#[test]
fn s142_s155_listeners_join_under_load_without_gap_or_duplicate() {
    for queue in [QueueMode::Atomic, QueueMode::InOrder, QueueMode::Delta] {
        join_under_load(queue);
    }
}

fn join_under_load(queue: QueueMode) {
    let informer = Informer::new(InformerOptions {
        queue,
        ..InformerOptions::default()
    });
    informer.start();
    let end = AtomicBool::new(false);
    thread::scope(|scope| {
        let (informer, end) = (&informer, &end);
        let ends = Ends(end);
        let producer = scope.spawn(|| produce(informer));
        let processor = scope.spawn(move || {
            while !(producer.is_finished() && informer.queue().is_empty()) {
                if !informer.queue().is_empty() {
                    process(informer);
                }
            }
        });
        let mut followers = Vec::new();
        for number in 0..24 {
            let backlog = Backlog {
                notifications: if number % 2 == 0 { usize::MAX } else { number },
                bytes: usize::MAX,
            };
            let batches = informer.stats().batches;
            let listener = informer.add_listener(backlog, None).unwrap();
            if number % 5 == 4 {
                assert!(informer.remove_listener(&listener));
            } else {
                followers.push(scope.spawn(move || follow(&listener, end)));
            }
            while informer.stats().batches < batches + 5 && !processor.is_finished() {
                thread::yield_now();
            }
        }
        processor.join().unwrap();
        drop(ends);
        for follower in followers {
            let believer = follower.join().unwrap();
            believer.assert_knows(informer.store().read().objects());
        }
    });
}
