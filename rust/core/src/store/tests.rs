//! One behaviour of the store each; named by the § of the client-go semantics where there is one.

mod locks;
mod pending;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Store, StoreError, LONG_WRITE};
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
    store
        .apply(&mut batch(pods), store.generation(), None)
        .unwrap();
    store.read().assert_consistent();
}

fn delete(store: &Store<Pod>, key: &str) {
    let mut batch = WriteBatch::default();
    batch.delete(text_key(key));
    store.apply(&mut batch, store.generation(), None).unwrap();
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
        .replace(&mut batch(&list), store.generation(), Some(""))
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
    let write = |version| store.apply(&mut WriteBatch::default(), 1, version).unwrap();
    write(Some("7"));
    write(Some("5"));
    assert_eq!(store.read().resource_version(), "5");
    write(None);
    assert_eq!(store.read().resource_version(), "5");
    store.set_resource_version("3");
    assert_eq!(store.read().resource_version(), "3");
    store.replace(&mut WriteBatch::default(), 1, None).unwrap();
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
    for mut batch in [batch(&long), batch(&long[..1])] {
        assert_eq!(
            store.apply(&mut batch, generation, Some("9")),
            Err(StoreError::Stale)
        );
        assert_eq!(
            store.replace(&mut batch, generation, Some("9")),
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
        store.apply(&mut batch(&pods), generation, None),
        Err(StoreError::Stale)
    );
    assert_eq!(
        store.replace(&mut batch(&pods), generation, None),
        Err(StoreError::Stale)
    );
}

#[test]
#[should_panic(expected = "a value is of an index that was registered")]
fn a_value_of_no_index_is_refused_before_anything_changes() {
    let store = store(&["node"]);
    let pod = Pod::indexed("a", "", "1", &[(1, "n1")]);
    let _ = store.apply(&mut batch(&[pod]), store.generation(), None);
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
    store.replace(&mut WriteBatch::default(), 1, None).unwrap();
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
    assert_eq!(view.located_from(0, usize::MAX).count(), 1);
}

#[test]
fn try_read_does_not_wait() {
    let store = store(&[]);
    let view = store.try_read().expect("nobody writes");
    assert!(view.is_empty());
    drop(view);
    let writing = store.cut.write();
    assert!(store.try_read().is_none());
    drop(writing);
}

/// All keys have one hash.
struct Colliding(&'static str);

impl Keyed for Colliding {
    fn key(&self) -> &str {
        self.0
    }

    fn key_hash(&self) -> u64 {
        7
    }
}

#[test]
fn keys_of_one_hash_are_told_apart() {
    let store = Store::new();
    let write = |keys: &[&'static str]| {
        let mut batch = WriteBatch::default();
        for key in keys {
            batch.put(Arc::new(Colliding(key)), SOURCE, |_, _| {});
        }
        store.apply(&mut batch, 0, None).unwrap();
        let mut batch = WriteBatch::default();
        batch.delete(Key::Of(Arc::new(Colliding(keys[0]))));
        store.apply(&mut batch, 0, None).unwrap();
    };
    write(&["a", "b", "c"]);
    write(&["d", "b"]);
    write(&["e", "f"]);
    let view = store.read();
    let keys = ["a", "c", "f", "b"];
    let slots = view.find_all(keys.iter().map(|key| (*key, 7)));
    let found = slots.iter().map(|slot| slot.map(|slot| view.at(slot).1 .0));
    assert!(found.eq([None, Some("c"), Some("f"), Some("b")]));
}

#[test]
fn an_object_may_have_very_many_values() {
    let store = store(&["many", "one"]);
    let texts: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
    let pod = |key: &str, version: &str, numbers: &mut dyn Iterator<Item = usize>| {
        let numbers = numbers.map(|number| (0, &*texts[number]));
        let values: Vec<_> = [(1, key)].into_iter().chain(numbers).collect();
        Pod::indexed(key, "", version, &values)
    };
    write(
        &store,
        &[
            pod("a", "1", &mut (0..1000)),
            pod("b", "1", &mut (0..1000).rev()),
        ],
    );
    write(
        &store,
        &[pod("a", "2", &mut (0..1000).rev().chain(0..1000))],
    );
    assert_eq!(under(&store, "many", "999"), set(&["a", "b"]));
    write(
        &store,
        &[
            pod("a", "3", &mut (0..1000).step_by(3)),
            pod("b", "2", &mut (0..10).cycle().take(50)),
        ],
    );
    assert_eq!(under(&store, "many", "999"), set(&["a"]));
    assert_eq!(under(&store, "many", "9"), set(&["a", "b"]));
    assert_eq!(under(&store, "many", "10"), set(&[]));
    assert_eq!(store.read().values_of("many", "b").unwrap().len(), 10);
    delete(&store, "a");
    assert_eq!(values(&store, "many").len(), 10);
}
