//! Readers beside writers: every view is of one cut.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread;

use super::{Store, StoreError, View};
use crate::queue::SourceId;
use crate::testing::Pod;
use crate::write_batch::{Key, WriteBatch};

const WRITERS: usize = 2;
const KEYS: usize = 24;
const ROUNDS: usize = 400;
const INDICES: u16 = 2;

/// In round `round` each pod of a writer has that version, but for those that are deleted.
fn pod(writer: usize, number: usize, round: usize) -> Arc<Pod> {
    let values = [
        (0, &*format!("round{}", round % 5)),
        (0, &*format!("number{}", (number + round) % 7)),
        (1, &*format!("writer{writer}")),
        (2, &*format!("late{}", number % 3)),
    ];
    Pod::indexed(
        &format!("{writer}/{number}"),
        "uid",
        &round.to_string(),
        &values,
    )
}

fn write(store: &Store<Pod>, writer: usize, round: usize, index_bound: &AtomicUsize) {
    loop {
        let generation = store.generation();
        let bound = index_bound.load(Ordering::Acquire) as u16;
        if generation != u32::from(bound) - 1 {
            thread::yield_now();
            continue;
        }
        let mut batch = WriteBatch::default();
        for number in 0..KEYS {
            if (number + round) % 9 == 0 {
                batch.delete(Key::Text(format!("{writer}/{number}").into()));
            } else {
                let put = pod(writer, number, round);
                batch.put(put, SourceId::FIRST, |pod, sink| pod.index(bound, sink));
            }
        }
        match store.apply(&mut batch, generation, Some(&round.to_string())) {
            Ok(()) => return,
            Err(error) => assert_eq!(error, StoreError::Stale),
        }
    }
}

fn by_key(view: &View<'_, Pod>, turn: usize) {
    let key = format!("{}/{}", turn % WRITERS, turn % KEYS);
    let Some(pod) = view.get(&key) else {
        assert_eq!(view.values_of("many", &key).unwrap(), [""; 0]);
        return;
    };
    let values = view.values_of("many", &key).unwrap();
    let own = pod.values.iter().filter(|(index, _)| *index == 0);
    assert!(own.map(|(_, value)| &**value).eq(values));
}

fn by_index(view: &View<'_, Pod>, turn: usize) {
    let value = format!("number{}", turn % 7);
    for pod in view.by_index("many", &value).unwrap() {
        assert!(pod.values.contains(&(0, value.clone())));
        assert!(Arc::ptr_eq(view.get(&pod.key).unwrap(), pod));
    }
    if let Ok(late) = view.by_index("late", "late1") {
        let others = ["late0", "late2"].map(|value| view.count_by_index("late", value).unwrap());
        assert_eq!(late.count() + others.iter().sum::<usize>(), view.len());
    }
}

fn all(view: &View<'_, Pod>) {
    for writer in 0..WRITERS {
        let value = format!("writer{writer}");
        let mut round = None;
        let own = view.by_index("writer", &value).unwrap();
        let count = own
            .inspect(|pod| assert_eq!(round.get_or_insert(&pod.version), &&pod.version))
            .count();
        let prefix = format!("{writer}/");
        assert_eq!(
            view.objects()
                .filter(|pod| pod.key.starts_with(&prefix))
                .count(),
            count
        );
        // A batch is one cut: a round deletes as many as its number says.
        if let Some(round) = round {
            let round: usize = round.parse().unwrap();
            let deleted = (0..KEYS).filter(|number| (number + round) % 9 == 0).count();
            assert_eq!(count, KEYS - deleted);
        }
    }
}

/// Ends something that others wait for, also when the thread panics.
struct Ends<'a>(&'a AtomicUsize);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

#[test]
fn s9_s10_no_reader_sees_an_index_that_disagrees_with_the_store() {
    let store = Store::new();
    let pending = store.begin_add_indices(&["many", "writer"]).unwrap();
    store.finish_add_indices(pending, &WriteBatch::default());
    // The generation is one less than the number of indices from here on.
    let index_bound = AtomicUsize::new(usize::from(INDICES));
    let writing = AtomicUsize::new(WRITERS);
    let adding = AtomicUsize::new(1);
    let views = AtomicUsize::new(0);
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (store, index_bound, writing) = (&store, &index_bound, &writing);
            scope.spawn(move || {
                let _ends = Ends(writing);
                for round in 0..ROUNDS {
                    write(store, writer, round, index_bound);
                }
            });
        }
        for reader in 0..8 {
            let (store, writing, views, adding) = (&store, &writing, &views, &adding);
            scope.spawn(move || {
                let mut turn = reader;
                while writing.load(Ordering::Acquire) + adding.load(Ordering::Acquire) > 0 {
                    turn += 1;
                    let view = store.read();
                    match reader % 3 {
                        0 => by_key(&view, turn),
                        1 => by_index(&view, turn),
                        _ => all(&view),
                    }
                    drop(view);
                    views.fetch_add(1, Ordering::Relaxed);
                    thread::yield_now();
                }
            });
        }
        scope.spawn(|| {
            let _ends = Ends(&adding);
            while writing.load(Ordering::Acquire) > 0 && store.read().resource_version() < "2" {
                thread::yield_now();
            }
            let pending = store.begin_add_indices(&["late"]).unwrap();
            index_bound.store(usize::from(INDICES) + 1, Ordering::Release);
            let mut values = WriteBatch::default();
            for pod in pending.objects() {
                values.put(Arc::clone(pod), SourceId::FIRST, |pod, sink| {
                    for (_, value) in pod.values.iter().filter(|(index, _)| *index == INDICES) {
                        sink(0, value);
                    }
                });
            }
            store.finish_add_indices(pending, &values);
        });
    });
    let view = store.read();
    view.assert_consistent();
    assert!(views.load(Ordering::Relaxed) > 0);
    assert_eq!(view.resource_version(), (ROUNDS - 1).to_string());
    by_index(&view, 0);
}
