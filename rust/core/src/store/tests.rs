//! One behaviour of the store each; named by the § of the client-go semantics where there is one.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use super::{PendingIndices, Store, StoreError, LONG_WRITE};
use crate::keyed::Keyed;
use crate::queue::SourceId;
use crate::testing::Pod;
use crate::write_batch::{Key, WriteBatch};

const SOURCE: SourceId = SourceId::FIRST;

fn store(indices: &[&str]) -> Store<Pod> {
    let store = Store::new();
    let pending = store.begin_add_indices(indices).unwrap();
    store.finish_add_indices(pending, &WriteBatch::default());
    store
}

fn batch(pods: &[Arc<Pod>]) -> WriteBatch<Pod> {
    let mut batch = WriteBatch::with_capacity(pods.len());
    for pod in pods {
        put(&mut batch, pod);
    }
    batch
}

fn put(batch: &mut WriteBatch<Pod>, pod: &Arc<Pod>) {
    batch.put(Arc::clone(pod), SOURCE, |pod, sink| {
        pod.index(u16::MAX, sink);
    });
}

fn text_key(key: &str) -> Key<Pod> {
    Key::Text(key.into())
}

fn write(store: &Store<Pod>, pods: &[Arc<Pod>]) {
    store.apply(&batch(pods), store.generation(), None).unwrap();
    store.read().assert_consistent();
}

fn delete(store: &Store<Pod>, key: &str) {
    let mut batch = WriteBatch::default();
    batch.delete(text_key(key));
    store.apply(&batch, store.generation(), None).unwrap();
    store.read().assert_consistent();
}

fn keys<'a>(pods: impl Iterator<Item = &'a Arc<Pod>>) -> BTreeSet<String> {
    pods.map(|pod| pod.key.clone()).collect()
}

fn under(store: &Store<Pod>, index: &str, value: &str) -> BTreeSet<String> {
    let view = store.read();
    let under = keys(view.by_index(index, value).unwrap());
    assert_eq!(view.count_by_index(index, value).unwrap(), under.len());
    under
}

