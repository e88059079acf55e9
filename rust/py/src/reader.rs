//! `StoreReader`: how the store of an informer is read, as it is or as a snapshot of it was.
//!
//! A reader is attached to the interpreter iff what it does takes some microseconds and no write is under way
//! (invariant 2). What touches many objects of a live store is done on a snapshot, for which no writer waits.

use std::sync::Arc;

use kubeinformer_core::keyed::Keyed;
use kubeinformer_core::object::{json_array, Object};
use kubeinformer_core::object_informer::{Indexers, ObjectInformer, Selection};
use kubeinformer_core::queue::SourceId;
use kubeinformer_core::store::{Cut, Snapshot as CoreSnapshot, StoreError};
use kubeinformer_core::sync::Mutex;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

use crate::errors;
use crate::fork::Birth;
use crate::json_pieces::JSONPieces;
use crate::object::{KubeObject, Origin};
use crate::path::Compiled;
use crate::pieces::{handles, list_of, strings};
use crate::selector::Selector;
use crate::snapshot::Snapshot;

/// Objects that are copied out without letting go of the interpreter.
const FEW: usize = 256;

/// Objects that are copied out while writers wait: some 100 microseconds.
const SOME: usize = 4096;

/// By name: a namespace, or "" for the whole cluster.
pub type Sources = Vec<(String, SourceId)>;

enum Read {
    Live {
        core: Arc<ObjectInformer>,
        sources: Arc<Mutex<Sources>>,
    },
    Snapshot {
        /// None only while it is dropped.
        cut: Option<CoreSnapshot<Object>>,
        indexers: Arc<Indexers>,
        sources: Sources,
        /// Number of the informer's sources.
        count: u32,
    },
}

#[pyclass(frozen, subclass, module = "kubeinformer._core")]
pub struct StoreReader {
    read: Read,
    origin: Arc<Origin>,
    birth: Birth,
}

impl Drop for StoreReader {
    /// The tables of a snapshot are freed while other threads run.
    fn drop(&mut self) {
        if let Read::Snapshot { cut, .. } = &mut self.read {
            if let Some(cut) = cut.take_if(|cut| cut.len() > FEW) {
                let mut cut = Some(cut);
                Python::try_attach(|py| py.detach(|| drop(cut.take())));
            }
        }
    }
}

const HELD: &str = "a snapshot is held until it is dropped";

impl StoreReader {
    pub fn live(
        core: &Arc<ObjectInformer>,
        sources: &Arc<Mutex<Sources>>,
        origin: &Arc<Origin>,
        birth: Birth,
    ) -> Self {
        Self {
            read: Read::Live {
                core: Arc::clone(core),
                sources: Arc::clone(sources),
            },
            origin: Arc::clone(origin),
            birth,
        }
    }

    /// A reader of what this one reads now.
    fn of_now(&self, py: Python<'_>) -> PyResult<Self> {
        self.birth.check()?;
        let read = match &self.read {
            Read::Live { core, sources } => py.detach(|| Read::Snapshot {
                cut: Some(core.informer().store().snapshot()),
                indexers: core.current_indexers(),
                sources: sources.lock().clone(),
                count: core.informer().queue().sources(),
            }),
            Read::Snapshot {
                cut,
                indexers,
                sources,
                count,
            } => Read::Snapshot {
                cut: cut.clone(),
                indexers: Arc::clone(indexers),
                sources: sources.clone(),
                count: *count,
            },
        };
        Ok(Self {
            read,
            origin: Arc::clone(&self.origin),
            birth: self.birth,
        })
    }

    /// Reads without letting go of the interpreter, unless a write is under way.
    pub fn read<R: Send>(
        &self,
        py: Python<'_>,
        with: impl Fn(&Cut<Object>) -> R + Sync,
    ) -> PyResult<R> {
        self.birth.check()?;
        match &self.read {
            Read::Snapshot { cut, .. } => Ok(with(cut.as_ref().expect(HELD))),
            Read::Live { core, .. } => {
                let store = core.informer().store();
                if let Some(view) = store.try_read() {
                    return Ok(with(&view));
                }
                Ok(py.detach(|| with(&store.read())))
            }
        }
    }

    /// The same, detached, for what touches `count` objects.
    fn scan<R: Send>(
        &self,
        py: Python<'_>,
        count: usize,
        with: impl Fn(&Cut<Object>) -> R + Sync,
    ) -> PyResult<R> {
        self.birth.check()?;
        Ok(py.detach(|| self.scan_detached(count, &with)))
    }

