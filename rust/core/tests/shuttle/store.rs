//! The store: a long write, which goes into a copy, beside indices that are added, another write and readers. With the
//! feature `shuttle` three operations are a long write, and one slot is a piece.

use std::sync::Arc;

use kubeinformer_core::store::{Cut, Store, StoreError};
use kubeinformer_core::write_batch::WriteBatch;
use shuttle::thread;

use super::{check, pod, Pod, A};

const KEYS: [&str; 3] = ["a", "b", "c"];

/// Writes all three pods with one version; works out the index values again when the indices have changed.
fn write(store: &Store<Pod>, version: usize) {
    loop {
        let generation = store.generation();
        let mut batch = WriteBatch::default();
        for key in KEYS {
            batch.put(pod(key, version), A, |pod, sink| {
                if generation > 0 {
                    sink(0, &pod.version);
                }
            });
        }
        match store.apply(&mut batch, generation, Some(&version.to_string())) {
            Ok(()) => return,
            Err(StoreError::Stale) => {}
            Err(other) => panic!("{other}"),
        }
    }
}

/// All pods have one version, and if the index can be read it lists all of them under that and nothing else.
fn check_cut(view: &Cut<Pod>) {
    let mut versions: Vec<_> = view.objects().map(|pod| &*pod.version).collect();
    assert_eq!(versions.len(), KEYS.len());
    versions.dedup();
    assert_eq!(versions.len(), 1, "two cuts at once: {versions:?}");
    let Ok(values) = view.index_values("version") else {
        return;
    };
    let values: Vec<_> = values.collect();
    assert_eq!(values, versions, "the index is of another cut");
    assert_eq!(
        view.by_index("version", values[0]).unwrap().count(),
        KEYS.len()
    );
}

fn add_index(store: &Store<Pod>) {
    let pending = store.begin_add_indices(&["version"]).unwrap();
    let mut values = WriteBatch::default();
    for pod in pending.objects() {
        values.put(Arc::clone(pod), A, |pod, sink| sink(0, &pod.version));
    }
    store.finish_add_indices(pending, &values);
}

/// It is one cut, and the same one later.
fn hold_a_snapshot(store: &Store<Pod>) {
    let snapshot = store.snapshot();
    check_cut(&snapshot);
    let version = snapshot.resource_version().to_owned();
    let pods: Vec<_> = snapshot.objects().cloned().collect();
    drop(store.read());
    check_cut(&snapshot);
    assert_eq!(snapshot.resource_version(), version);
    assert!(pods.iter().all(|pod| *pod.version == version));
    let now = snapshot.objects();
    assert!(now.zip(&pods).all(|(now, then)| Arc::ptr_eq(now, then)));
}

#[test]
fn s009_a_long_write_beside_a_new_index_and_a_reader_is_one_cut() {
    check(20_000, || {
        let store = Arc::new(Store::new());
        write(&store, 1);
        let spawn = |work: fn(&Store<Pod>)| {
            let store = Arc::clone(&store);
            thread::spawn(move || work(&store))
        };
        let threads = [
            spawn(|store| write(store, 2)),
            spawn(add_index),
            spawn(|store| (0..2).for_each(|_| check_cut(&store.read()))),
            spawn(hold_a_snapshot),
        ];
        for thread in threads {
            thread.join().unwrap();
        }
        let view = store.read();
        check_cut(&view);
        assert_eq!(
            view.index_values("version").unwrap().collect::<Vec<_>>(),
            ["2"]
        );
    });
}

#[test]
fn two_long_writes_and_a_short_one_lose_nothing() {
    check(10_000, || {
        let store = Arc::new(Store::new());
        write(&store, 1);
        let threads = [2, 3].map(|version| {
            let store = Arc::clone(&store);
            thread::spawn(move || write(&store, version))
        });
        let short = thread::spawn({
            let store = Arc::clone(&store);
            move || {
                let mut batch = WriteBatch::default();
                batch.put(pod("other", 9), A, |_, _| {});
                store.apply(&mut batch, 0, None).unwrap();
            }
        });
        for thread in threads.into_iter().chain([short]) {
            thread.join().unwrap();
        }
        let view = store.read();
        let other = view.objects().filter(|pod| pod.key == "other").count();
        assert_eq!(other, 1, "a long write lost a short one");
        let mut versions: Vec<_> = view
            .objects()
            .filter(|pod| pod.key != "other")
            .map(|pod| &*pod.version)
            .collect();
        assert_eq!(versions.len(), KEYS.len());
        versions.dedup();
        assert_eq!(versions.len(), 1, "two writes are mixed");
        assert_eq!(
            view.resource_version(),
            versions[0],
            "the version is another write's"
        );
    });
}
