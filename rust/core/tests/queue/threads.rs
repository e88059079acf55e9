//! Producers, a consumer, comparisons and close at once: nothing is lost, missed or starved.

use std::collections::HashMap;
use std::sync::Mutex;
use std::thread;

use kubeinformer_core::queue::{
    Delta, DeltaFifo, DeltaFifoOptions, DeltaType, Known, RealFifo, RealFifoMode, WaitError,
};

use super::{obj, Obj, FIRST, LONG};

const PRODUCERS: usize = 4;
const DELTAS: usize = 20_000;

/// Every producer adds versions 0.. of its keys, partly in batches; returns when all are in, the queue then closed.
fn produce(
    add: impl Fn(Delta<Obj>) + Sync,
    add_many: impl Fn(Vec<Delta<Obj>>) + Sync,
    close: impl FnOnce(),
) {
    thread::scope(|scope| {
        for producer in 0..PRODUCERS {
            let (add, add_many) = (&add, &add_many);
            scope.spawn(move || {
                let delta = |version| {
                    Delta::updated(FIRST, obj(&format!("{producer}/{}", version % 7), version))
                };
                let mut version = 0;
                while version < DELTAS {
                    let batch = (version % 5).min(DELTAS - version);
                    if batch < 2 {
                        add(delta(version));
                        version += 1;
                    } else {
                        add_many((version..version + batch).map(delta).collect());
                        version += batch;
                    }
                }
            });
        }
    });
    close();
}

/// Checks that the versions of each producer (or of each key) come in order and all.
#[derive(Default)]
struct Seen(HashMap<String, Vec<usize>>);

impl Seen {
    fn note(&mut self, by: &str, object: &Obj) {
        self.0
            .entry(by.to_owned())
            .or_default()
            .push(object.version);
    }

    fn check(&self, expected: usize) {
        assert_eq!(self.0.values().map(Vec::len).sum::<usize>(), expected);
        assert!(
            self.0.values().all(|versions| versions.is_sorted()),
            "out of order"
        );
    }
}

#[test]
fn ordered_deltas_of_four_producers_all_arrive_in_order() {
    let fifo = RealFifo::new(RealFifoMode::Atomic {
        emit_bookmarks: true,
    });
    let mut seen = Seen::default();
    thread::scope(|scope| {
        scope.spawn(|| {
            let push = |delta: Delta<Obj>| {
                fifo.update(FIRST, delta.object.object().expect("an object").clone());
            };
            produce(push, |deltas| fifo.add_many(deltas), || fifo.close());
        });
        let mut max = 1;
        let end = loop {
            match fifo.pop_batch(max, LONG) {
                Ok(deltas) => {
                    for delta in &deltas {
                        let object = delta.object.object().expect("an object");
                        seen.note(&object.key[..1], object);
                    }
                    fifo.processed();
                    max = max % 50 + 1;
                }
                Err(error) => break error,
            }
        };
        assert_eq!(end, WaitError::Closed);
    });
    seen.check(PRODUCERS * DELTAS);
}

#[test]
fn merged_deltas_of_four_producers_all_arrive_in_order_of_their_key() {
    let fifo = DeltaFifo::new(DeltaFifoOptions::default());
    let mut seen = Seen::default();
    thread::scope(|scope| {
        scope.spawn(|| {
            let push = |delta: Delta<Obj>| {
                fifo.update(FIRST, delta.object.object().expect("an object").clone());
            };
            produce(push, |deltas| fifo.add_many(deltas), || fifo.close());
        });
        let mut max = 1;
        let end = loop {
            match fifo.pop_batch(max, LONG) {
                Ok(items) => {
                    for item in &items {
                        for delta in &item.deltas {
                            seen.note(item.key(), delta.object.object().expect("an object"));
                        }
                    }
                    fifo.processed();
                    max = max % 9 + 1;
                }
                Err(error) => break error,
            }
        };
        assert_eq!(end, WaitError::Closed);
    });
    seen.check(PRODUCERS * DELTAS);
}

/// What a consumer knows; the tests apply what is popped to it, as an informer does with its store.
#[derive(Default)]
struct Store(Mutex<HashMap<String, usize>>);

impl Store {
    fn apply(&self, delta: &Delta<Obj>) {
        let key = delta.key().expect("a delta of one object").to_owned();
        let mut store = self.0.lock().unwrap();
        match (&delta.kind, delta.object.object()) {
            (DeltaType::Deleted, _) => drop(store.remove(&key)),
            (_, Some(object)) => drop(store.insert(key, object.version)),
            _ => unreachable!("only a deletion has no object"),
        }
    }

