//! `DeltaFifo` against a model that is a plain vector, over random operations of three sources.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kubeinformer_core::queue::{
    Delta, DeltaFifo, DeltaFifoOptions, DeltaObject, Known, SourceId, WaitError,
};
use proptest::prelude::*;

use super::{obj, show, Obj, NOW};

const SOURCES: u32 = 3;

#[derive(Clone, Debug)]
enum Op {
    Add(u32, String),
    Update(u32, String),
    /// Looked up in the known objects where needed; as a tombstone or not.
    Delete(u32, String, bool),
    /// Type of event (0-2) and key.
    AddMany(u32, Vec<(u8, String)>),
    Replace(u32, Vec<String>),
    Resync(u32),
    Pop,
    PopBatch(usize),
    Processed,
    Close,
}

fn op() -> impl Strategy<Value = Op> {
    let source = || prop_oneof![3 => Just(0), 1 => 0..SOURCES];
    let key = || "[a-f]";
    prop_oneof![
        4 => (source(), key()).prop_map(|(source, key)| Op::Add(source, key)),
        4 => (source(), key()).prop_map(|(source, key)| Op::Update(source, key)),
        6 => (source(), key(), any::<bool>()).prop_map(|(source, key, tombstone)| Op::Delete(source, key, tombstone)),
        2 => (source(), prop::collection::vec((0..3_u8, key()), 0..6))
            .prop_map(|(source, events)| Op::AddMany(source, events)),
        3 => (source(), prop::collection::vec(key(), 0..5)).prop_map(|(source, list)| Op::Replace(source, list)),
        2 => source().prop_map(Op::Resync),
        8 => Just(Op::Pop),
        3 => (0..5_usize).prop_map(Op::PopBatch),
        11 => Just(Op::Processed),
        1 => Just(Op::Close),
    ]
}

#[derive(Clone, Debug, PartialEq)]
struct ModelDelta {
    shown: String,
    source: u32,
    deleted: bool,
    tombstone: bool,
    version: Option<usize>,
    initial: bool,
}

/// What §32-§47 say, with a vector for everything.
struct Model {
    replaced: &'static str,
    line: Vec<(String, Vec<ModelDelta>)>,
    processing: Option<Vec<(String, Vec<ModelDelta>)>>,
    /// The store of the consumer: source and version of each key.
    known: BTreeMap<String, (u32, usize)>,
    populated: [bool; SOURCES as usize],
    closed: bool,
}

impl Model {
    fn queued(&self, key: &str) -> bool {
        self.line.iter().any(|(other, _)| other == key)
    }

    fn push(
        &mut self,
        source: u32,
        key: &str,
        kind: &str,
        version: Option<usize>,
        tombstone: bool,
        initial: bool,
    ) {
        let number = version.map_or("?".into(), |version| version.to_string());
        let shown = match (tombstone, version) {
            (true, None) => format!("{kind} {key}(?)"),
            (true, _) => format!("{kind} {key}({key}{number})"),
            (false, _) => format!("{kind} {key}{number}"),
        };
        let mut delta = ModelDelta {
            shown,
            source,
            deleted: kind == "Deleted",
            tombstone,
            version,
            initial,
        };
        let Some((_, deltas)) = self.line.iter_mut().find(|(other, _)| other == key) else {
            self.line.push((key.into(), vec![delta]));
            return;
        };
        let last = deltas.last().expect("never empty").clone();
        if last.deleted && delta.deleted && last.source == source {
            if last.tombstone {
                delta.initial |= last.initial;
                *deltas.last_mut().expect("never empty") = delta;
            }
        } else {
            deltas.push(delta);
        }
    }

