//! `ObjectInformer`: an informer of API objects with its indices, declared ones and those whose values come from outside.
//!
//! The values of an index are those of its function on the stored object: worked out before the write, for the very set
//! of indices that the store has when it is written.

mod labels;
mod selection;
mod transforming;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::sync::{Mutex, RwLock};

use crate::filter::Filter;
use crate::index_func::{IndexFunc, IndexPlan};
use crate::informer::{Change, Informer, InformerOptions, BATCH_SIZE};
use crate::object::Object;
use crate::queue::{Delta, SourceId, WaitError};
use crate::source::{Compression, ReadOptions, SharedTransformer, Source};
use crate::store::{IndexName, PendingIndices, StoreError};
use crate::write_batch::WriteBatch;

use labels::Adding;
pub use selection::Selection;
pub use transforming::PendingTransform;
use transforming::Refetched;

/// How an index gets its values.
#[derive(Clone, Debug)]
pub enum Indexer {
    /// Evaluated here.
    Declared(IndexFunc),
    /// Given by the caller of `commit`.
    External,
    /// Of the label whose key is its name; not one of the user's.
    Label,
}

/// The set of indices of one generation of the store.
pub struct Indexers {
    generation: u32,
    /// In the order of the store's.
    all: Vec<(String, Indexer)>,
    plan: IndexPlan,
    /// Store's number of each index of the plan.
    planned: Vec<u16>,
    /// Store's number of each external index.
    external: Vec<u16>,
}

impl Indexers {
    fn new(generation: u32, all: Vec<(String, Indexer)>) -> Self {
        let mut declared = Vec::new();
        let (mut planned, mut external) = (Vec::new(), Vec::new());
        for (number, (name, indexer)) in all.iter().enumerate() {
            match indexer {
                Indexer::Label => {
                    declared.push(IndexFunc::Label(name.as_str().into()));
                    planned.push(number as u16);
                }
                Indexer::Declared(function) => {
                    declared.push(function.clone());
                    planned.push(number as u16);
                }
                Indexer::External => external.push(number as u16),
            }
        }
        Self {
            generation,
            all,
            plan: IndexPlan::new(declared),
            planned,
            external,
        }
    }

    /// Names of the indices whose values must be given, in the order in which `ExternalValues` lists them.
    pub fn external_names(&self) -> impl Iterator<Item = &str> {
        self.external
            .iter()
            .map(|number| self.all[*number as usize].0.as_str())
    }

    /// The index's values of an object that need not be in the store; None when they come from outside.
    pub fn declared_values(
        &self,
        name: &str,
        object: &Object,
    ) -> Result<Option<Vec<String>>, StoreError> {
        let Some((_, indexer)) = self.given().find(|(known, _)| known == name) else {
            return Err(StoreError::NoIndex(name.to_owned()));
        };
        let Indexer::Declared(function) = indexer else {
            return Ok(None);
        };
        let mut values = Vec::new();
        let _ = function.values(object, &mut |value: &str| {
            if !values.iter().any(|known| known == value) {
                values.push(value.to_owned());
            }
        });
        Ok(Some(values))
    }

    /// Those that users know.
    fn given(&self) -> impl Iterator<Item = &(String, Indexer)> {
        let is_given = |it: &&(String, Indexer)| !matches!(it.1, Indexer::Label);
        self.all.iter().filter(is_given)
    }

    fn values(&self, object: &Object, external: &[&[String]], sink: &mut dyn FnMut(u16, &str)) {
        // An object that a path cannot be read from has values of labels and namespaces alone; a decode of it says what is wrong.
        let _ = self
            .plan
            .values(object, |planned, value| sink(self.planned[planned], value));
        for (number, values) in self.external.iter().zip(external) {
            for value in *values {
                sink(*number, value);
            }
        }
    }
}

/// Values from outside: for each external index, for each put, its values.
pub type ExternalValues = Vec<Vec<Vec<String>>>;

fn of_put(external: &ExternalValues, put: usize) -> Vec<&[String]> {
    external
        .iter()
        .map(|index| index.get(put).map_or(&[] as &[String], Vec::as_slice))
        .collect()
}

/// A change that waits for values from outside, with the indices for which they are wanted.
pub struct PendingChange {
    change: Change<Object>,
    indexers: Arc<Indexers>,
}

impl PendingChange {
    /// The objects in the order in which values are wanted.
    pub fn objects(&self) -> impl Iterator<Item = &Arc<Object>> {
        self.change.puts()
    }