    fn scan_detached<R>(&self, count: usize, with: &impl Fn(&Cut<Object>) -> R) -> R {
        match &self.read {
            Read::Snapshot { cut, .. } => with(cut.as_ref().expect(HELD)),
            Read::Live { core, .. } if count > SOME => with(&core.informer().store().snapshot()),
            Read::Live { core, .. } => with(&core.informer().store().read()),
        }
    }

    fn selected(
        &self,
        py: Python<'_>,
        selector: Option<&Selector>,
        namespace: Option<&str>,
    ) -> PyResult<Vec<Arc<Object>>> {
        let selector = selector.map(|selector| &selector.core);
        let selection = Selection {
            selector,
            namespace,
        };
        let few = self.read(py, |cut| {
            let candidates = selection.candidates(cut);
            let count = candidates.count();
            (count, (count <= FEW).then(|| candidates.objects()))
        })?;
        let count = match few {
            (_, Some(found)) => return Ok(found),
            (count, None) => count,
        };
        Ok(py.detach(|| {
            if let (Read::Live { core, .. }, Some(selector)) = (&self.read, selector) {
                core.index_labels(selector, count);
            }
            self.scan_detached(count, &|cut: &Cut<Object>| {
                selection.candidates(cut).objects()
            })
        }))
    }

    /// The objects that an index lists under a value.
    fn under(&self, py: Python<'_>, name: &str, value: &str) -> PyResult<Vec<Arc<Object>>> {
        let few = self.read(py, |cut| {
            let count = cut.count_by_index(name, value)?;
            let few = (count <= FEW).then(|| cut.objects_by_index(name, value));
            Ok((count, few.transpose()?))
        })?;
        let found = match few {
            Ok((count, None)) => self.scan(py, count, |cut| cut.objects_by_index(name, value))?,
            few => few.map(|(_, few)| few.unwrap_or_default()),
        };
        found.map_err(|error: StoreError| errors::store(&error))
    }

    /// The handles of the objects from slot `start` up to `stop`.
    pub fn objects(&self, py: Python<'_>, start: usize, stop: usize) -> PyResult<Vec<KubeObject>> {
        let count = stop.saturating_sub(start);
        let objects = self.read(py, |cut| cut.objects_from(start, count))?;
        let handles = objects.into_iter();
        Ok(handles
            .map(|object| KubeObject::new(object, &self.origin))
            .collect())
    }

    /// The source that has the objects of a namespace; none for all sources. To be called while detached.
    pub fn source_of(&self, namespace: Option<&str>) -> PyResult<Option<SourceId>> {
        match &self.read {
            Read::Live { sources, .. } => source_of(&sources.lock(), namespace),
            Read::Snapshot { sources, .. } => source_of(sources, namespace),
        }
    }
}

fn source_of(sources: &Sources, namespace: Option<&str>) -> PyResult<Option<SourceId>> {
    let Some(namespace) = namespace else {
        return Ok(None);
    };
    let has = |(name, _): &&(String, SourceId)| name.is_empty() || name == namespace;
    let (_, id) = sources.iter().find(has).ok_or_else(|| {
        PyValueError::new_err(format!(
            "namespace {namespace:?} is not one of the informer's"
        ))
    })?;
    Ok(Some(*id))
}

#[pymethods]
impl StoreReader {
    fn snapshot(&self, py: Python<'_>) -> PyResult<Py<Snapshot>> {
        let reader = PyClassInitializer::from(self.of_now(py)?);
        Py::new(py, reader.add_subclass(Snapshot))
    }

    fn get(&self, py: Python<'_>, key: &str) -> PyResult<Option<KubeObject>> {
        let found = self.read(py, |cut| cut.get(key).cloned())?;
        Ok(found.map(|object| KubeObject::new(object, &self.origin)))
    }

