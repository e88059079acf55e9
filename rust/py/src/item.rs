//! `Item`: any Python object under its key, as a payload of the core's generic queue and store.

use std::sync::Arc;

use kubeinformer_core::keyed::Keyed;
use pyo3::prelude::*;

use crate::errors;

pub struct Item {
    key: Box<str>,
    object: Py<PyAny>,
}

impl Item {
    pub fn new(key: &str, object: &Bound<'_, PyAny>) -> Arc<Self> {
        Arc::new(Self { key: key.into(), object: object.clone().unbind() })
    }

    /// The very object that was put in (client-go §11).
    pub fn object<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.object.bind(py).clone()
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
        match given {
            Some(function) => Ok(Self(function.unbind())),
            None => {
                let keys = py.import("kubeinformer.cache.keys")?;
                Ok(Self(keys.getattr("deletion_handling_meta_namespace_key_func")?.unbind()))
            }
        }
    }

    /// The object's key; what the function raises becomes the cause of an `ObjectKeyError` (client-go §6).
    pub fn key(&self, object: &Bound<'_, PyAny>) -> PyResult<String> {
        let py = object.py();
        let key = self.0.bind(py).call1((object,)).and_then(|key| key.extract::<String>());
        key.map_err(|cause| errors::object_key(py, object, cause))
    }

    pub fn item(&self, object: &Bound<'_, PyAny>) -> PyResult<Arc<Item>> {
        Ok(Item::new(&self.key(object)?, object))
    }
}
