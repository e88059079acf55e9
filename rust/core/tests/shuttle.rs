//! The locks of queue, store, informer, listener and workqueue under many schedules: at each lock, condition variable and
//! atomic the crate `shuttle` decides which thread goes on. It also says so when all threads wait.
//!
//! Its condition variables never time out, so a call with a timeout that nobody wakes is such a deadlock too.

#[path = "shuttle/informer.rs"]
mod informer;
#[path = "shuttle/labels.rs"]
mod labels;
#[path = "shuttle/queue.rs"]
mod queue;
#[path = "shuttle/store.rs"]
mod store;
#[path = "shuttle/workqueue.rs"]
mod workqueue;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kubeinformer_core::informer::{Informer, InformerOptions, BATCH_SIZE};
use kubeinformer_core::keyed::Keyed;
use kubeinformer_core::listener::{Backlog, Listener, Popped};
use kubeinformer_core::notification::Notification;
use kubeinformer_core::queue::{
    Delta, DeltaFifo, DeltaFifoOptions, DeltaType, Known, RealFifo, RealFifoMode, SourceId,
    WaitError,
};
use kubeinformer_core::versioned::Versioned;
use shuttle::thread;

const A: SourceId = SourceId::FIRST;
const LONG: Option<Duration> = Some(Duration::from_secs(3600));

#[derive(Clone, Debug)]
struct Pod {
    key: String,
    version: String,
}

fn pod(key: &str, version: usize) -> Arc<Pod> {
    Arc::new(Pod {
        key: key.to_owned(),
        version: version.to_string(),
    })
}

impl Keyed for Pod {
    fn key(&self) -> &str {
        &self.key
    }

    fn heap_size(&self) -> usize {
        64
    }
}

impl Versioned for Pod {
    fn uid(&self) -> &'static str {
        "uid"
    }

    fn resource_version(&self) -> &str {
        &self.version
    }

    fn same_version(&self, other: &Self) -> bool {
        self.version == other.version
    }
}

/// Half the schedules at random, half with few changes of thread at unlikely places.
fn check(schedules: usize, scenario: impl Fn() + Send + Sync + 'static) {
    let schedules = std::env::var("SHUTTLE_SCHEDULES")
        .ok()
        .map_or(schedules, |text| {
            text.parse().expect("a number of schedules")
        });
    let scenario = Arc::new(scenario);
    let same = Arc::clone(&scenario);
    shuttle::check_random(move || same(), schedules / 2);
    shuttle::check_pct(move || scenario(), schedules / 2, 3);
}

#[test]
fn every_delta_of_two_producers_is_popped_and_close_ends_the_consumer() {
    check(20_000, || {
        let fifo = Arc::new(RealFifo::new(RealFifoMode::NonAtomic));
        let producers: Vec<_> = ["a", "b"]
            .map(|key| {
                let fifo = Arc::clone(&fifo);
                thread::spawn(move || (0..3).for_each(|version| fifo.update(A, pod(key, version))))
            })
            .into();
        let consumer = {
            let fifo = Arc::clone(&fifo);
            thread::spawn(move || {
                let mut seen = BTreeMap::<String, Vec<String>>::new();
                while let Ok(delta) = fifo.pop(LONG) {
                    let pod = delta.object.object().unwrap();
                    let versions = seen.entry(pod.key.clone()).or_default();
                    versions.push(pod.version.clone());
                    fifo.processed();
                }
                seen
            })
        };
        for producer in producers {
            producer.join().unwrap();
        }
        fifo.close();
        let seen = consumer.join().unwrap();
        assert_eq!(seen.len(), 2);
        assert!(seen.values().all(|versions| versions == &["0", "1", "2"]));
    });
}

#[test]
fn s062_a_replace_waits_for_processing_and_no_known_object_is_missed() {
    check(20_000, || {
        let fifo = Arc::new(DeltaFifo::new(DeltaFifoOptions::default()));
        let known = Arc::new(shuttle::sync::Mutex::new(
            BTreeMap::<String, Arc<Pod>>::new(),
        ));
        let consumer = {
            let (fifo, known) = (Arc::clone(&fifo), Arc::clone(&known));
            thread::spawn(move || {
                while let Ok(item) = fifo.pop(LONG) {
                    for delta in &item.deltas {
                        let key = delta.key().unwrap().to_owned();
                        match delta.object.object() {
                            Some(pod) if delta.kind != DeltaType::Deleted => {
                                known.lock().unwrap().insert(key, Arc::clone(pod));
                            }
                            _ => {
                                known.lock().unwrap().remove(&key);
                            }
                        }
                    }
                    fifo.processed();
                }
            })
        };
        fifo.update(A, pod("stays", 1));
        fifo.update(A, pod("goes", 1));
        {
            let quiet = fifo.quiet(LONG).unwrap();
            let now: Known<Pod> = known
                .lock()
                .unwrap()
                .iter()
                .map(|(key, pod)| (key.as_str().into(), Some(Arc::clone(pod))))
                .collect();
            quiet.replace(A, vec![pod("stays", 2)], now);
        }
        fifo.close();
        consumer.join().unwrap();
        let known = known.lock().unwrap();
        let left: Vec<_> = known
            .values()
            .map(|pod| (&*pod.key, &*pod.version))
            .collect();
        assert_eq!(left, [("stays", "2")]);
    });
}