    #[pyo3(signature = (selector=None, namespace=None))]
    fn list<'py>(
        &self,
        py: Python<'py>,
        selector: Option<&Selector>,
        namespace: Option<&str>,
    ) -> PyResult<Bound<'py, PyList>> {
        let found = self.selected(py, selector, namespace)?;
        handles(py, found, &self.origin)
    }

    fn keys<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let key = |object: &Arc<Object>| object.key().to_owned();
        let count = self.read(py, |cut| cut.slot_bound())?;
        let keys = self.scan(py, count, |cut| cut.objects().map(key).collect())?;
        strings(py, keys)
    }

    #[pyo3(signature = (selector=None, namespace=None))]
    fn list_json<'py>(
        &self,
        py: Python<'py>,
        selector: Option<&Selector>,
        namespace: Option<&str>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let found = self.selected(py, selector, namespace)?;
        let json = py.detach(|| {
            let json = json_array(&found);
            drop(found);
            json
        });
        Ok(PyBytes::new(py, &json))
    }

    #[pyo3(signature = (selector=None, namespace=None))]
    fn json_pieces(
        &self,
        py: Python<'_>,
        selector: Option<&Selector>,
        namespace: Option<&str>,
    ) -> PyResult<JSONPieces> {
        let objects = self.selected(py, selector, namespace)?;
        Ok(JSONPieces { objects })
    }

    #[pyo3(signature = (paths, *, index=None, value=None))]
    fn project<'py>(
        &self,
        py: Python<'py>,
        paths: Vec<String>,
        index: Option<&str>,
        value: Option<&str>,
    ) -> PyResult<Bound<'py, PyList>> {
        let compiled = Compiled::new(&paths)?;
        let found = match (index, value) {
            (Some(index), Some(value)) => self.under(py, index, value)?,
            (None, None) => self.selected(py, None, None)?,
            _ => return Err(PyTypeError::new_err("index and value go together")),
        };
        let values = py.detach(|| {
            found
                .iter()
                .map(|object| Ok((object, compiled.extract(object)?)))
                .collect::<Result<Vec<_>, _>>()
        });
        let values = values.map_err(|error| errors::scan(&error))?;
        let rows = list_of(py, values, |(object, values)| {
            PyTuple::new(py, compiled.to_python(py, object.key(), &values)?)
        });
        py.detach(|| drop(found));
        rows
    }

    fn by_index<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        value: &str,
    ) -> PyResult<Bound<'py, PyList>> {
        let found = self.under(py, name, value)?;
        handles(py, found, &self.origin)
    }

    fn index_keys<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        value: &str,
    ) -> PyResult<Bound<'py, PyList>> {
        let found = self.under(py, name, value)?;
        let sorted = |found: Vec<Arc<Object>>| {
            let mut keys: Vec<String> = found.iter().map(|it| it.key().to_owned()).collect();
            keys.sort_unstable();
            keys
        };
        let keys = if found.len() <= FEW {
            sorted(found)
        } else {
            py.detach(|| sorted(found))
        };
        strings(py, keys)
    }

    fn count_by_index(&self, py: Python<'_>, name: &str, value: &str) -> PyResult<usize> {
        self.read(py, |cut| cut.count_by_index(name, value))?
            .map_err(|error| errors::store(&error))
    }

    /// client-go §18: an unknown index has no values.
    fn list_index_func_values<'py>(
        &self,
        py: Python<'py>,
        name: &str,
    ) -> PyResult<Bound<'py, PyList>> {
        // A snapshot for a few values would make the next write copy the tables.
        let count = self.read(py, |cut| cut.index_value_bound(name).unwrap_or(0))?;
        let values = self.scan(py, count, |cut| match cut.index_values(name) {
            Ok(values) => values.map(str::to_owned).collect(),
            Err(_) => Vec::new(),
        })?;
        strings(py, values)
    }

    /// The index's values of any object; None when the index's function is Python's.
    fn declared_values(
        &self,
        py: Python<'_>,
        name: &str,
        object: &KubeObject,
    ) -> PyResult<Option<Vec<String>>> {
        self.birth.check()?;
        let object = object.object();
        let values = py.detach(|| match &self.read {
            Read::Live { core, .. } => core.declared_values(name, object),
            Read::Snapshot { indexers, .. } => indexers.declared_values(name, object),
        });
        values.map_err(|error| errors::store(&error))
    }

    fn values_of(&self, py: Python<'_>, name: &str, key: &str) -> PyResult<Vec<String>> {
        let values = self.read(py, |cut| {
            cut.values_of(name, key)
                .map(|values| values.into_iter().map(str::to_owned).collect::<Vec<_>>())
        })?;
        values.map_err(|error| errors::store(&error))
    }

    fn index_names(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.read(py, |cut| cut.index_names().map(str::to_owned).collect())
    }

    #[pyo3(signature = (namespace=None))]
    fn resource_version(&self, py: Python<'_>, namespace: Option<&str>) -> PyResult<String> {
        self.birth.check()?;
        py.detach(|| {
            let source = self.source_of(namespace)?;
            Ok(match &self.read {
                Read::Live { core, .. } => core.informer().resource_version(source),
                Read::Snapshot { cut, count, .. } => {
                    let cut = cut.as_ref().expect(HELD);
                    cut.resource_version_of_all(source, *count)
                }
            })
        })
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        self.read(py, |cut| cut.len())
    }

    fn __contains__(&self, py: Python<'_>, key: &str) -> PyResult<bool> {
        self.read(py, |cut| cut.get(key).is_some())
    }
}