    fn known(&self) -> Known<Obj> {
        let store = self.0.lock().unwrap();
        store
            .iter()
            .map(|(key, version)| (key.as_str().into(), Some(obj(key, *version))))
            .collect()
    }
}

const ROUNDS: usize = 3_000;

/// Each object is added and then missing from a list, while the consumer is somewhere between the two: it must be
/// found in the queue or in the store, or it stays there for ever.
#[test]
fn a_list_misses_no_object_between_queue_and_store() {
    let merging = DeltaFifo::new(DeltaFifoOptions::default());
    let ordered = RealFifo::new(RealFifoMode::NonAtomic);
    let (merging_store, ordered_store) = (Store::default(), Store::default());
    thread::scope(|scope| {
        scope.spawn(|| {
            while let Ok(item) = merging.pop(LONG) {
                for delta in &item.deltas {
                    merging_store.apply(delta);
                }
                merging.processed();
            }
        });
        scope.spawn(|| {
            while let Ok(deltas) = ordered.pop_batch(9, LONG) {
                for delta in &deltas {
                    ordered_store.apply(delta);
                }
                ordered.processed();
            }
        });
        for round in 0..ROUNDS {
            let object = obj(&format!("key-{round}"), round);
            merging.add(FIRST, object.clone());
            ordered.add(FIRST, object);
            let quiet = merging.quiet(LONG).unwrap();
            quiet.replace(FIRST, Vec::new(), merging_store.known());
            drop(quiet);
            let quiet = ordered.quiet(LONG).unwrap();
            quiet.replace(FIRST, Vec::new(), ordered_store.known());
        }
        merging.close();
        ordered.close();
    });
    assert!(merging_store.known().is_empty());
    assert!(ordered_store.known().is_empty());
}

/// The same for a deletion that must not be dropped (§35).
#[test]
fn a_deletion_misses_no_object_between_queue_and_store() {
    let fifo = DeltaFifo::new(DeltaFifoOptions::default());
    let store = Store::default();
    thread::scope(|scope| {
        scope.spawn(|| {
            while let Ok(item) = fifo.pop(LONG) {
                for delta in &item.deltas {
                    store.apply(delta);
                }
                fifo.processed();
            }
        });
        for round in 0..ROUNDS {
            let object = obj(&format!("key-{round}"), round);
            fifo.add(FIRST, object.clone());
            if !fifo.delete(FIRST, object.clone()) {
                let quiet = fifo.quiet(LONG).unwrap();
                let known = store.0.lock().unwrap().contains_key(&object.key);
                assert!(
                    quiet.delete(FIRST, object, known),
                    "popped, so known once nothing is processed"
                );
            }
        }
        fifo.close();
    });
    assert!(store.known().is_empty());
}

/// A consumer that always finds something must not keep a comparison waiting.
#[test]
fn quiet_is_not_starved_by_a_busy_consumer() {
    let fifo = RealFifo::<Obj>::new(RealFifoMode::NonAtomic);
    fifo.add(FIRST, obj("a", 1));
    thread::scope(|scope| {
        scope.spawn(|| {
            // Puts back what it takes: the queue is empty only while it is processing.
            while let Ok(delta) = fifo.pop(LONG) {
                if !fifo.is_closed() {
                    fifo.add_many(vec![delta]);
                }
                fifo.processed();
            }
        });
        let waited: Vec<bool> = (0..200).map(|_| fifo.quiet(LONG).is_ok()).collect();
        fifo.close();
        assert!(waited.iter().all(|&quiet| quiet));
    });
}

/// A producer that waits before it adds keeps what is queued within the limit and one delta.
#[test]
fn bytes_stay_below_the_limit() {
    const LIMIT: usize = 1_000;
    const SIZE: usize = 90;
    let fifo = RealFifo::new(RealFifoMode::Atomic {
        emit_bookmarks: false,
    });
    thread::scope(|scope| {
        scope.spawn(|| {
            for index in 0..DELTAS {
                assert_eq!(fifo.wait_below(LIMIT, LONG), Ok(()));
                fifo.add(FIRST, obj(&index.to_string(), SIZE));
                assert!(fifo.queued_bytes() <= LIMIT + SIZE);
            }
            fifo.close();
        });
        let mut popped = 0;
        while let Ok(deltas) = fifo.pop_batch(5, LONG) {
            popped += deltas.len();
            fifo.processed();
        }
        assert_eq!(popped, DELTAS);
    });
    assert_eq!(fifo.queued_bytes(), 0);
}