    fn replace(&mut self, source: u32, list: &[(String, usize)]) {
        let first = !self.populated[source as usize];
        let listed: BTreeSet<&String> = list.iter().map(|(key, _)| key).collect();
        for (key, version) in list {
            self.push(source, key, self.replaced, Some(*version), false, first);
        }
        let line = self.line.clone();
        let of_source = |deltas: &[ModelDelta]| {
            let newest = deltas.iter().rfind(|delta| delta.source == source);
            newest.cloned()
        };
        for (key, deltas) in &line {
            let newest = of_source(deltas).filter(|newest| !newest.deleted);
            if let Some(newest) = newest.filter(|_| !listed.contains(key)) {
                self.push(source, key, "Deleted", newest.version, true, first);
            }
        }
        for (key, (known_source, version)) in self.known.clone() {
            let queued = line.iter().find(|(other, _)| *other == key);
            let queued = queued.is_some_and(|(_, deltas)| of_source(deltas).is_some());
            if known_source == source && !listed.contains(&key) && !queued {
                self.push(source, &key, "Deleted", Some(version), true, first);
            }
        }
        self.populated[source as usize] = true;
    }

    fn apply(&mut self, popped: &[(String, Vec<ModelDelta>)]) {
        for (key, delta) in popped
            .iter()
            .flat_map(|(key, deltas)| deltas.iter().map(move |delta| (key, delta)))
        {
            if delta.deleted {
                self.known.remove(key);
            } else {
                self.known.insert(
                    key.clone(),
                    (delta.source, delta.version.expect("an object")),
                );
            }
        }
    }

    fn has_popped(&self, source: u32) -> bool {
        let waits = |items: &[(String, Vec<ModelDelta>)]| {
            items
                .iter()
                .flat_map(|(_, deltas)| deltas)
                .any(|delta| delta.initial && delta.source == source)
        };
        self.populated[source as usize] && !waits(&self.line)
    }

    fn has_synced(&self, source: u32) -> bool {
        let processing = self
            .processing
            .iter()
            .flatten()
            .flat_map(|(_, deltas)| deltas);
        self.has_popped(source)
            && !processing
                .clone()
                .any(|delta| delta.initial && delta.source == source)
    }

    fn known_of(&self, source: u32) -> Known<Obj> {
        let of_source = self
            .known
            .iter()
            .filter(|(_, (known_source, _))| *known_source == source);
        of_source
            .map(|(key, (_, version))| (Arc::from(key.as_str()), Some(obj(key, *version))))
            .collect()
    }
}

struct Harness {
    fifo: DeltaFifo<Obj>,
    model: Model,
    version: usize,
}

impl Harness {
    fn new(emit_delta_type_replaced: bool) -> Self {
        let fifo = DeltaFifo::new(DeltaFifoOptions {
            emit_delta_type_replaced,
        });
        for id in 1..SOURCES {
            assert_eq!(fifo.add_source(), SourceId(id));
        }
        let model = Model {
            replaced: if emit_delta_type_replaced {
                "Replaced"
            } else {
                "Sync"
            },
            line: Vec::new(),
            processing: None,
            known: BTreeMap::new(),
            populated: [false; SOURCES as usize],
            closed: false,
        };
        Self {
            fifo,
            model,
            version: 0,
        }
    }

    fn next(&mut self, key: &str) -> (usize, Arc<Obj>) {
        self.version += 1;
        (self.version, obj(key, self.version))
    }

