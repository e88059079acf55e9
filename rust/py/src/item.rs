//! `Item`: any Python object under its key, as a payload of the core's generic queue and store.

use std::sync::Arc;

use kubeinformer_core::keyed::Keyed;
use kubeinformer_core::sync::Mutex;
use pyo3::exceptions::{PyException, PyTypeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

use crate::detached::Reference;
use crate::errors;

/// An index and what its function raised.
type Failure = (Arc<str>, Reference);

pub struct Item {
    key: Box<str>,
    object: Reference,
    /// Of the index functions that raise on this object. Nothing of Python is called or dropped under the lock.
    failures: Mutex<Vec<Failure>>,
}

impl Item {
    pub fn new(key: &str, object: &Bound<'_, PyAny>) -> Arc<Self> {
        Arc::new(Self {
            key: key.into(),
            object: Reference::new(object.clone()),
            failures: Mutex::default(),
        })
    }

    /// The very object that was put in (client-go §11).
    pub fn object<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.object.get(py).clone()
    }

    /// Sets or clears what the function of an index raised; whether it had raised before.
    pub fn note(&self, index: &Arc<str>, failure: Option<Reference>) -> bool {
        let mut failures = self.failures.lock();
        let known = failures.iter().position(|(name, _)| name == index);
        let before = known.map(|place| failures.swap_remove(place));
        failures.extend(failure.map(|failure| (Arc::clone(index), failure)));
        drop(failures);
        before.is_some()
    }

    pub fn has_failed(&self, index: &str) -> bool {
        self.failures
            .lock()
            .iter()
            .any(|(name, _)| &**name == index)
    }

    pub fn has_failures(&self) -> bool {
        !self.failures.lock().is_empty()
    }

    pub fn failure<'py>(&self, py: Python<'py>, index: &str) -> Option<Bound<'py, PyAny>> {
        let failures = self.failures.lock();
        let failure = failures.iter().find(|(name, _)| &**name == index);
        failure.map(|(_, failure)| failure.get(py).clone())
    }
}

impl Keyed for Item {
    fn key(&self) -> &str {
        &self.key
    }
}

/// A key function, or `deletion_handling_meta_namespace_key_func` when the user gave none.
pub struct KeyFunction(Py<PyAny>);

impl KeyFunction {
    pub fn new(py: Python<'_>, given: Option<Bound<'_, PyAny>>) -> PyResult<Self> {
        let Some(function) = given else {
            let keys = py.import("kubeinformer.cache.keys")?;
            return Ok(Self(
                keys.getattr("deletion_handling_meta_namespace_key_func")?
                    .unbind(),
            ));
        };
        if !function.is_callable() {
            let type_name = errors::type_name(&function);
            return Err(PyTypeError::new_err(format!(
                "key_func must be callable, not {type_name}"
            )));
        }
        Ok(Self(function.unbind()))
    }

    /// The object's key; an exception of the function becomes the cause of an `ObjectKeyError` (client-go §6).
    pub fn key(&self, object: &Bound<'_, PyAny>) -> PyResult<String> {
        let py = object.py();
        let key = self
            .0
            .bind(py)
            .call1((object,))
            .and_then(|key| key.extract::<String>());
        key.map_err(|cause| {
            if cause.is_instance_of::<PyException>(py) {
                errors::object_key(py, object, cause)
            } else {
                cause
            }
        })
    }

    pub fn item(&self, object: &Bound<'_, PyAny>) -> PyResult<Arc<Item>> {
        Ok(Item::new(&self.key(object)?, object))
    }
}

pub fn tombstone_class(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    CLASS.import(
        py,
        "kubeinformer.cache.tombstone",
        "DeletedFinalStateUnknown",
    )
}
