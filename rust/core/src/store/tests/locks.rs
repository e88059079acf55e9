//! What runs under a lock and what does not.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use super::SOURCE;
use crate::keyed::Keyed;
use crate::store::{Store, StoreError, LONG_WRITE};
use crate::sync::Mutex;
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
    let mut hook: Option<Box<dyn FnOnce() + Send>> = Some(Box::new(hook));
    let mut batch = WriteBatch::default();
    for key in ["a", "b", "c", "d", "e", "f", "g", "h", "z"] {
        let hook = Mutex::new(hook.take_if(|_| key == "c"));
        batch.put(Arc::new(Hooked { key, hook }), SOURCE, |_, _| {});
    }
    assert!(batch.len() > LONG_WRITE);
    store
        .apply(&mut batch, store.generation(), Some("long"))
        .unwrap();
    assert!(hook.is_none());
    store.read().assert_consistent();
}

#[test]
fn a_write_beside_one_into_a_copy_is_not_lost() {
    let store = Arc::new(Store::new());
    let other = Arc::clone(&store);
    write_long(&store, move || {
        let hook = Mutex::new(None);
        let mut batch = WriteBatch::default();
        batch.put(Arc::new(Hooked { key: "x", hook }), SOURCE, |_, _| {});
        other.apply(&mut batch, 0, Some("short")).unwrap();
    });
    assert!(store.read().get("x").is_some());
    assert_eq!(store.read().len(), 10);
    assert_eq!(store.read().resource_version(), "long");
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
    let other = Arc::clone(&store);
    write_long(&store, move || other.finish_add_indices(pending, &values));
    assert_eq!(store.read().count_by_index("index", "value"), Ok(1));
}

#[test]
fn indices_added_beside_a_write_into_a_copy_make_it_stale() {
    let store = Arc::new(Store::new());
    let mut batch = WriteBatch::default();
    let other = Arc::clone(&store);
    let mut hook: Option<Box<dyn FnOnce() + Send>> = Some(Box::new(move || {
        let pending = other.begin_add_indices(&["index"]).unwrap();
        other.finish_add_indices(pending, &WriteBatch::default());
    }));
    for key in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        let hook = Mutex::new(hook.take());
        batch.put(Arc::new(Hooked { key, hook }), SOURCE, |_, _| {});
    }
    assert_eq!(store.replace(&mut batch, 0, None), Err(StoreError::Stale));
    assert!(store.read().is_empty());
    assert_eq!(
        store.apply(&mut batch, 0, None).err(),
        Some(StoreError::Stale)
    );
}