    fn run(&mut self, op: Op) -> Result<(), TestCaseError> {
        match op {
            Op::Add(source, key) => {
                let (version, object) = self.next(&key);
                self.fifo.add(SourceId(source), object);
                self.model.populated[source as usize] = true;
                self.model
                    .push(source, &key, "Added", Some(version), false, false);
            }
            Op::Update(source, key) => {
                let (version, object) = self.next(&key);
                self.fifo.update(SourceId(source), object);
                self.model.populated[source as usize] = true;
                self.model
                    .push(source, &key, "Updated", Some(version), false, false);
            }
            Op::Delete(source, key, tombstone) => self.delete(source, &key, tombstone)?,
            Op::AddMany(source, events) => {
                let mut deltas = Vec::new();
                for (kind, key) in events {
                    let (version, object) = self.next(&key);
                    let id = SourceId(source);
                    let (name, delta) = match kind {
                        0 => ("Added", Delta::added(id, object)),
                        1 => ("Updated", Delta::updated(id, object)),
                        _ => ("Deleted", Delta::deleted(id, object)),
                    };
                    deltas.push(delta);
                    self.model.populated[source as usize] = true;
                    self.model
                        .push(source, &key, name, Some(version), false, false);
                }
                self.fifo.add_many(deltas);
            }
            Op::Replace(source, keys) => {
                let list: Vec<_> = keys.iter().map(|key| self.next(key)).collect();
                let Some(quiet) = self.quiet()? else {
                    return Ok(());
                };
                let objects = list.iter().map(|(_, object)| Arc::clone(object)).collect();
                quiet.replace(SourceId(source), objects, self.model.known_of(source));
                drop(quiet);
                let list: Vec<_> = keys
                    .into_iter()
                    .zip(list.into_iter().map(|(version, _)| version))
                    .collect();
                self.model.replace(source, &list);
            }
            Op::Resync(source) => {
                let Some(quiet) = self.quiet()? else {
                    return Ok(());
                };
                quiet.resync(SourceId(source), self.model.known_of(source));
                drop(quiet);
                for (key, (known_source, version)) in self.model.known.clone() {
                    if known_source == source && !self.model.queued(&key) {
                        self.model
                            .push(source, &key, "Sync", Some(version), false, false);
                    }
                }
            }
            Op::Pop => self.pop(1, false)?,
            Op::PopBatch(max) => self.pop(max, true)?,
            Op::Processed => {
                self.fifo.processed();
                if let Some(popped) = self.model.processing.take() {
                    self.model.apply(&popped);
                }
            }
            Op::Close => {
                self.fifo.close();
                self.model.closed = true;
            }
        }
        self.compare()
    }

