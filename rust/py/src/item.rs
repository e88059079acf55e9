//! `Item`: any Python object under its key, as a payload of the core's generic queue and store.

use std::sync::Arc;

use kubeinformer_core::keyed::Keyed;
use kubeinformer_core::sync::Mutex;
use pyo3::exceptions::{PyException, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyType};

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
pub struct KeyFunction {
    function: Py<PyAny>,
    /// It is the default, whose answer for plain dicts is known without a call.
    is_default: bool,
}

impl KeyFunction {
    pub fn new(py: Python<'_>, given: Option<Bound<'_, PyAny>>) -> PyResult<Self> {
        let Some(function) = given else {
            let keys = py.import("kubeinformer.cache.keys")?;
            let function = keys.getattr("deletion_handling_meta_namespace_key_func")?;
            return Ok(Self {
                function: function.unbind(),
                is_default: true,
            });
        };
        if !function.is_callable() {
            let type_name = errors::type_name(&function);
            return Err(PyTypeError::new_err(format!(
                "key_func must be callable, not {type_name}"
            )));
        }
        Ok(Self {
            function: function.unbind(),
            is_default: false,
        })
    }

    /// The object's key; an exception of the function becomes the cause of an `ObjectKeyError` (client-go §6).
    pub fn key(&self, object: &Bound<'_, PyAny>) -> PyResult<String> {
        if let Some(key) = self.is_default.then(|| key_of_dict(object)).flatten() {
            return Ok(key);
        }
        let py = object.py();
        let key = self
            .function
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

/// The key of a plain dict with plain metadata; None leaves every other case, errors too, to the key function.
fn key_of_dict(object: &Bound<'_, PyAny>) -> Option<String> {
    let py = object.py();
    let metadata = object.cast_exact::<PyDict>().ok()?;
    let metadata = metadata.get_item(intern!(py, "metadata")).ok()??;
    let metadata = metadata.cast_into_exact::<PyDict>().ok()?;
    let text = |name| metadata.get_item(name).ok()?;
    let name = text(intern!(py, "name"))?
        .cast_into_exact::<PyString>()
        .ok()?;
    let name = name.to_str().ok().filter(|name| !name.is_empty())?;
    let Some(namespace) = text(intern!(py, "namespace")) else {
        return Some(name.to_owned());
    };
    let namespace = namespace.cast_into_exact::<PyString>().ok()?;
    match namespace.to_str().ok()? {
        "" => Some(name.to_owned()),
        namespace => Some(format!("{namespace}/{name}")),
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
