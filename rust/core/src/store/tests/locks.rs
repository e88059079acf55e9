//! What runs under a lock and what does not.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread;

use super::{batch, store, write, SOURCE};
use crate::keyed::Keyed;
use crate::store::{IndexName, Store, StoreError, LONG_WRITE};
use crate::sync::Mutex;
use crate::testing::Pod;
use crate::write_batch::{Key, WriteBatch};

/// Counts how often one was freed, and whether its store was locked for a write then.
struct Probe {
    key: String,
    store: Weak<Store<Probe>>,
    freed: Arc<AtomicUsize>,
}

impl Keyed for Probe {
    fn key(&self) -> &str {
        &self.key
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        if let Some(store) = self.store.upgrade() {
            assert!(store.try_read().is_some(), "freed under the lock");
            self.freed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[test]
fn objects_are_freed_when_no_lock_is_held() {
    let store = Arc::new(Store::new());
    let freed = Arc::new(AtomicUsize::new(0));
    let write = |count: usize, replace: bool| {
        let mut batch = WriteBatch::default();
        for number in 0..count {
            let probe = Probe {
                key: (number % 10).to_string(),
                store: Arc::downgrade(&store),
                freed: Arc::clone(&freed),
            };
            batch.put(Arc::new(probe), SOURCE, |_, _| {});
        }
        if replace {
            store.replace(&mut batch, 0, None).unwrap();
        } else {
            store.apply(&mut batch, 0, None).unwrap();
        }
    };
    write(5, false);
    write(5, false);
    assert_eq!(freed.load(Ordering::Relaxed), 5, "written in place");
    write(12, false);
    assert_eq!(freed.load(Ordering::Relaxed), 12, "written into a copy");
    write(12, true);
    assert_eq!(freed.load(Ordering::Relaxed), 24, "replaced");

    let mut batch = WriteBatch::default();
    batch.delete(Key::Text("3".into()));
    batch.delete(Key::Text("unknown".into()));
    store.apply(&mut batch, 0, None).unwrap();
    assert_eq!(freed.load(Ordering::Relaxed), 24, "the caller has it");
    let deleted = batch.replaced().map(|it| it.map(Keyed::key));
    assert!(deleted.eq([Some("3"), None]));
    batch.clear();
    assert_eq!(freed.load(Ordering::Relaxed), 25, "deleted");
}

/// Runs something once, in the middle of the write that asks for its size: when that is a write into a copy, no lock
/// is held then.
struct Hooked {
    key: &'static str,
    hook: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Keyed for Hooked {
    fn key(&self) -> &str {
        self.key
    }

    fn heap_size(&self) -> usize {
        let hook = self.hook.lock().take();
        if let Some(hook) = hook {
            hook();
        }
        1
    }
}

/// Writes `a` to `z`, and runs the hook in the middle.
fn write_long(store: &Store<Hooked>, hook: impl FnOnce() + Send + 'static) {
    let keys = ["a", "b", "c", "d", "e", "f", "g", "h", "z"];
    assert!(keys.len() > LONG_WRITE);
    write_hooked(store, &keys, hook);
}

/// The same with other keys, `c` among them.
fn write_hooked(
    store: &Store<Hooked>,
    keys: &[&'static str],
    hook: impl FnOnce() + Send + 'static,
) {
    let mut hook: Option<Box<dyn FnOnce() + Send>> = Some(Box::new(hook));
    let mut batch = WriteBatch::default();
    for key in keys {
        let hook = Mutex::new(hook.take_if(|_| *key == "c"));
        batch.put(Arc::new(Hooked { key, hook }), SOURCE, |_, _| {});
    }
    store
        .apply(&mut batch, store.generation(), Some("long"))
        .unwrap();
    assert!(hook.is_none());
    store.read().assert_consistent();
}

#[test]
fn the_copy_that_a_snapshot_costs_keeps_no_reader_out() {
    let store = Arc::new(Store::new());
    write_hooked(&store, &["a", "c"], || {});
    let snapshot = store.snapshot();
    let other = Arc::clone(&store);
    write_hooked(&store, &["b", "c"], move || {
        assert!(other.try_read().is_some_and(|view| view.len() == 2));
    });
    let copied = store.snapshot();
    let begun = store.begin_add(vec![IndexName::Given("index".into())], |_| {
        assert!(store.try_read().is_some(), "indices are registered");
    });
    let begun = begun.unwrap();
    let taken_back = store.snapshot();
    store.abort_add(&begun, |_| assert!(store.try_read().is_some()));
    assert_eq!((snapshot.len(), copied.len(), taken_back.len()), (2, 3, 3));
    // And none is made when nobody has one.
    drop((snapshot, copied, taken_back));
    let tables = Arc::as_ptr(&store.read().tables);
    let other = Arc::clone(&store);
    write_hooked(&store, &["c"], move || assert!(other.try_read().is_none()));
    assert_eq!(
        Arc::as_ptr(&store.read().tables),
        tables,
        "written in place"
    );
}

#[test]
fn a_write_beside_one_into_a_copy_is_not_lost_and_keeps_no_reader_out() {
    let store = Arc::new(Store::new());
    let (other, begun) = (Arc::clone(&store), Arc::new(AtomicUsize::new(0)));
    let short = Arc::new(Mutex::new(None));
    let handle = Arc::clone(&short);
    write_long(&store, move || {
        let (store, beginning) = (Arc::clone(&other), Arc::clone(&begun));
        *handle.lock() = Some(thread::spawn(move || {
            let hook = Mutex::new(None);
            let mut batch = WriteBatch::default();
            batch.put(Arc::new(Hooked { key: "x", hook }), SOURCE, |_, _| {});
            beginning.store(1, Ordering::Release);
            store.apply(&mut batch, 0, Some("short")).unwrap();
        }));
        while begun.load(Ordering::Acquire) == 0 {
            thread::yield_now();
        }
        // It waits by now, or will.
        for _ in 0..1000 {
            assert!(other.try_read().is_some_and(|view| view.is_empty()));
            thread::yield_now();
        }
    });
    short.lock().take().unwrap().join().unwrap();
    assert!(store.read().get("x").is_some());
    assert_eq!(store.read().len(), 10);
    assert_eq!(store.read().resource_version(), "short");
}

#[test]
fn an_index_filled_beside_a_write_into_a_copy_is_complete() {
    let store = Arc::new(Store::new());
    let hook = Mutex::new(None);
    let mut batch = WriteBatch::default();
    batch.put(Arc::new(Hooked { key: "x", hook }), SOURCE, |_, _| {});
    store.apply(&mut batch, 0, None).unwrap();
    let pending = store.begin_add_indices(&["index"]).unwrap();
    let mut values = WriteBatch::default();
    for object in pending.objects() {
        values.put(Arc::clone(object), SOURCE, |_, sink| sink(0, "value"));
    }
    let filling = Arc::new(Mutex::new(None));
    let (other, handle) = (Arc::clone(&store), Arc::clone(&filling));
    write_long(&store, move || {
        *handle.lock() = Some(thread::spawn(move || {
            other.finish_add_indices(pending, &values);
        }));
    });
    filling.lock().take().unwrap().join().unwrap();
    store.read().assert_consistent();
    assert_eq!(store.read().count_by_index("index", "value"), Ok(1));
}

#[test]
fn indices_added_before_a_write_into_a_copy_make_it_stale() {
    let store: Store<Pod> = store(&[]);
    let pods: Vec<_> = (0..=LONG_WRITE)
        .map(|number| Pod::new(&number.to_string(), "", "1"))
        .collect();
    let mut batch = batch(&pods);
    let generation = store.generation();
    let pending = store.begin_add_indices(&["index"]).unwrap();
    store.finish_add_indices(pending, &WriteBatch::default());
    let refused = store.apply(&mut batch, generation, None);
    assert_eq!(refused, Err(StoreError::Stale));
    let refused = store.replace(&mut batch, generation, None);
    assert_eq!(refused, Err(StoreError::Stale));
    assert!(store.read().is_empty());
}

#[test]
fn a_snapshot_holds_back_no_write_and_sees_none() {
    let store = store(&["node"]);
    write(&store, &[Pod::indexed("a", "", "1", &[(0, "n")])]);
    let snapshot = store.snapshot();
    let mut batch = batch(&[Pod::indexed("a", "", "2", &[(0, "m")])]);
    let generation = store.generation();
    store.apply(&mut batch, generation, Some("2")).unwrap();
    // In place again: nobody has a snapshot of these tables.
    write(&store, &[Pod::new("b", "", "3")]);
    store.set_resource_version("4");
    assert_eq!(snapshot.get("a").unwrap().version, "1");
    assert_eq!(snapshot.len(), 1);
    assert_eq!(snapshot.resource_version(), "");
    assert_eq!(snapshot.count_by_index("node", "n"), Ok(1));
    assert_eq!(snapshot.count_by_index("node", "m"), Ok(0));
    let before = Arc::downgrade(snapshot.get("a").unwrap());
    drop((store, batch));
    assert_eq!(snapshot.get("a").unwrap().version, "1");
    drop(snapshot);
    assert!(before.upgrade().is_none());
}

#[test]
fn the_version_alone_copies_no_tables_of_a_snapshot() {
    let store = store(&[]);
    write(&store, &[Pod::new("a", "", "1")]);
    let snapshot = store.snapshot();
    store.set_resource_version("2");
    let bookmark = &mut WriteBatch::default();
    store
        .apply(bookmark, store.generation(), Some("3"))
        .unwrap();
    assert_eq!(store.read().resource_version(), "3");
    assert!(Arc::ptr_eq(&store.read().tables, &snapshot.tables));
}

#[test]
fn a_large_table_grows_in_a_copy() {
    let store = store(&["node"]);
    let mut copies = 0;
    for number in 0..200 {
        let tables = Arc::as_ptr(&store.read().tables);
        let capacity = store.read().tables.slots.capacity();
        let key = format!("p{number}");
        write(&store, &[Pod::indexed(&key, "", "1", &[(0, &key)])]);
        let view = store.read();
        let is_new = Arc::as_ptr(&view.tables) != tables;
        copies += usize::from(is_new);
        let grew = view.tables.slots.capacity() != capacity;
        assert!(is_new || !grew || number < 9, "{number}: grew in place");
    }
    assert!((1..20).contains(&copies), "{copies} copies for 200 objects");
}
