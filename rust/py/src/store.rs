//! `ThreadSafeStore` and `Indexer` (client-go's names): the core's indexed store for any Python objects.

use pyo3::exceptions::{PyException, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyMapping, PyString};

use crate::errors;
use crate::indexed::{Change, Indexed};
use crate::item::{tombstone_class, Item, KeyFunction};
use crate::object::KubeObject;

/// Objects by a key that the caller gives.
#[pyclass(frozen, generic, module = "kubeinformer.cache")]
pub struct ThreadSafeStore {
    inner: Indexed,
}

#[pymethods]
impl ThreadSafeStore {
    #[new]
    #[pyo3(signature = (indexers=None))]
    fn new(indexers: Option<&Bound<'_, PyMapping>>) -> PyResult<Self> {
        Ok(Self {
            inner: Indexed::new(indexers)?,
        })
    }

    fn add(&self, key: &str, obj: &Bound<'_, PyAny>) -> PyResult<()> {
        self.update(key, obj)
    }

    fn update(&self, key: &str, obj: &Bound<'_, PyAny>) -> PyResult<()> {
        let version = resource_version_of(obj);
        self.inner.write(
            obj.py(),
            &[Change::Put(Item::new(key, obj))],
            false,
            version.as_deref(),
        )
    }

    fn delete(&self, py: Python<'_>, key: &str) -> PyResult<()> {
        self.inner
            .write(py, &[Change::Delete(key.to_owned())], false, None)
    }

    fn delete_with_object(&self, key: &str, obj: &Bound<'_, PyAny>) -> PyResult<()> {
        let version = resource_version_of(obj);
        self.inner.write(
            obj.py(),
            &[Change::Delete(key.to_owned())],
            false,
            version.as_deref(),
        )
    }

    fn transaction(
        &self,
        py: Python<'_>,
        changes: Vec<(Bound<'_, PyString>, String, Bound<'_, PyAny>)>,
    ) -> PyResult<()> {
        let made = changes.iter().enumerate().map(|(place, (kind, key, obj))| {
            Ok(if deletes(place, kind.to_str()?)? {
                Change::Delete(key.clone())
            } else {
                Change::Put(Item::new(key, obj))
            })
        });
        let made: Vec<Change> = made.collect::<PyResult<_>>()?;
        let version = changes
            .last()
            .and_then(|(_, _, obj)| resource_version_of(obj));
        self.inner.write(py, &made, false, version.as_deref())
    }

    fn get<'py>(&self, py: Python<'py>, key: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.inner.get(py, key)
    }

    fn list<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        self.inner.list(py)
    }

    fn list_keys(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.inner.keys(py)
    }

    #[pyo3(signature = (items, resource_version=""))]
    fn replace(&self, items: &Bound<'_, PyMapping>, resource_version: &str) -> PyResult<()> {
        let pairs = items.items()?;
        let changes = pairs.iter().map(|pair| {
            let (key, obj): (String, Bound<'_, PyAny>) = pair.extract()?;
            Ok(Change::Put(Item::new(&key, &obj)))
        });
        let changes: Vec<Change> = changes.collect::<PyResult<_>>()?;
        self.inner
            .write(items.py(), &changes, true, Some(resource_version))
    }

    fn index<'py>(
        &self,
        py: Python<'py>,
        index_name: &str,
        obj: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyList>> {
        self.inner.index(py, index_name, obj)
    }

    fn by_index<'py>(
        &self,
        py: Python<'py>,
        index_name: &str,
        value: &str,
    ) -> PyResult<Bound<'py, PyList>> {
        self.inner.by_index(py, index_name, value)
    }

    fn index_keys(&self, py: Python<'_>, index_name: &str, value: &str) -> PyResult<Vec<String>> {
        self.inner.index_keys(py, index_name, value)
    }

    fn list_index_func_values(&self, py: Python<'_>, index_name: &str) -> PyResult<Vec<String>> {
        self.inner.index_func_values(py, index_name)
    }

    fn get_indexers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.inner.indexers(py)
    }

    fn add_indexers(&self, indexers: &Bound<'_, PyMapping>) -> PyResult<()> {
        self.inner.add_indexers(indexers)
    }

    fn index_errors<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.inner.index_errors(py)
    }

    fn bookmark(&self, py: Python<'_>, resource_version: &str) -> PyResult<()> {
        self.inner.bookmark(py, resource_version)
    }

    fn last_store_sync_resource_version(&self, py: Python<'_>) -> PyResult<String> {
        self.inner.resource_version(py)
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        self.inner.len(py)
    }

    fn __contains__(&self, py: Python<'_>, key: &str) -> PyResult<bool> {
        self.inner.contains(py, key)
    }
}