    /// The quiet phase, or none where the model says that it must be waited for.
    fn quiet(
        &self,
    ) -> Result<Option<kubeinformer_core::queue::delta_fifo::Quiet<'_, Obj>>, TestCaseError> {
        let quiet = self.fifo.quiet(NOW);
        if self.model.processing.is_none() {
            return Ok(Some(quiet.expect("nothing is processed")));
        }
        let expected = if self.model.closed {
            WaitError::Closed
        } else {
            WaitError::TimedOut
        };
        prop_assert_eq!(quiet.err(), Some(expected));
        Ok(None)
    }

    fn delete(&mut self, source: u32, key: &str, tombstone: bool) -> Result<(), TestCaseError> {
        let (version, object) = self.next(key);
        let deleted = || -> DeltaObject<Obj> {
            if tombstone {
                DeltaObject::tombstone(key, Some(Arc::clone(&object)))
            } else {
                Arc::clone(&object).into()
            }
        };
        let queued = self.model.queued(key);
        prop_assert_eq!(self.fifo.delete(SourceId(source), deleted()), queued);
        self.model.populated[source as usize] = true;
        let mut expected = queued;
        if !queued {
            let Some(quiet) = self.quiet()? else {
                return Ok(());
            };
            expected = self.model.known.contains_key(key);
            prop_assert_eq!(
                quiet.delete(SourceId(source), deleted(), expected),
                expected
            );
        }
        if expected {
            self.model
                .push(source, key, "Deleted", Some(version), tombstone, false);
        }
        Ok(())
    }

    fn pop(&mut self, max: usize, batch: bool) -> Result<(), TestCaseError> {
        let popped = if batch {
            self.fifo.pop_batch(max, NOW)
        } else {
            self.fifo.pop(NOW).map(|item| vec![item])
        };
        if self.model.line.is_empty() || self.model.processing.is_some() {
            let closed = self.model.line.is_empty() && self.model.closed;
            let expected = if closed {
                WaitError::Closed
            } else {
                WaitError::TimedOut
            };
            prop_assert_eq!(popped.unwrap_err(), expected);
            return Ok(());
        }
        let count = max.max(1).min(self.model.line.len());
        let expected: Vec<_> = self.model.line.drain(..count).collect();
        let popped = popped.expect("something is queued");
        prop_assert_eq!(popped.len(), expected.len());
        for (item, (key, deltas)) in popped.iter().zip(&expected) {
            prop_assert_eq!(item.key(), key);
            let shown: Vec<_> = item
                .deltas
                .iter()
                .map(|delta| (show(delta), delta.source.0, delta.initial))
                .collect();
            let model: Vec<_> = deltas
                .iter()
                .map(|delta| (delta.shown.clone(), delta.source, delta.initial))
                .collect();
            prop_assert_eq!(shown, model);
            let initial = deltas
                .iter()
                .any(|delta| delta.initial || !self.model.populated[delta.source as usize]);
            prop_assert_eq!(item.initial, initial);
        }
        self.model.processing = Some(expected);
        Ok(())
    }

    fn compare(&self) -> Result<(), TestCaseError> {
        let (fifo, model) = (&self.fifo, &self.model);
        prop_assert_eq!(fifo.len(), model.line.len());
        let deltas = model.line.iter().flat_map(|(_, deltas)| deltas);
        let objects = deltas.filter(|it| !it.tombstone && !it.shown.starts_with("Sync"));
        let bytes = objects.filter_map(|delta| delta.version).sum();
        prop_assert_eq!(fifo.queued_bytes(), bytes);
        prop_assert_eq!(fifo.wait_below(bytes, NOW), Ok(()));
        prop_assert_eq!(fifo.is_closed(), model.closed);
        for source in 0..SOURCES {
            prop_assert_eq!(
                fifo.has_synced_source(SourceId(source)),
                model.has_synced(source)
            );
        }
        let synced = (0..SOURCES).all(|source| model.has_synced(source));
        prop_assert_eq!(fifo.has_synced(), synced);
        let unsynced = if model.closed {
            WaitError::Closed
        } else {
            WaitError::TimedOut
        };
        prop_assert_eq!(
            fifo.wait_synced(NOW),
            if synced { Ok(()) } else { Err(unsynced) }
        );
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn does_what_the_model_does(replaced in any::<bool>(), ops in prop::collection::vec(op(), 0..60)) {
        let mut harness = Harness::new(replaced);
        for op in ops {
            harness.run(op)?;
        }
        harness.run(Op::Processed)?;
        while !harness.model.line.is_empty() {
            harness.run(Op::Pop)?;
            harness.run(Op::Processed)?;
        }
    }

    /// client-go counts pops instead of marking deltas; with one source the two must agree (§41, §44).
    #[test]
    fn initial_list_is_a_count_of_pops(
        known in prop::collection::btree_set("[a-f]", 0..4),
        first in prop::collection::vec("[a-f]", 0..6),
        resync_before in any::<bool>(),
        later in prop::collection::vec(("[a-h]", 0..3_u8), 0..8),
    ) {
        let fifo = DeltaFifo::new(DeltaFifoOptions::default());
        let known: Vec<String> = known.into_iter().collect();
        let known_objects = || known.iter().map(|key| (Arc::from(key.as_str()), Some(obj(key, 1)))).collect();
        let quiet = fifo.quiet(NOW).expect("nothing is processed");
        if resync_before {
            quiet.resync(SourceId::FIRST, known_objects());
        }
        quiet.replace(SourceId::FIRST, first.iter().map(|key| obj(key, 2)).collect(), known_objects());
        drop(quiet);
        let mut count = first.iter().chain(&known).collect::<BTreeSet<_>>().len();
        for (key, kind) in later {
            match kind {
                0 => fifo.add(SourceId::FIRST, obj(&key, 3)),
                1 => fifo.update(SourceId::FIRST, obj(&key, 3)),
                _ => drop(fifo.delete(SourceId::FIRST, obj(&key, 3))),
            }
        }
        loop {
            prop_assert_eq!(fifo.has_synced(), count == 0);
            let Ok(item) = fifo.pop(NOW) else { break };
            prop_assert_eq!(item.initial, count > 0);
            count = count.saturating_sub(1);
            fifo.processed();
        }
    }
}
