//! What `ThreadSafeStore` and `Indexer` share: the core's store over Python objects, and index functions in Python.
//!
//! Key and index functions run before any lock is taken. An index function that raises an `Exception` leaves its object
//! under no value of that index, in `index_errors`, and readable by key: unlike client-go §16 nothing is half-updated and
//! nothing ends the process. What is no `Exception`, such as `KeyboardInterrupt`, ends the call, and nothing is written.

use std::sync::Arc;

use kubeinformer_core::keyed::Keyed;
use kubeinformer_core::queue::SourceId;
use kubeinformer_core::store::{Store, StoreError, View};
use kubeinformer_core::sync::{Mutex, RwLock};
use kubeinformer_core::write_batch::{Key, WriteBatch};
use pyo3::exceptions::{PyException, PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyMapping, PyString};

use crate::detached::{detached, Reference};
use crate::errors;
use crate::fork::Birth;
use crate::item::Item;

const SOURCE: SourceId = SourceId(0);

type Functions = Vec<(Arc<str>, Reference)>;

/// One change of a transaction.
pub enum Change {
    Put(Arc<Item>),
    Delete(String),
}

pub struct Indexed {
    store: Store<Item>,
    /// The index functions and the store's generation that they belong to.
    functions: RwLock<(u32, Arc<Functions>)>,
    /// Held by `add_indexers`, whose calls must not overlap.
    adding: Mutex<()>,
    birth: Birth,
}

impl Indexed {
    pub fn new(indexers: Option<&Bound<'_, PyMapping>>) -> PyResult<Self> {
        let own = Self {
            store: Store::new(),
            functions: RwLock::default(),
            adding: Mutex::default(),
            birth: Birth::now(),
        };
        if let Some(indexers) = indexers {
            own.add_indexers(indexers)?;
        }
        Ok(own)
    }