#[test]
fn s041_who_waits_for_the_first_list_is_woken_when_it_is_processed() {
    check(10_000, || {
        let fifo = Arc::new(RealFifo::<Pod>::new(RealFifoMode::Atomic {
            emit_bookmarks: true,
        }));
        let waiter = {
            let fifo = Arc::clone(&fifo);
            thread::spawn(move || assert_eq!(fifo.wait_synced(LONG), Ok(())))
        };
        let consumer = {
            let fifo = Arc::clone(&fifo);
            thread::spawn(move || {
                fifo.pop_batch(BATCH_SIZE, LONG).unwrap();
                assert!(!fifo.has_synced());
                fifo.processed();
            })
        };
        fifo.replace(A, "1".to_owned(), Vec::new());
        consumer.join().unwrap();
        waiter.join().unwrap();
    });
}

#[test]
fn close_wakes_whoever_waits_on_a_queue() {
    check(10_000, || {
        let fifo = Arc::new(RealFifo::<Pod>::new(RealFifoMode::NonAtomic));
        fifo.update(A, pod("a", 1));
        let popped = fifo.pop(LONG);
        assert!(popped.is_ok());
        let waiters = [
            thread::spawn({
                let fifo = Arc::clone(&fifo);
                move || assert_eq!(fifo.pop(LONG).map(drop), Err(WaitError::Closed))
            }),
            thread::spawn({
                let fifo = Arc::clone(&fifo);
                move || assert_eq!(fifo.quiet(LONG).map(drop), Err(WaitError::Closed))
            }),
            thread::spawn({
                let fifo = Arc::clone(&fifo);
                move || assert_eq!(fifo.wait_synced(LONG), Ok(()))
            }),
        ];
        fifo.close();
        let [pop, quiet, synced] = waiters;
        quiet.join().unwrap();
        fifo.processed();
        pop.join().unwrap();
        synced.join().unwrap();
    });
}

/// What a handler knows that believes what it is told; it panics when told something twice or too late.
fn follow(listener: &Listener<Pod>) -> BTreeMap<String, String> {
    let mut known = BTreeMap::new();
    while let Popped::Notifications(batch) = listener.pop_batch(2, LONG) {
        for notification in batch {
            let key = notification.key().to_owned();
            match notification {
                Notification::Add { object, .. } => {
                    let before = known.insert(key, object.version.clone());
                    assert_eq!(before, None, "told twice");
                }
                Notification::Update { old, new, .. } => {
                    let before = known.insert(key, new.version.clone());
                    assert_eq!(before.as_ref(), Some(&old.version), "a version is missing");
                }
                Notification::Delete { .. } | Notification::Tombstone { .. } => {
                    assert!(known.remove(&key).is_some(), "never added");
                }
            }
        }
        if known.get("last").is_some_and(|version| version == "9") {
            break;
        }
    }
    known
}

fn process(informer: &Informer<Pod>) {
    while let Ok(deltas) = informer.queue().pop_batch(2, LONG) {
        let change = informer.plan(deltas);
        let done = informer.commit(change, informer.generation(), |_, _, _| {});
        assert!(done.is_ok());
    }
}

#[test]
fn s142_a_listener_that_joins_between_batches_has_no_gap_and_no_duplicate() {
    check(30_000, || {
        let informer = Arc::new(Informer::new(InformerOptions::default()));
        informer.start();
        let processor = thread::spawn({
            let informer = Arc::clone(&informer);
            move || process(&informer)
        });
        let joiner = thread::spawn({
            let informer = Arc::clone(&informer);
            move || {
                let listener = informer.add_listener(Backlog::GROW, None).unwrap();
                follow(&listener)
            }
        });
        let queue = informer.queue();
        queue.replace(A, "1".to_owned(), vec![pod("a", 1), pod("b", 1)]);
        queue.update(A, pod("a", 2));
        queue.delete(A, pod("b", 3));
        queue.update(A, pod("last", 9));
        let known = joiner.join().unwrap();
        let expected =
            [("a", "2"), ("last", "9")].map(|(key, version)| (key.into(), version.into()));
        assert_eq!(known, BTreeMap::from(expected));
        queue.close();
        processor.join().unwrap();
    });
}

