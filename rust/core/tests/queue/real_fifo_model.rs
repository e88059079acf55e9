//! `RealFifo` in both modes against a model that is a plain vector, over random operations of three sources.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kubeinformer_core::queue::real_fifo::Quiet;
use kubeinformer_core::queue::{
    Delta, DeltaObject, Known, RealFifo, RealFifoMode, SourceId, WaitError,
};
use proptest::prelude::*;

use super::{obj, show, Obj, NOW};

const SOURCES: u32 = 3;

#[derive(Clone, Debug)]
enum Op {
    Add(u32, String),
    Update(u32, String),
    Delete(u32, String),
    DeleteTombstone(u32, String),
    /// Type of event (0-2) and key.
    AddMany(u32, Vec<(u8, String)>),
    Replace(u32, Vec<String>),
    Resync(u32),
    Bookmark(u32),
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
        4 => (source(), key()).prop_map(|(source, key)| Op::Delete(source, key)),
        1 => (source(), key()).prop_map(|(source, key)| Op::DeleteTombstone(source, key)),
        2 => (source(), prop::collection::vec((0..3_u8, key()), 0..6))
            .prop_map(|(source, events)| Op::AddMany(source, events)),
        3 => (source(), prop::collection::vec(key(), 0..5)).prop_map(|(source, list)| Op::Replace(source, list)),
        2 => source().prop_map(Op::Resync),
        2 => source().prop_map(Op::Bookmark),
        4 => Just(Op::Pop),
        7 => prop_oneof![0..5_usize, Just(1000)].prop_map(Op::PopBatch),
        11 => Just(Op::Processed),
        1 => Just(Op::Close),
    ]
}

#[derive(Clone, Debug, Default)]
struct ModelDelta {
    shown: String,
    source: u32,
    /// None if not about one object.
    key: Option<String>,
    deleted: bool,
    version: usize,
    bytes: usize,
    initial: bool,
}

fn event(kind: &str, source: u32, key: &str, version: usize) -> ModelDelta {
    ModelDelta {
        shown: format!("{kind} {key}{version}"),
        source,
        key: Some(key.into()),
        deleted: kind == "Deleted",
        version,
        bytes: if kind == "Sync" { 0 } else { version },
        initial: false,
    }
}

fn tombstone(source: u32, key: &str, version: usize) -> ModelDelta {
    ModelDelta {
        shown: format!("Deleted {key}({key}{version})"),
        bytes: 0,
        ..event("Deleted", source, key, version)
    }
}

fn unkeyed(shown: String, source: u32, bytes: usize) -> ModelDelta {
    ModelDelta {
        shown,
        source,
        bytes,
        ..ModelDelta::default()
    }
}

/// What §48-§60 say, with a vector for everything.
struct Model {
    line: Vec<ModelDelta>,
    processing: Option<Vec<ModelDelta>>,
    /// The store of the consumer: source and version of each key.
    known: BTreeMap<String, (u32, usize)>,
    populated: [bool; SOURCES as usize],
    closed: bool,
}

impl Model {
    fn event(&mut self, delta: ModelDelta) {
        self.populated[delta.source as usize] = true;
        self.line.push(delta);
    }

    fn newest(&self, source: u32, key: &str) -> Option<&ModelDelta> {
        self.line
            .iter()
            .rev()
            .find(|delta| delta.source == source && delta.key.as_deref() == Some(key))
    }

    fn replace(&mut self, source: u32, list: &[(String, usize)]) {
        let listed: BTreeSet<&String> = list.iter().map(|(key, _)| key).collect();
        let before = Model {
            line: self.line.clone(),
            known: self.known.clone(),
            processing: None,
            ..*self
        };
        let mut seen = BTreeSet::new();
        let of_source = before.line.iter().filter(|delta| delta.source == source);
        for key in of_source.filter_map(|delta| delta.key.as_ref()) {
            let newest = before.newest(source, key).expect("queued");
            if seen.insert(key) && !listed.contains(key) && !newest.deleted {
                self.line.push(tombstone(source, key, newest.version));
            }
        }
        for (key, (known_source, version)) in &before.known {
            let queued = before.newest(source, key).is_some();
            if *known_source == source && !listed.contains(key) && !queued {
                self.line.push(tombstone(source, key, *version));
            }
        }
        self.line.extend(
            list.iter()
                .map(|(key, version)| event("Replaced", source, key, *version)),
        );
        self.end_replace(source);
    }

    fn end_replace(&mut self, source: u32) {
        if !std::mem::replace(&mut self.populated[source as usize], true) {
            self.line
                .iter_mut()
                .filter(|delta| delta.source == source)
                .for_each(|delta| delta.initial = true);
        }
    }

    /// How many deltas a batch takes.
    fn batch(&self, max: usize) -> usize {
        let mut len = 1;
        while len < max.min(self.line.len()) {
            let (batch, next) = (&self.line[..len], &self.line[len]);
            let alone = next.key.is_none() || batch[0].key.is_none();
            let repeated = batch.iter().any(|delta| delta.key == next.key);
            let boundary = !next.initial
                && batch
                    .iter()
                    .any(|delta| delta.initial && delta.source == next.source);
            if alone || repeated || boundary {
                break;
            }
            len += 1;
        }
        len
    }

    fn apply(&mut self, popped: &[ModelDelta]) {
        for delta in popped {
            match &delta.key {
                Some(key) if delta.deleted => drop(self.known.remove(key)),
                Some(key) => drop(
                    self.known
                        .insert(key.clone(), (delta.source, delta.version)),
                ),
                None => (),
            }
        }
    }