    /// Reads without letting go of the interpreter, unless a write is under way (invariant 2).
    pub fn read<R: Send>(
        &self,
        py: Python<'_>,
        with: impl Fn(&View<'_, Item>) -> R + Sync,
    ) -> PyResult<R> {
        self.birth.check()?;
        if let Some(view) = self.store.try_read() {
            return Ok(with(&view));
        }
        Ok(detached(py, || with(&self.store.read())))
    }

    /// The same for what may touch many objects.
    pub fn scan<R: Send>(
        &self,
        py: Python<'_>,
        with: impl Fn(&View<'_, Item>) -> R + Sync,
    ) -> PyResult<R> {
        self.birth.check()?;
        Ok(detached(py, || with(&self.store.read())))
    }

    fn functions(&self) -> (u32, Arc<Functions>) {
        let functions = self.functions.read();
        (functions.0, Arc::clone(&functions.1))
    }

    /// Applies changes in order under one lock.
    pub fn write(
        &self,
        py: Python<'_>,
        changes: &[Change],
        replace: bool,
        resource_version: Option<&str>,
    ) -> PyResult<()> {
        self.birth.check()?;
        loop {
            let (generation, functions) = self.functions();
            let mut batch = WriteBatch::with_capacity(changes.len());
            for change in changes {
                match change {
                    Change::Put(item) => self.put(py, &mut batch, item, &functions)?,
                    Change::Delete(key) => batch.delete(Key::Text(key.as_str().into())),
                }
            }
            let apply = || {
                let batch = &mut batch;
                if replace {
                    self.store.replace(batch, generation, resource_version)
                } else {
                    self.store.apply(batch, generation, resource_version)
                }
            };
            match detached(py, apply) {
                Ok(()) => return Ok(()),
                Err(StoreError::Stale) => py.check_signals()?,
                Err(error) => return Err(errors::store(&error)),
            }
        }
    }

    /// Runs the index functions on an item and adds it with their values to the batch.
    fn put(
        &self,
        py: Python<'_>,
        batch: &mut WriteBatch<Item>,
        item: &Arc<Item>,
        functions: &Functions,
    ) -> PyResult<()> {
        let object = item.object(py);
        let mut values: Vec<(u16, Vec<String>)> = Vec::with_capacity(functions.len());
        for (number, (name, function)) in functions.iter().enumerate() {
            match index_values(function.get(py), &object) {
                Ok(of_index) => {
                    item.note(name, None);
                    values.push((number as u16, of_index));
                }
                Err(failure) if failure.is_instance_of::<PyException>(py) => {
                    self.failed(py, name, item, &failure)?;
                }
                Err(interrupt) => return Err(interrupt),
            }
        }
        batch.put(Arc::clone(item), SOURCE, |_, sink| {
            for (number, of_index) in &values {
                for value in of_index {
                    sink(*number, value);
                }
            }
        });
        Ok(())
    }

    /// Keeps what an index function raised; logs it unless it did so on the stored version of the object.
    fn failed(
        &self,
        py: Python<'_>,
        index: &Arc<str>,
        item: &Arc<Item>,
        failure: &PyErr,
    ) -> PyResult<()> {
        let known = item.note(
            index,
            Some(Reference::new(failure.value(py).clone().into_any())),
        );
        let failed_before =
            |stored: &Arc<Item>| !Arc::ptr_eq(stored, item) && stored.has_failed(index);
        if !known && !self.read(py, |view| view.get(item.key()).is_some_and(failed_before))? {
            report_index_failure(py, index, item.key(), failure);
        }
        Ok(())
    }

    /// Index -> key -> exception, of the objects in the store.
    pub fn index_errors<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let failed: Vec<Arc<Item>> = self.scan(py, |view| {
            view.objects()
                .filter(|item| item.has_failures())
                .cloned()
                .collect()
        })?;
        let errors = PyDict::new(py);
        for (index, _) in self.functions().1.iter() {
            let of_index = PyDict::new(py);
            for item in &failed {
                if let Some(failure) = item.failure(py, index) {
                    of_index.set_item(item.key(), failure)?;
                }
            }
            if !of_index.is_empty() {
                errors.set_item(&**index, of_index)?;
            }
        }
        Ok(errors)
    }

    /// client-go §21: none is added when one exists; objects that are there are indexed before this returns.
    pub fn add_indexers(&self, indexers: &Bound<'_, PyMapping>) -> PyResult<()> {
        self.birth.check()?;
        let py = indexers.py();
        let new = checked_functions(indexers)?;
        let names: Vec<&str> = new.iter().map(|(name, _)| &**name).collect();
        let Some(_one_at_a_time) = self.adding.try_lock() else {
            return Err(PyRuntimeError::new_err(
                "add_indexers is already running in another thread or in a callback",
            ));
        };
        let old = self.functions().1;
        let all = old
            .iter()
            .chain(&new)
            .map(|(name, function)| {
                let function = Reference::new(function.get(py).clone());
                (Arc::clone(name), function)
            })
            .collect();
        let pending = detached(py, || {
            let pending = self.store.begin_add_indices(&names)?;
            self.set_functions(Arc::new(all));
            Ok(pending)
        });
        let pending = pending.map_err(|error: StoreError| errors::store(&error))?;
        let mut values = WriteBatch::default();
        if let Err(interrupt) = pending
            .objects()
            .try_for_each(|item| self.put(py, &mut values, item, &new))
        {
            detached(py, || {
                self.store.abort_add_indices(&pending);
                self.set_functions(old);
            });
            return Err(interrupt);
        }
        detached(py, || self.store.finish_add_indices(pending, &values));
        Ok(())
    }

    /// A write between a change of the store's indices and this call finds that its functions are stale and starts
    /// again.
    fn set_functions(&self, functions: Arc<Functions>) {
        let generation = self.store.generation();
        let retired = std::mem::replace(&mut *self.functions.write(), (generation, functions));
        drop(retired);
    }

    /// The index functions by name.
    pub fn indexers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.birth.check()?;
        let indexers = PyDict::new(py);
        for (name, function) in self.functions().1.iter() {
            indexers.set_item(&**name, function.get(py))?;
        }
        Ok(indexers)
    }

    /// The objects that share a value of the index with `object`, which need not be in the store (client-go §20). What
    /// the index function raises is raised (§17).
    pub fn index<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        object: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyList>> {
        self.birth.check()?;
        let functions = self.functions().1;
        let Some((_, function)) = functions.iter().find(|(known, _)| &**known == name) else {
            return Err(errors::store(&StoreError::NoIndex(name.to_owned())));
        };
        let values = index_values(function.get(py), object)?;
        let found = self.read(py, |view| {
            let mut found: Vec<Arc<Item>> = Vec::new();
            for value in &values {
                for item in view.by_index(name, value)? {
                    if !found.iter().any(|known| Arc::ptr_eq(known, item)) {
                        found.push(Arc::clone(item));
                    }
                }
            }
            Ok(found)
        })?;
        objects(py, found)
    }