    /// Keys that leave the store.
    pub fn deleted_keys(&self) -> impl Iterator<Item = &str> {
        self.change.deleted_keys()
    }

    /// The indices.
    pub fn indexers(&self) -> &Indexers {
        &self.indexers
    }
}

/// Indices that are being added; drop it through `finish_add_indexers` or `abort_add_indexers`.
pub struct PendingIndexers {
    indices: PendingIndices<Object>,
    indexers: Indexers,
}

impl PendingIndexers {
    /// The objects in the order in which values are wanted.
    pub fn objects(&self) -> impl Iterator<Item = &Arc<Object>> {
        self.indices.objects()
    }

    /// The new indices alone.
    pub fn indexers(&self) -> &Indexers {
        &self.indexers
    }
}

/// What `process` came back for.
pub enum Processed {
    /// A transform is wanted: give what it made of the objects to `transformed`.
    Untransformed(PendingTransform),
    /// Values are wanted: give them to `commit`.
    Pending(PendingChange),
    /// The time is over.
    TimedOut,
    /// The informer is stopped.
    Closed,
}

/// See the module.
pub struct ObjectInformer {
    informer: Arc<Informer<Object>>,
    indexers: RwLock<Arc<Indexers>>,
    read_options: ReadOptions,
    filter: Option<Arc<Filter>>,
    sources: RwLock<u32>,
    transformer: SharedTransformer,
    compression: Option<Arc<Compression>>,
    refetched: Refetched,
    /// Held while indices are added, but not while the functions of a user's run.
    adding: Mutex<Adding>,
}

impl ObjectInformer {
    /// An informer without sources and indices.
    pub fn new(options: InformerOptions, read_options: ReadOptions) -> Self {
        Self::with_filter(options, read_options, None)
    }

    /// One that holds only what a filter accepts as the server sent it: anything else is not there.
    pub fn with_filter(
        options: InformerOptions,
        read_options: ReadOptions,
        filter: Option<Arc<Filter>>,
    ) -> Self {
        let options = InformerOptions {
            is_filtered: filter.is_some(),
            ..options
        };
        Self {
            informer: Arc::new(Informer::new(options)),
            indexers: RwLock::new(Arc::new(Indexers::new(0, Vec::new()))),
            compression: Compression::new(&read_options),
            read_options,
            filter,
            sources: RwLock::new(0),
            transformer: SharedTransformer::default(),
            refetched: Refetched::default(),
            adding: Mutex::default(),
        }
    }

    /// Queue, store and listeners.
    pub fn informer(&self) -> &Arc<Informer<Object>> {
        &self.informer
    }

    /// One more list/watch pair; `has_synced` waits for each.
    pub fn add_source(&self) -> Source {
        let mut sources = self.sources.write();
        let id = if *sources == 0 {
            SourceId::FIRST
        } else {
            self.informer.queue().add_source()
        };
        *sources += 1;
        Source::new(Arc::clone(&self.informer), id, self.read_options)
            .with_transformer(Arc::clone(&self.transformer))
            .with_compression(self.compression.clone())
            .with_filter(self.filter.clone())
    }

    fn current(&self) -> Arc<Indexers> {
        Arc::clone(&self.indexers.read())
    }