/// Objects by the key that a key function gives.
#[pyclass(frozen, generic, module = "kubeinformer.cache")]
pub struct Indexer {
    inner: Indexed,
    key_function: KeyFunction,
    transformer: Option<Py<PyAny>>,
}

impl Indexer {
    /// The transformed object, under the key that it had before (client-go §24).
    fn put<'py>(&self, obj: &Bound<'py, PyAny>) -> PyResult<(Change, Bound<'py, PyAny>)> {
        let key = self.key_function.key(obj)?;
        let obj = match &self.transformer {
            Some(transformer) => transformer.bind(obj.py()).call1((obj,))?,
            None => obj.clone(),
        };
        Ok((Change::Put(Item::new(&key, &obj)), obj))
    }
}

#[pymethods]
impl Indexer {
    #[new]
    #[pyo3(signature = (key_func=None, indexers=None, *, transformer=None))]
    fn new(
        py: Python<'_>,
        key_func: Option<Bound<'_, PyAny>>,
        indexers: Option<&Bound<'_, PyMapping>>,
        transformer: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        Ok(Self {
            inner: Indexed::new(indexers)?,
            key_function: KeyFunction::new(py, key_func)?,
            transformer: transformer.map(Bound::unbind),
        })
    }

    fn add(&self, obj: &Bound<'_, PyAny>) -> PyResult<()> {
        self.update(obj)
    }

    fn update(&self, obj: &Bound<'_, PyAny>) -> PyResult<()> {
        let (change, obj) = self.put(obj)?;
        let version = resource_version_of(&obj);
        self.inner
            .write(obj.py(), &[change], false, version.as_deref())
    }

    fn delete(&self, obj: &Bound<'_, PyAny>) -> PyResult<()> {
        let version = resource_version_of(obj);
        let key = self.key_function.key(obj)?;
        self.inner
            .write(obj.py(), &[Change::Delete(key)], false, version.as_deref())
    }

    fn transaction(
        &self,
        py: Python<'_>,
        changes: Vec<(Bound<'_, PyString>, Bound<'_, PyAny>)>,
    ) -> PyResult<()> {
        let (mut good, mut last) = (Vec::with_capacity(changes.len()), None);
        let (mut successful, mut failures) = (Vec::new(), Vec::new());
        for (place, (kind, obj)) in changes.iter().enumerate() {
            let change = if deletes(place, kind.to_str()?)? {
                self.key_function.key(obj).map(Change::Delete)
            } else {
                self.key_function.item(obj).map(Change::Put)
            };
            match change {
                Ok(change) => {
                    good.push(change);
                    successful.push(place);
                    last = Some(obj);
                }
                Err(failure) if failure.is_instance_of::<PyException>(py) => failures.push(failure),
                Err(interrupt) => return Err(interrupt),
            }
        }
        if !good.is_empty() {
            let version = last.and_then(resource_version_of);
            self.inner.write(py, &good, false, version.as_deref())?;
        }
        if failures.is_empty() {
            return Ok(());
        }
        Err(errors::transaction(py, successful, failures))
    }

