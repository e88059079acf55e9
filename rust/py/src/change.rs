//! `Change` and `NewIndexers`: what an informer wants Python's index values for. Each is given back once.

use std::sync::Arc;

use kubeinformer_core::object_informer::{
    ExternalValues, Indexers, PendingChange, PendingIndexers,
};
use kubeinformer_core::sync::Mutex;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::fork::Birth;
use crate::object::Origin;
use crate::pieces::{handles, lists_of_strings, strings};

pub fn committed() -> PyErr {
    PyRuntimeError::new_err("this change was committed before")
}

/// Values by index name, in the order that the core wants them.
pub fn external_values(
    indexers: &Indexers,
    values: &Bound<'_, PyDict>,
) -> PyResult<ExternalValues> {
    let of_index = |name: &str| match values.get_item(name)? {
        Some(of_index) => lists_of_strings(&of_index),
        None => Err(PyValueError::new_err(format!(
            "values of the index {name:?} are missing"
        ))),
    };
    indexers.external_names().map(of_index).collect()
}

/// A batch whose index values the caller works out in Python.
#[pyclass(frozen, module = "kubeinformer._core")]
pub struct Change {
    pub pending: Mutex<Option<PendingChange>>,
    pub origin: Arc<Origin>,
    pub birth: Birth,
}

impl Change {
    fn with<R>(&self, read: impl FnOnce(&PendingChange) -> R) -> PyResult<R> {
        self.birth.check()?;
        let change = self.pending.try_lock().ok_or_else(committed)?;
        change.as_ref().map(read).ok_or_else(committed)
    }
}

#[pymethods]
impl Change {
    /// The objects that are written, in the order in which `commit` wants values.
    fn objects<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let objects = self.with(|change| change.objects().cloned().collect())?;
        handles(py, objects, &self.origin)
    }

    /// Keys that leave the store.
    fn deleted_keys<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let keys = self.with(|change| change.deleted_keys().map(str::to_owned).collect())?;
        strings(py, keys)
    }

    /// Names of the indices whose values `commit` wants; they change when `commit` gives False.
    fn index_names(&self) -> PyResult<Vec<String>> {
        self.with(|change| {
            change
                .indexers()
                .external_names()
                .map(str::to_owned)
                .collect()
        })
    }
}

/// Indices between `begin_add_indexers` and `finish_add_indexers`.
#[pyclass(frozen, module = "kubeinformer._core")]
pub struct NewIndexers {
    pub pending: Mutex<Option<PendingIndexers>>,
    pub origin: Arc<Origin>,
    pub birth: Birth,
}

#[pymethods]
impl NewIndexers {
    /// The objects in the order in which `finish_add_indexers` wants values.
    fn objects<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        self.birth.check()?;
        let pending = self.pending.try_lock().ok_or_else(committed)?;
        let pending_objects = pending.as_ref().ok_or_else(committed)?.objects();
        let objects = pending_objects.cloned().collect();
        drop(pending);
        handles(py, objects, &self.origin)
    }
}