    pub fn by_index<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        value: &str,
    ) -> PyResult<Bound<'py, PyList>> {
        let found = self.read(py, |view| {
            Ok(view.by_index(name, value)?.cloned().collect::<Vec<_>>())
        })?;
        objects(py, found)
    }

    pub fn index_keys(&self, py: Python<'_>, name: &str, value: &str) -> PyResult<Vec<String>> {
        let keys = self.read(py, |view| {
            let mut keys: Vec<String> = view
                .by_index(name, value)?
                .map(|item| item.key().to_owned())
                .collect();
            keys.sort_unstable();
            Ok(keys)
        })?;
        keys.map_err(|error: StoreError| errors::store(&error))
    }

    /// client-go §18: an unknown index has no values.
    pub fn index_func_values(&self, py: Python<'_>, name: &str) -> PyResult<Vec<String>> {
        self.scan(py, |view| match view.index_values(name) {
            Ok(values) => values.map(str::to_owned).collect(),
            Err(_) => Vec::new(),
        })
    }

    pub fn get<'py>(&self, py: Python<'py>, key: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        let item = self.read(py, |view| view.get(key).cloned())?;
        Ok(item.map(|item| item.object(py)))
    }

    pub fn list<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let items: Vec<Arc<Item>> = self.scan(py, |view| view.objects().cloned().collect())?;
        objects(py, Ok(items))
    }

    pub fn keys(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.scan(py, |view| {
            view.objects().map(|item| item.key().to_owned()).collect()
        })
    }

    pub fn len(&self, py: Python<'_>) -> PyResult<usize> {
        self.read(py, |view| view.len())
    }

    pub fn contains(&self, py: Python<'_>, key: &str) -> PyResult<bool> {
        self.read(py, |view| view.get(key).is_some())
    }

    pub fn bookmark(&self, py: Python<'_>, resource_version: &str) -> PyResult<()> {
        self.birth.check()?;
        detached(py, || self.store.set_resource_version(resource_version));
        Ok(())
    }

    pub fn resource_version(&self, py: Python<'_>) -> PyResult<String> {
        self.read(py, |view| view.resource_version().to_owned())
    }
}

fn objects(
    py: Python<'_>,
    found: Result<Vec<Arc<Item>>, StoreError>,
) -> PyResult<Bound<'_, PyList>> {
    let found = found.map_err(|error| errors::store(&error))?;
    PyList::new(py, found.iter().map(|item| item.object(py)))
}

/// Runs an index function; a plain string is refused, since it would be taken apart into letters.
fn index_values(function: &Bound<'_, PyAny>, object: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    let values = function.call1((object,))?;
    if values.is_none() {
        return Ok(Vec::new());
    }
    if values.is_instance_of::<PyString>() {
        return Err(PyTypeError::new_err(
            "an index function must return a list of strings, not a string",
        ));
    }
    values.try_iter()?.map(|value| value?.extract()).collect()
}

fn checked_functions(indexers: &Bound<'_, PyMapping>) -> PyResult<Functions> {
    let items = indexers.items()?;
    let checked = items.iter().map(|item| {
        let (name, function): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.extract()?;
        let Ok(name) = name.extract::<String>() else {
            return Err(PyTypeError::new_err(format!(
                "indexers: {} is no name of an index",
                name.repr()?
            )));
        };
        if !function.is_callable() {
            return Err(PyTypeError::new_err(format!(
                "indexers[{name:?}] must be callable"
            )));
        }
        Ok((name.into(), Reference::new(function)))
    });
    checked.collect()
}

fn report_index_failure(py: Python<'_>, index: &str, key: &str, failure: &PyErr) {
    let logged = py.import("kubeinformer.cache.reports").and_then(|reports| {
        reports.call_method1(
            "index_function_failed",
            (index, key, failure.clone_ref(py).into_value(py)),
        )
    });
    if let Err(error) = logged {
        error.write_unraisable(py, None);
    }
}