    fn list<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        self.inner.list(py)
    }

    fn list_keys(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.inner.keys(py)
    }

    fn get<'py>(&self, obj: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.inner.get(obj.py(), &self.key_function.key(obj)?)
    }

    fn get_by_key<'py>(&self, py: Python<'py>, key: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.inner.get(py, key)
    }

    #[pyo3(signature = (items, resource_version=""))]
    fn replace(
        &self,
        py: Python<'_>,
        items: Vec<Bound<'_, PyAny>>,
        resource_version: &str,
    ) -> PyResult<()> {
        let changes: Vec<Change> = items
            .iter()
            .map(|obj| Ok(self.put(obj)?.0))
            .collect::<PyResult<_>>()?;
        self.inner.write(py, &changes, true, Some(resource_version))
    }

    /// client-go's store has it, and it does nothing there either.
    #[allow(clippy::unused_self)]
    fn resync(&self) {}

    fn index<'py>(
        &self,
        py: Python<'py>,
        index_name: &str,
        obj: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyList>> {
        self.inner.index(py, index_name, obj)
    }

    fn by_index<'py>(
        &self,
        py: Python<'py>,
        index_name: &str,
        value: &str,
    ) -> PyResult<Bound<'py, PyList>> {
        self.inner.by_index(py, index_name, value)
    }

    fn index_keys(&self, py: Python<'_>, index_name: &str, value: &str) -> PyResult<Vec<String>> {
        self.inner.index_keys(py, index_name, value)
    }

    fn list_index_func_values(&self, py: Python<'_>, index_name: &str) -> PyResult<Vec<String>> {
        self.inner.index_func_values(py, index_name)
    }

    fn get_indexers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.inner.indexers(py)
    }

    fn add_indexers(&self, indexers: &Bound<'_, PyMapping>) -> PyResult<()> {
        self.inner.add_indexers(indexers)
    }

    fn index_errors<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.inner.index_errors(py)
    }

    fn bookmark(&self, py: Python<'_>, resource_version: &str) -> PyResult<()> {
        self.inner.bookmark(py, resource_version)
    }

    fn last_store_sync_resource_version(&self, py: Python<'_>) -> PyResult<String> {
        self.inner.resource_version(py)
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        self.inner.len(py)
    }

    fn __contains__(&self, py: Python<'_>, key: &str) -> PyResult<bool> {
        self.inner.contains(py, key)
    }
}

/// Whether a change of this type, at this place of a transaction, takes something out.
fn deletes(place: usize, kind: &str) -> PyResult<bool> {
    match kind {
        "Deleted" => Ok(true),
        "Added" | "Updated" | "Replaced" | "Sync" => Ok(false),
        kind => Err(PyValueError::new_err(format!(
            "changes[{place}]: {kind:?} is no type of a delta that a store can take"
        ))),
    }
}

/// What a write of this object sets the store's resourceVersion to: its own, "" when it has none; None, no change, for
/// what is no API object, a tombstone among them (client-go §27, §28).
fn resource_version_of(obj: &Bound<'_, PyAny>) -> Option<String> {
    if let Ok(object) = obj.cast::<KubeObject>() {
        return Some(object.get().object().resource_version().to_owned());
    }
    if tombstone_class(obj.py()).is_ok_and(|class| obj.is_instance(class).unwrap_or(false)) {
        return None;
    }
    let version = if let Ok(mapping) = obj.cast::<PyMapping>() {
        let metadata = mapping.get_item("metadata").ok()?;
        metadata
            .cast::<PyMapping>()
            .ok()?
            .call_method1("get", ("resourceVersion",))
            .ok()?
    } else if let Ok(version) = obj.getattr("resource_version") {
        version
    } else {
        obj.getattr("metadata")
            .ok()?
            .getattr("resource_version")
            .ok()?
    };
    version
        .extract::<Option<String>>()
        .ok()
        .map(Option::unwrap_or_default)
}
