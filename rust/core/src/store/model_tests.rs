//! Random writes, and indices added in between, against a map that is searched from scratch.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::{Cut, PendingIndices, Snapshot, Store, StoreError};
use crate::queue::SourceId;
use crate::testing::Pod;
use crate::write_batch::{Key, WriteBatch};

const VALUES: [&str; 4] = ["v0", "v1", "v2", "v3"];

/// A key and what it is to hold: values by index number, none for a deletion.
type Change = (u8, Option<Vec<(u16, u8)>>);

#[derive(Clone, Debug)]
enum Step {
    Apply(Vec<Change>),
    Replace(Vec<Change>),
    /// With the generation before the last one.
    ApplyStale(Vec<Change>),
    Begin(usize),
    Finish,
    Abort,
    /// Take a snapshot, or look at the one that was taken and let go of it.
    Snapshot,
}

fn changes(count: usize) -> impl Strategy<Value = Vec<Change>> {
    let values = prop::collection::vec((0..4_u16, 0..4_u8), 0..6);
    prop::collection::vec((0..12_u8, prop::option::weighted(0.7, values)), 0..count)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => changes(6).prop_map(Step::Apply),
        2 => changes(16).prop_map(Step::Apply),
        1 => changes(16).prop_map(Step::Replace),
        1 => changes(10).prop_map(Step::ApplyStale),
        2 => (1..3_usize).prop_map(Step::Begin),
        2 => Just(Step::Finish),
        1 => Just(Step::Abort),
        2 => Just(Step::Snapshot),
    ]
}

#[derive(Default)]
struct Model {
    objects: BTreeMap<String, (SourceId, Arc<Pod>)>,
    ready: Vec<String>,
    pending: Option<(PendingIndices<Pod>, WriteBatch<Pod>, Vec<String>)>,
    version: String,
    writes: u32,
    snapshot: Option<(Snapshot<Pod>, Box<Model>)>,
}

impl Model {
    /// What a cut of now has.
    fn now(&self) -> Self {
        Self {
            objects: self.objects.clone(),
            ready: self.ready.clone(),
            version: self.version.clone(),
            ..Self::default()
        }
    }

    /// Indices that writes must serve.
    fn index_bound(&self) -> u16 {
        let pending = self.pending.as_ref().map_or(0, |(_, _, names)| names.len());
        (self.ready.len() + pending) as u16
    }

    fn batch(&mut self, changes: &[Change], replace: bool) -> WriteBatch<Pod> {
        self.writes += 1;
        self.version = self.writes.to_string();
        let bound = self.index_bound();
        let mut batch = WriteBatch::default();
        if replace {
            self.objects.clear();
        }
        for (key, values) in changes {
            let source = SourceId(u32::from(key % 3));
            let key = format!("key{key}");
            if let Some(values) = values {
                let values: Vec<_> = values
                    .iter()
                    .map(|(index, value)| (*index, VALUES[usize::from(*value)]))
                    .collect();
                let pod = Pod::indexed(&key, "uid", &self.version, &values);
                batch.put(Arc::clone(&pod), source, |pod, sink| pod.index(bound, sink));
                self.objects.insert(key, (source, pod));
            } else {
                self.objects.remove(&key);
                batch.delete(Key::Text(key.into()));
            }
        }
        batch
    }

    fn step(&mut self, store: &Store<Pod>, step: &Step) {
        match step {
            Step::Apply(changes) => {
                let mut batch = self.batch(changes, false);
                let generation = store.generation();
                store
                    .apply(&mut batch, generation, Some(&self.version))
                    .unwrap();
            }
            Step::Replace(changes) => {
                let puts = changes.iter().filter(|(_, values)| values.is_some());
                let puts: Vec<_> = puts.cloned().collect();
                let mut batch = self.batch(&puts, true);
                let generation = store.generation();
                store
                    .replace(&mut batch, generation, Some(&self.version))
                    .unwrap();
            }
            Step::ApplyStale(changes) => {
                let (objects, version) = (self.objects.clone(), self.version.clone());
                let mut batch = self.batch(changes, false);
                (self.objects, self.version) = (objects, version);
                let generation = store.generation().wrapping_sub(1);
                let refused = store.apply(&mut batch, generation, Some("stale"));
                assert_eq!(refused, Err(StoreError::Stale));
            }
            Step::Begin(count) => self.begin(store, *count),
            Step::Finish => {
                if let Some((pending, values, names)) = self.pending.take() {
                    store.finish_add_indices(pending, &values);
                    self.ready.extend(names);
                }
            }
            Step::Abort => {
                if let Some((pending, ..)) = self.pending.take() {
                    store.abort_add_indices(&pending);
                }
            }
            Step::Snapshot => {
                if let Some((snapshot, then)) = self.snapshot.take() {
                    then.check(&snapshot);
                } else {
                    self.snapshot = Some((store.snapshot(), Box::new(self.now())));
                }
            }
        }
    }

    fn begin(&mut self, store: &Store<Pod>, count: usize) {
        if self.pending.is_some() {
            return;
        }
        let first = self.index_bound();
        let names: Vec<String> = (0..count)
            .map(|place| format!("index{}", usize::from(first) + place))
            .collect();
        let texts: Vec<&str> = names.iter().map(String::as_str).collect();
        let pending = store.begin_add_indices(&texts).unwrap();
        let mut values = WriteBatch::default();
        for pod in pending.objects() {
            values.put(Arc::clone(pod), SourceId::FIRST, |pod, sink| {
                let bound = first + count as u16;
                pod.index(bound, &mut |index, value| {
                    if index >= first {
                        sink(index - first, value);
                    }
                });
            });
        }
        self.pending = Some((pending, values, names));
    }

    fn check(&self, view: &Cut<Pod>) {
        view.assert_consistent();
        assert_eq!(view.resource_version(), self.version);
        assert_eq!(view.len(), self.objects.len());
        assert_eq!(view.objects().count(), self.objects.len());
        for (_, source, object) in view.located_from(0, usize::MAX) {
            let (expected, same) = &self.objects[&object.key];
            assert!(Arc::ptr_eq(object, same) && source == *expected);
            assert!(Arc::ptr_eq(view.get(&object.key).unwrap(), same));
        }
        assert!(view.index_names().eq(self.ready.iter().map(String::as_str)));
        for (number, name) in self.ready.iter().enumerate() {
            for value in VALUES {
                let found: BTreeSet<&str> = view
                    .by_index(name, value)
                    .unwrap()
                    .map(|pod| &*pod.key)
                    .collect();
                assert_eq!(view.count_by_index(name, value).unwrap(), found.len());
                let expected = self.objects.values().filter(|(_, pod)| {
                    pod.values
                        .iter()
                        .any(|it| (usize::from(it.0), &*it.1) == (number, value))
                });
                assert!(found.into_iter().eq(expected.map(|(_, pod)| &*pod.key)));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn the_store_is_a_map_with_a_search(steps in prop::collection::vec(step(), 1..40)) {
        let (store, mut model) = (Store::new(), Model::default());
        for step in &steps {
            model.step(&store, step);
            model.check(&store.read());
        }
        model.step(&store, &Step::Finish);
        if let Some((snapshot, then)) = &model.snapshot {
            then.check(snapshot);
        }
        model.check(&store.read());
    }
}