    fn has_synced(&self, source: u32) -> bool {
        let mut unprocessed = self.line.iter().chain(self.processing.iter().flatten());
        self.populated[source as usize]
            && !unprocessed.any(|delta| delta.initial && delta.source == source)
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
    fifo: RealFifo<Obj>,
    mode: RealFifoMode,
    model: Model,
    version: usize,
}

impl Harness {
    fn new(mode: RealFifoMode) -> Self {
        let fifo = RealFifo::new(mode);
        for id in 1..SOURCES {
            assert_eq!(fifo.add_source(), SourceId(id));
        }
        let model = Model {
            line: Vec::new(),
            processing: None,
            known: BTreeMap::new(),
            populated: [false; SOURCES as usize],
            closed: false,
        };
        Self {
            fifo,
            mode,
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
                self.model.event(event("Added", source, &key, version));
            }
            Op::Update(source, key) => {
                let (version, object) = self.next(&key);
                self.fifo.update(SourceId(source), object);
                self.model.event(event("Updated", source, &key, version));
            }
            Op::Delete(source, key) => {
                let (version, object) = self.next(&key);
                self.fifo.delete(SourceId(source), object);
                self.model.event(event("Deleted", source, &key, version));
            }
            Op::DeleteTombstone(source, key) => {
                let (version, object) = self.next(&key);
                self.fifo.delete(
                    SourceId(source),
                    DeltaObject::tombstone(key.as_str(), Some(object)),
                );
                self.model.event(tombstone(source, &key, version));
            }
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
                    self.model.event(event(name, source, &key, version));
                }
                self.fifo.add_many(deltas);
            }
            Op::Replace(source, keys) => self.replace(source, keys)?,
            Op::Resync(source) => self.resync(source)?,
            Op::Bookmark(source) => {
                let (version, _) = self.next("");
                self.fifo.bookmark(SourceId(source), &version.to_string());
                if self.mode
                    == (RealFifoMode::Atomic {
                        emit_bookmarks: true,
                    })
                {
                    self.model
                        .line
                        .push(unkeyed(format!("Bookmark {version}"), source, 0));
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

    fn replace(&mut self, source: u32, keys: Vec<String>) -> Result<(), TestCaseError> {
        let (versions, objects): (Vec<_>, Vec<_>) = keys.iter().map(|key| self.next(key)).unzip();
        let id = SourceId(source);
        if self.mode == RealFifoMode::NonAtomic {
            let Some(quiet) = self.quiet()? else {
                return Ok(());
            };
            quiet.replace(id, objects, self.model.known_of(source));
            drop(quiet);
            let list: Vec<_> = keys.into_iter().zip(versions).collect();
            self.model.replace(source, &list);
        } else {
            self.fifo.replace(id, "rv".into(), objects);
            let shown: Vec<_> = keys
                .iter()
                .zip(&versions)
                .map(|(key, version)| format!("{key}{version}"))
                .collect();
            let shown = format!("ReplacedAll rv[{}]", shown.join(" "));
            self.model
                .line
                .push(unkeyed(shown, source, versions.iter().sum()));
            self.model.end_replace(source);
        }
        Ok(())
    }

    fn resync(&mut self, source: u32) -> Result<(), TestCaseError> {
        let id = SourceId(source);
        if self.mode == RealFifoMode::NonAtomic {
            let Some(quiet) = self.quiet()? else {
                return Ok(());
            };
            quiet.resync(id, self.model.known_of(source));
            drop(quiet);
            for (key, (known_source, version)) in self.model.known.clone() {
                let mut line = self.model.line.iter();
                let queued = line.any(|delta| delta.key.as_ref() == Some(&key));
                if known_source == source && !queued {
                    self.model.line.push(event("Sync", source, &key, version));
                }
            }
        } else {
            self.fifo.resync(id);
            self.model.line.push(unkeyed("SyncAll".into(), source, 0));
        }
        Ok(())
    }

    /// The quiet phase, or none where the model says that it must be waited for.
    fn quiet(&self) -> Result<Option<Quiet<'_, Obj>>, TestCaseError> {
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

    fn pop(&mut self, max: usize, batch: bool) -> Result<(), TestCaseError> {
        let popped = if batch {
            self.fifo.pop_batch(max, NOW)
        } else {
            self.fifo.pop(NOW).map(|delta| vec![delta])
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
        let count = self.model.batch(max);
        let expected: Vec<_> = self.model.line.drain(..count).collect();
        let popped = popped.expect("something is queued");
        let shown: Vec<_> = popped
            .iter()
            .map(|delta| (show(delta), delta.source.0, delta.initial))
            .collect();
        let model: Vec<_> = expected
            .iter()
            .map(|delta| {
                let initial = delta.initial || !self.model.populated[delta.source as usize];
                (delta.shown.clone(), delta.source, initial)
            })
            .collect();
        prop_assert_eq!(shown, model);
        self.model.processing = Some(expected);
        Ok(())
    }

    fn compare(&self) -> Result<(), TestCaseError> {
        let (fifo, model) = (&self.fifo, &self.model);
        prop_assert_eq!(fifo.len(), model.line.len());
        let bytes: usize = model.line.iter().map(|delta| delta.bytes).sum();
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

fn mode() -> impl Strategy<Value = RealFifoMode> {
    prop_oneof![
        3 => Just(RealFifoMode::NonAtomic),
        2 => Just(RealFifoMode::Atomic { emit_bookmarks: true }),
        1 => Just(RealFifoMode::Atomic { emit_bookmarks: false }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn does_what_the_model_does(mode in mode(), ops in prop::collection::vec(op(), 0..60)) {
        let mut harness = Harness::new(mode);
        for op in ops {
            harness.run(op)?;
        }
        harness.run(Op::Processed)?;
        while !harness.model.line.is_empty() {
            harness.run(Op::PopBatch(3))?;
            harness.run(Op::Processed)?;
        }
    }
}
