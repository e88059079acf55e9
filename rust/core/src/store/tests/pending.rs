//! Indices that are added to a store in use.

use std::sync::Arc;

use super::{batch, delete, set, store, under, write, SOURCE};
use crate::store::{PendingIndices, StoreError};
use crate::testing::Pod;
use crate::write_batch::WriteBatch;

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
    store.apply(&mut before, store.generation(), None).unwrap();

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
        .replace(&mut batch(&[fresh]), store.generation(), None)
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