#[test]
fn s146_s153_a_listener_that_is_removed_or_stopped_ends_whatever_is_handed_out() {
    check(30_000, || {
        let informer = Arc::new(Informer::new(InformerOptions::default()));
        informer.start();
        let processor = thread::spawn({
            let informer = Arc::clone(&informer);
            move || process(&informer)
        });
        let removed = informer.add_listener(Backlog::GROW, None).unwrap();
        let stopped = informer.add_listener(Backlog::GROW, None).unwrap();
        let followers = [&removed, &stopped].map(|listener| {
            let listener = Arc::clone(listener);
            thread::spawn(move || drop(follow(&listener)))
        });
        informer.queue().update(A, pod("a", 1));
        let leaver = thread::spawn({
            let (informer, removed) = (Arc::clone(&informer), Arc::clone(&removed));
            move || assert!(informer.remove_listener(&removed))
        });
        informer.queue().update(A, pod("a", 2));
        leaver.join().unwrap();
        informer.stop();
        for follower in followers {
            follower.join().unwrap();
        }
        processor.join().unwrap();
        assert!(informer.add_listener(Backlog::GROW, None).is_none());
    });
}

#[test]
fn s149_who_waits_for_a_handlers_first_list_is_woken_when_it_is_acknowledged_merged_away_or_closed()
{
    let initial = |key| Notification::Add {
        object: pod(key, 0),
        initial: true,
    };
    let full = Backlog {
        notifications: 0,
        bytes: usize::MAX,
    };
    let waiter = |listener: &Arc<Listener<Pod>>| {
        let listener = Arc::clone(listener);
        thread::spawn(move || listener.wait_initial_list(None))
    };
    check(20_000, move || {
        let [acknowledged, merged, closed] =
            [Backlog::GROW, full, full].map(|backlog| Arc::new(Listener::new(backlog)));
        for listener in [&acknowledged, &merged, &closed] {
            listener.push_all([initial("a")]);
        }
        let waiters = [&acknowledged, &merged, &closed].map(waiter);
        let handler = {
            let listener = Arc::clone(&acknowledged);
            thread::spawn(move || drop(follow(&listener)))
        };
        merged.push_all([Notification::Delete {
            object: pod("a", 1),
            last: None,
        }]);
        closed.close();
        let ends = waiters.map(|waiter| waiter.join().unwrap());
        assert_eq!(ends, [Some(true), Some(true), Some(false)]);
        acknowledged.close();
        handler.join().unwrap();
    });
}

#[test]
fn s009_an_index_that_is_added_while_objects_change_lacks_none() {
    check(30_000, || {
        let informer = Arc::new(Informer::new(InformerOptions::default()));
        let queue = informer.queue();
        queue.replace(A, "1".to_owned(), vec![pod("a", 1), pod("b", 1)]);
        let processor = thread::spawn({
            let informer = Arc::clone(&informer);
            move || {
                while let Ok(deltas) = informer.queue().pop_batch(1, LONG) {
                    let mut change = informer.plan(deltas);
                    loop {
                        let generation = informer.generation();
                        let indexed = generation > 0;
                        let done = informer.commit(change, generation, |_, pod, sink| {
                            if indexed {
                                sink(0, &pod.version);
                            }
                        });
                        match done {
                            Ok(_) => break,
                            Err(refused) => change = refused,
                        }
                    }
                }
            }
        });
        let adder = thread::spawn({
            let informer = Arc::clone(&informer);
            move || {
                let store = informer.store();
                let pending = store.begin_add_indices(&["version"]).unwrap();
                let mut values = kubeinformer_core::write_batch::WriteBatch::default();
                for pod in pending.objects() {
                    values.put(Arc::clone(pod), A, |pod, sink| sink(0, &pod.version));
                }
                store.finish_add_indices(pending, &values);
                let view = store.read();
                let mut indexed: Vec<_> = view
                    .index_values("version")
                    .unwrap()
                    .flat_map(|version| view.by_index("version", version).unwrap())
                    .map(|pod| pod.key.clone())
                    .collect();
                indexed.sort_unstable();
                let mut all: Vec<_> = view.objects().map(|pod| pod.key.clone()).collect();
                all.sort_unstable();
                assert_eq!(indexed, all);
            }
        });
        queue.update(A, pod("a", 2));
        queue.update(A, pod("c", 1));
        queue.delete(A, pod("b", 2));
        adder.join().unwrap();
        queue.close();
        processor.join().unwrap();
    });
}

#[test]
fn a_full_queue_lets_the_reader_go_on_after_a_pop() {
    check(10_000, || {
        let fifo = Arc::new(RealFifo::new(RealFifoMode::NonAtomic));
        fifo.add_many(vec![
            Delta::updated(A, pod("a", 1)),
            Delta::updated(A, pod("a", 2)),
        ]);
        let reader = thread::spawn({
            let fifo = Arc::clone(&fifo);
            move || assert_eq!(fifo.wait_below(1, LONG), Ok(()))
        });
        for _ in 0..2 {
            assert!(fifo.pop(LONG).is_ok());
            fifo.processed();
        }
        reader.join().unwrap();
    });
}