fn set(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn values(store: &Store<Pod>, index: &str) -> BTreeSet<String> {
    let view = store.read();
    let values = view.index_values(index).unwrap();
    values.map(str::to_owned).collect()
}

#[test]
fn s8_s11_put_overwrites_and_gives_back_the_same_reference() {
    let store = store(&[]);
    let (old, new) = (Pod::new("a", "u", "1"), Pod::new("a", "u", "2"));
    write(&store, &[Arc::clone(&old)]);
    assert!(Arc::ptr_eq(store.read().get("a").unwrap(), &old));
    write(&store, &[Arc::clone(&new)]);
    assert!(Arc::ptr_eq(store.read().get("a").unwrap(), &new));
    assert_eq!(store.read().len(), 1);
    assert_eq!(
        Arc::strong_count(&old),
        1,
        "nothing holds what was replaced"
    );
}

#[test]
fn s12_s13_a_value_lives_as_long_as_an_object_has_it() {
    let store = store(&["node"]);
    write(
        &store,
        &[
            Pod::indexed("a", "", "1", &[(0, "n1")]),
            Pod::indexed("b", "", "1", &[(0, "n1")]),
        ],
    );
    delete(&store, "a");
    assert_eq!(values(&store, "node"), set(&["n1"]));
    delete(&store, "b");
    assert_eq!(values(&store, "node"), set(&[]));
    assert_eq!(under(&store, "node", "n1"), set(&[]));
}

#[test]
fn s14_many_values_of_one_index_and_equal_ones_once() {
    let store = store(&["ip", "node"]);
    let first = Pod::indexed("a", "", "1", &[(0, "1"), (1, "n"), (0, "2"), (0, "1")]);
    write(
        &store,
        &[first, Pod::indexed("b", "", "1", &[(0, "2"), (1, "n")])],
    );
    assert_eq!(under(&store, "ip", "1"), set(&["a"]));
    assert_eq!(under(&store, "ip", "2"), set(&["a", "b"]));
    write(&store, &[Pod::indexed("a", "", "2", &[(0, "3"), (0, "2")])]);
    assert_eq!(under(&store, "ip", "1"), set(&[]));
    assert_eq!(under(&store, "ip", "2"), set(&["a", "b"]));
    assert_eq!(under(&store, "ip", "3"), set(&["a"]));
    assert_eq!(under(&store, "node", "n"), set(&["b"]));
    let view = store.read();
    assert_eq!(view.values_of("ip", "a").unwrap(), ["3", "2"]);
    assert_eq!(view.values_of("node", "a").unwrap(), [""; 0]);
    assert_eq!(view.values_of("node", "missing").unwrap(), [""; 0]);
}

#[test]
fn a_slot_in_the_middle_of_a_long_list_leaves_it() {
    let store = store(&["node"]);
    let pods: Vec<_> = (0..500)
        .map(|number| Pod::indexed(&format!("p{number}"), "", "1", &[(0, "n"), (0, "m")]))
        .collect();
    write(&store, &pods);
    for number in (0..500).filter(|number| number % 7 != 0) {
        delete(&store, &format!("p{number}"));
    }
    let left: BTreeSet<String> = (0..500)
        .step_by(7)
        .map(|number| format!("p{number}"))
        .collect();
    assert_eq!(under(&store, "node", "n"), left);
    assert_eq!(under(&store, "node", "m"), left);
}

#[test]
fn s18_an_unknown_index_is_an_error_and_s19_an_unknown_value_is_not() {
    let store = store(&["node"]);
    let view = store.read();
    let error = view.count_by_index("zone", "z").unwrap_err();
    assert_eq!(error.to_string(), "Index with name zone does not exist");
    assert!(view.by_index("zone", "z").is_err());
    assert!(view.index_values("zone").is_err());
    assert!(view.values_of("zone", "a").is_err());
    assert_eq!(view.by_index("node", "n").unwrap().count(), 0);
}

#[test]
fn s21_a_conflict_adds_no_index() {
    let store = store(&["node"]);
    let generation = store.generation();
    for names in [&["zone", "node"][..], &["zone", "zone"]] {
        let refused = store.begin_add_indices(names).err().unwrap();
        assert_eq!(refused, StoreError::IndexExists(names[1].to_owned()));
    }
    assert_eq!(store.generation(), generation);
    assert_eq!(store.read().index_names().collect::<Vec<_>>(), ["node"]);
}

#[test]
fn s22_s23_s30_replace_leaves_nothing_else_and_the_last_of_equal_keys() {
    let store = store(&["node"]);
    let old = Pod::indexed("old", "", "1", &[(0, "n1")]);
    write(
        &store,
        &[Arc::clone(&old), Pod::indexed("a", "", "1", &[(0, "n1")])],
    );
    let list = [
        Pod::indexed("a", "", "2", &[(0, "n2")]),
        Pod::indexed("b", "", "2", &[(0, "n2")]),
        Pod::indexed("a", "", "3", &[(0, "n3")]),
    ];
    store
        .replace(&batch(&list), store.generation(), Some(""))
        .unwrap();
    store.read().assert_consistent();
    assert_eq!(keys(store.read().objects()), set(&["a", "b"]));
    assert_eq!(store.read().get("a").unwrap().version, "3");
    assert_eq!(values(&store, "node"), set(&["n2", "n3"]));
    assert_eq!(store.read().resource_version(), "");
    assert_eq!(Arc::strong_count(&old), 1);
}

#[test]
fn s26_deleting_a_missing_key_is_nothing() {
    let store = store(&["node"]);
    write(&store, &[Pod::indexed("a", "", "1", &[(0, "n1")])]);
    delete(&store, "b");
    assert_eq!(store.read().len(), 1);
}

#[test]
fn s27_s30_the_last_resource_version_counts_not_the_highest() {
    let store = store(&[]);
    let write = |version| store.apply(&WriteBatch::default(), 1, version).unwrap();
    write(Some("7"));
    write(Some("5"));
    assert_eq!(store.read().resource_version(), "5");
    write(None);
    assert_eq!(store.read().resource_version(), "5");
    store.set_resource_version("3");
    assert_eq!(store.read().resource_version(), "3");
    store.replace(&WriteBatch::default(), 1, None).unwrap();
    assert_eq!(store.read().resource_version(), "3");
}

#[test]
fn a_batch_of_other_indices_is_stale_and_changes_nothing() {
    let store = store(&["node"]);
    let generation = store.generation();
    let pending = store.begin_add_indices(&["zone"]).unwrap();
    let long: Vec<_> = (0..=LONG_WRITE)
        .map(|number| Pod::indexed(&number.to_string(), "", "1", &[(0, "n1")]))
        .collect();
    for batch in [batch(&long), batch(&long[..1])] {
        assert_eq!(
            store.apply(&batch, generation, Some("9")),
            Err(StoreError::Stale)
        );
        assert_eq!(
            store.replace(&batch, generation, Some("9")),
            Err(StoreError::Stale)
        );
    }
    store.abort_add_indices(&pending);
    assert!(store.read().is_empty());
    assert_eq!(store.read().resource_version(), "");
}

#[test]
fn a_batch_for_an_index_that_was_taken_back_is_stale() {
    let store = store(&[]);
    let pending = store.begin_add_indices(&["node"]).unwrap();
    let generation = store.generation();
    let pods: Vec<_> = (0..=LONG_WRITE)
        .map(|number| Pod::indexed(&number.to_string(), "", "1", &[(0, "n1")]))
        .collect();
    store.abort_add_indices(&pending);
    assert_eq!(
        store.apply(&batch(&pods), generation, None),
        Err(StoreError::Stale)
    );
    assert_eq!(
        store.replace(&batch(&pods), generation, None),
        Err(StoreError::Stale)
    );
}

#[test]
#[should_panic(expected = "a value is of an index that was registered")]
fn a_value_of_no_index_is_refused_before_anything_changes() {
    let store = store(&["node"]);
    let pod = Pod::indexed("a", "", "1", &[(1, "n1")]);
    let _ = store.apply(&batch(&[pod]), store.generation(), None);
}

#[test]
fn bytes_are_those_of_the_objects_held() {
    let store = store(&["node"]);
    let (small, big) = (Pod::new("a", "", "1"), Pod::new("a", "", "1000000"));
    write(&store, &[Arc::clone(&small), Pod::new("b", "", "1")]);
    assert_eq!(store.read().bytes(), 2 * small.size);
    write(&store, &[Arc::clone(&big)]);
    assert_eq!(store.read().bytes(), small.size + big.size);
    delete(&store, "b");
    assert_eq!(store.read().bytes(), big.size);
    let index_bytes = store.read().index_bytes();
    write(
        &store,
        &[Pod::indexed(
            "c",
            "",
            "1",
            &[(0, "a text that takes some bytes")],
        )],
    );
    assert!(store.read().index_bytes() > index_bytes);
    store.replace(&WriteBatch::default(), 1, None).unwrap();
    assert_eq!(store.read().bytes(), 0);
}

#[test]
fn a_freed_slot_is_used_again() {
    let store = store(&["node"]);
    write(
        &store,
        &[Pod::indexed("a", "", "1", &[(0, "n1"), (0, "n2")])],
    );
    let (slot, ..) = store
        .read()
        .locate("a")
        .map(|(slot, source, _)| (slot, source))
        .unwrap();
    delete(&store, "a");
    write(&store, &[Pod::indexed("b", "", "1", &[(0, "n2")])]);
    let view = store.read();
    assert_eq!(view.locate("b").unwrap().0, slot);
    assert_eq!(view.slot_bound(), 1);
    assert_eq!(view.located().count(), 1);
}

/// Values of index `number` of each pending object.
fn missing_values(pending: &PendingIndices<Pod>, number: u16) -> WriteBatch<Pod> {
    let mut values = WriteBatch::default();
    for pod in pending.objects() {
        values.put(Arc::clone(pod), SOURCE, |pod, sink| {
            for (_, value) in pod.values.iter().filter(|(index, _)| *index == number) {
                sink(0, value);
            }
        });
    }
    values
}

#[test]
fn an_index_is_read_only_when_it_is_complete() {
    let store = store(&["node"]);
    let pods: Vec<_> = (0..20)
        .map(|number| Pod::indexed(&format!("p{number}"), "", "1", &[(0, "n"), (1, "z")]))
        .collect();
    let only_node = |pod: &Pod, sink: &mut dyn FnMut(u16, &str)| pod.index(1, sink);
    let mut before = WriteBatch::default();
    for pod in &pods {
        before.put(Arc::clone(pod), SOURCE, only_node);
    }
    store.apply(&before, store.generation(), None).unwrap();

    let pending = store.begin_add_indices(&["zone"]).unwrap();
    assert_eq!(pending.objects().count(), 20);
    assert!(store.read().by_index("zone", "z").is_err());
    assert_eq!(store.read().index_names().collect::<Vec<_>>(), ["node"]);
    let values = missing_values(&pending, 1);
    // Meanwhile: rewritten, deleted, its slot used again by another, added.
    write(
        &store,
        &[Pod::indexed("p0", "", "2", &[(0, "n"), (1, "y")])],
    );
    delete(&store, "p1");
    delete(&store, "p2");
    write(&store, &[Pod::indexed("q1", "", "2", &[(1, "x")])]);
    // The same version again.
    write(&store, &pods[3..4]);
    store.finish_add_indices(pending, &values);

    store.read().assert_consistent();
    assert_eq!(under(&store, "zone", "y"), set(&["p0"]));
    assert_eq!(under(&store, "zone", "x"), set(&["q1"]));
    assert_eq!(under(&store, "zone", "z").len(), 17);
    assert_eq!(under(&store, "node", "n").len(), 18);
}

#[test]
fn a_replacement_while_an_index_is_filled_has_its_values() {
    let store = store(&[]);
    let pods: Vec<_> = (0..20)
        .map(|number| Pod::new(&format!("p{number}"), "", "1"))
        .collect();
    write(&store, &pods);
    let pending = store.begin_add_indices(&["node"]).unwrap();
    let values = missing_values(&pending, 0);
    let fresh = Pod::indexed("q", "", "2", &[(0, "n1")]);
    store
        .replace(&batch(&[fresh]), store.generation(), None)
        .unwrap();
    store.finish_add_indices(pending, &values);
    store.read().assert_consistent();
    assert_eq!(under(&store, "node", "n1"), set(&["q"]));
}

#[test]
fn two_sets_of_indices_may_be_filled_at_a_time() {
    let store = store(&[]);
    write(
        &store,
        &[
            Pod::new("a", "", "1"),
            Pod::new("b", "", "1"),
            Pod::new("c", "", "1"),
        ],
    );
    let first = store.begin_add_indices(&["node"]).unwrap();
    write(&store, &[Pod::indexed("b", "", "2", &[(0, "n2")])]);
    let second = store.begin_add_indices(&["zone"]).unwrap();
    write(
        &store,
        &[Pod::indexed("c", "", "2", &[(0, "n3"), (1, "z3")])],
    );
    let constant = |pending: &PendingIndices<Pod>, value: &str| {
        let mut values = WriteBatch::default();
        for pod in pending.objects() {
            values.put(Arc::clone(pod), SOURCE, |_, sink| sink(0, value));
        }
        values
    };
    let values = constant(&second, "z");
    store.finish_add_indices(second, &values);
    assert_eq!(store.read().index_names().collect::<Vec<_>>(), ["zone"]);
    let values = constant(&first, "n");
    store.finish_add_indices(first, &values);
    store.read().assert_consistent();
    assert_eq!(under(&store, "node", "n"), set(&["a"]));
    assert_eq!(under(&store, "node", "n2"), set(&["b"]));
    assert_eq!(under(&store, "node", "n3"), set(&["c"]));
    assert_eq!(under(&store, "zone", "z"), set(&["a", "b"]));
    assert_eq!(under(&store, "zone", "z3"), set(&["c"]));
}

#[test]
fn aborted_indices_leave_no_trace() {
    let store = store(&["node"]);
    let pending = store.begin_add_indices(&["zone"]).unwrap();
    write(&store, &[Pod::indexed("a", "", "1", &[(0, "n"), (1, "z")])]);
    store.abort_add_indices(&pending);
    store.read().assert_consistent();
    write(&store, &[Pod::indexed("b", "", "1", &[(0, "n")])]);
    let pending = store.begin_add_indices(&["zone"]).unwrap();
    let mut values = WriteBatch::default();
    for pod in pending.objects() {
        values.put(Arc::clone(pod), SOURCE, |_, sink| sink(0, "z2"));
    }
    store.finish_add_indices(pending, &values);
    assert_eq!(under(&store, "zone", "z2"), set(&["a", "b"]));
    assert_eq!(under(&store, "zone", "z"), set(&[]));
    assert_eq!(under(&store, "node", "n"), set(&["a", "b"]));
}

#[test]
fn more_indices_than_a_number_can_name_are_refused() {
    let store = store(&[]);
    let names: Vec<String> = (0..=usize::from(u16::MAX))
        .map(|number| number.to_string())
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let pending = store.begin_add_indices(&names[..10]).unwrap();
    store.finish_add_indices(pending, &WriteBatch::default());
    let refused = store.begin_add_indices(&names[10..]).err();
    assert_eq!(refused, Some(StoreError::TooManyIndices));
    assert_eq!(store.read().index_names().count(), 10);
}

#[test]
fn try_read_does_not_wait() {
    let store = store(&[]);
    let view = store.try_read().expect("nobody writes");
    assert!(view.is_empty());
    drop(view);
    let writing = store.inner.write();
    assert!(store.try_read().is_none());
    drop(writing);
}

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
        let call = if replace {
            Store::replace
        } else {
            Store::apply
        };
        call(&store, &batch, 0, None).unwrap();
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
    store.apply(&batch, 0, None).unwrap();
    assert_eq!(freed.load(Ordering::Relaxed), 25, "deleted");
}