    /// The processor: takes batches to the store and the listeners, and resyncs handlers when that is due, until values
    /// or transforms from outside are wanted, the time is over (None: never) or the informer is stopped.
    pub fn process(&self, timeout: Option<Duration>) -> Processed {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            let now = Instant::now();
            self.informer.resync(now);
            if let Some(processed) = self
                .refetched_deltas()
                .and_then(|deltas| self.take_in(deltas))
            {
                return processed;
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(now));
            let wait = [left, self.informer.until_resync(now)]
                .into_iter()
                .flatten()
                .min();
            match self.informer.queue().pop_batch(BATCH_SIZE, wait) {
                Ok(_) if self.informer.is_stopped() => return Processed::Closed,
                Ok(deltas) => {
                    if let Some(processed) = self.take_in(deltas) {
                        return processed;
                    }
                }
                Err(WaitError::TimedOut)
                    if deadline.is_some_and(|deadline| deadline <= Instant::now()) =>
                {
                    return Processed::TimedOut;
                }
                Err(WaitError::TimedOut) => {}
                Err(WaitError::Closed) => return Processed::Closed,
            }
        }
    }

    fn take_in(&self, deltas: Vec<Delta<Object>>) -> Option<Processed> {
        match self.to_transform(deltas) {
            Ok(pending) => Some(Processed::Untransformed(pending)),
            Err(deltas) => self
                .commit_or_ask(self.informer.plan(deltas))
                .map(Processed::Pending),
        }
    }

    /// Ends a wait in `process` early, because there is a new resync to wait for.
    pub fn wake_processor(&self) {
        self.informer.queue().wake();
    }

    fn commit_or_ask(&self, mut change: Change<Object>) -> Option<PendingChange> {
        loop {
            let indexers = self.current();
            let writes = change.puts().next().is_some() || change.deleted_keys().next().is_some();
            if !indexers.external.is_empty() && writes {
                return Some(PendingChange { change, indexers });
            }
            change = self.try_commit(change, &indexers, &Vec::new()).err()?;
        }
    }

    fn try_commit(
        &self,
        change: Change<Object>,
        indexers: &Indexers,
        external: &ExternalValues,
    ) -> Result<usize, Change<Object>> {
        self.informer
            .commit(change, indexers.generation, |put, object, sink| {
                indexers.values(object, &of_put(external, put), sink);
            })
    }

    /// Writes the change and tells the listeners. When the indices changed meanwhile nothing happens, and the change comes
    /// back with the indices that there are now.
    pub fn commit(
        &self,
        pending: PendingChange,
        external: &ExternalValues,
    ) -> Result<usize, PendingChange> {
        let PendingChange { change, indexers } = pending;
        self.try_commit(change, &indexers, external)
            .map_err(|change| PendingChange {
                change,
                indexers: self.current(),
            })
    }

    /// Registers indices, to be finished or aborted before others are begun: until then this is refused. Waits while
    /// the index of a label is filled.
    pub fn begin_add_indexers(
        &self,
        new: Vec<(String, Indexer)>,
    ) -> Result<PendingIndexers, StoreError> {
        let mut adding = self.adding.lock();
        if adding.by_user {
            return Err(StoreError::AlreadyAdding);
        }
        let pending = self.begin_add(new)?;
        adding.by_user = true;
        Ok(pending)
    }

    fn begin_add(&self, new: Vec<(String, Indexer)>) -> Result<PendingIndexers, StoreError> {
        let names = new.iter().map(|(name, indexer)| match indexer {
            Indexer::Label => IndexName::Label(name.as_str().into()),
            Indexer::Declared(_) | Indexer::External => IndexName::Given(name.as_str().into()),
        });
        let indices = self
            .informer
            .store()
            .begin_add(names.collect(), |generation| {
                let mut current = self.indexers.write();
                let all = current.all.iter().chain(&new).cloned().collect();
                *current = Arc::new(Indexers::new(generation, all));
            })?;
        Ok(PendingIndexers {
            indices,
            indexers: Indexers::new(0, new),
        })
    }

    /// Fills and opens the new indices. `external` holds the values of the external ones among them.
    pub fn finish_add_indexers(&self, pending: PendingIndexers, external: &ExternalValues) {
        self.finish_add(pending, external);
        self.adding.lock().by_user = false;
    }

    fn finish_add(&self, pending: PendingIndexers, external: &ExternalValues) {
        let mut values = WriteBatch::default();
        for (put, object) in pending.indices.objects().enumerate() {
            values.put(Arc::clone(object), SourceId::FIRST, |object, sink| {
                pending
                    .indexers
                    .values(object, &of_put(external, put), sink);
            });
        }
        self.informer
            .store()
            .finish_add_indices(pending.indices, &values);
    }

    /// Takes the new indices back.
    pub fn abort_add_indexers(&self, pending: &PendingIndexers) {
        self.informer
            .store()
            .abort_add(&pending.indices, |generation| {
                let mut current = self.indexers.write();
                let kept = current.all.len() - pending.indexers.all.len();
                let all = current.all[..kept].to_vec();
                *current = Arc::new(Indexers::new(generation, all));
            });
        self.adding.lock().by_user = false;
    }

    /// Names of all indices and how each gets its values; not those of labels.
    pub fn indexers(&self) -> Vec<(String, Indexer)> {
        self.current().given().cloned().collect()
    }

    /// The set of indices now.
    pub fn current_indexers(&self) -> Arc<Indexers> {
        self.current()
    }

    /// See [`Indexers::declared_values`].
    pub fn declared_values(
        &self,
        name: &str,
        object: &Object,
    ) -> Result<Option<Vec<String>>, StoreError> {
        self.current().declared_values(name, object)
    }
}
