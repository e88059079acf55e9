//! `InformerCore`: queue, store, indices and listeners of one informer.

mod reads;

use std::sync::Arc;
use std::time::Duration;

use kubeinformer_core::informer::{InformerOptions, QueueMode};
use kubeinformer_core::keyed::Keyed;
use kubeinformer_core::listener::Backlog;
use kubeinformer_core::object::json_array;
use kubeinformer_core::object_informer::{Indexer, ObjectInformer, PendingChange, Processed};
use kubeinformer_core::queue::SourceId;
use kubeinformer_core::resource_version::ResourceVersion;
use kubeinformer_core::source::ReadOptions;
use kubeinformer_core::source::Transformer;
use kubeinformer_core::sync::Mutex;
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};

use crate::change::{committed, external_values, Change, NewIndexers};
use crate::decoded::DecodeCache;
use crate::errors;
use crate::fork::Birth;
use crate::index::Index;
use crate::listener::Listener;
use crate::object::{KubeObject, Origin};
use crate::path::Compiled;
use crate::selector::Selector;
use crate::snapshot::Snapshot;
use crate::source::Source;
use crate::transform::{Transform, Untransformed};
use crate::wait;

#[pyclass(frozen, module = "kubeinformer._core")]
pub struct InformerCore {
    core: ObjectInformer,
    origin: Arc<Origin>,
    /// By name: a namespace, or "" for the whole cluster.
    sources: Mutex<Vec<(String, SourceId)>>,
    /// Held from `begin_add_indexers` to its end, whose calls must not overlap.
    adding: Mutex<bool>,
    birth: Birth,
}

impl InformerCore {
    /// The core, and what its handles share.
    pub fn parts(&self) -> PyResult<(&ObjectInformer, &Arc<Origin>)> {
        self.birth.check()?;
        Ok((&self.core, &self.origin))
    }

    fn change(&self, pending: PendingChange) -> Change {
        Change {
            pending: Mutex::new(Some(pending)),
            origin: Arc::clone(&self.origin),
            birth: self.birth,
        }
    }
}

#[pymethods]
impl InformerCore {
    #[new]
    #[pyo3(signature = (
        resource, *, keep_managed_fields=false, recreate_as_update=false, notify_unchanged_on_relist=false,
        max_object_bytes=None, queue_bytes=None, decode_cache=4096, queue="atomic"
    ))]
    #[allow(clippy::too_many_arguments)] // keywords in Python
    fn new(
        resource: String,
        keep_managed_fields: bool,
        recreate_as_update: bool,
        notify_unchanged_on_relist: bool,
        max_object_bytes: Option<usize>,
        queue_bytes: Option<usize>,
        decode_cache: usize,
        queue: &str,
    ) -> PyResult<Self> {
        let options = InformerOptions {
            recreate_as_update,
            notify_unchanged_on_relist,
            queue: queue_mode(queue)?,
        };
        let default = ReadOptions::default();
        let read_options = ReadOptions {
            keep_managed_fields,
            max_object: max_object_bytes.unwrap_or(default.max_object),
            queue_bytes: queue_bytes.unwrap_or(default.queue_bytes),
        };
        Ok(Self {
            core: ObjectInformer::new(options, read_options),
            origin: Arc::new(Origin {
                resource,
                cache: DecodeCache::new(decode_cache),
            }),
            sources: Mutex::new(Vec::new()),
            adding: Mutex::new(false),
            birth: Birth::now(),
        })
    }

    fn add_source(&self, py: Python<'_>, name: String) -> PyResult<Source> {
        self.birth.check()?;
        let source = py.detach(|| {
            let source = self.core.add_source();
            self.sources.lock().push((name.clone(), source.id()));
            source
        });
        Ok(Source::new(source, name))
    }

    fn start(&self, py: Python<'_>) -> PyResult<bool> {
        self.birth.check()?;
        Ok(py.detach(|| self.core.informer().start()))
    }

    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        self.birth.check()?;
        py.detach(|| self.core.informer().stop());
        Ok(())
    }

    fn is_stopped(&self) -> PyResult<bool> {
        self.birth.check()?;
        Ok(self.core.informer().is_stopped())
    }

    fn has_synced(&self) -> PyResult<bool> {
        self.birth.check()?;
        Ok(self.core.informer().has_synced())
    }

    #[pyo3(signature = (timeout=None))]
    fn wait_synced(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        self.birth.check()?;
        let timeout = wait::timeout("timeout", timeout)?;
        wait::reached(py, timeout, |slice| {
            self.core.informer().queue().wait_synced(slice)
        })
    }

    #[pyo3(signature = (timeout=None))]
    fn process<'py>(
        &self,
        py: Python<'py>,
        timeout: Option<f64>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.birth.check()?;
        let timeout = wait::timeout("timeout", timeout)?;
        let processed = wait::wait(py, timeout, |slice| match self.core.process(slice) {
            Processed::TimedOut => None,
            processed => Some(processed),
        })?;
        match processed {
            Some(Processed::Pending(pending)) => {
                Ok(Some(Bound::new(py, self.change(pending))?.into_any()))
            }
            Some(Processed::Untransformed(pending)) => {
                let untransformed = Untransformed::new(pending, &self.origin);
                Ok(Some(Bound::new(py, untransformed)?.into_any()))
            }
            Some(Processed::Closed) => Err(errors::closed("the informer")),
            Some(Processed::TimedOut) | None => Ok(None),
        }
    }

    fn commit(
        &self,
        py: Python<'_>,
        change: &Change,
        values: &Bound<'_, PyDict>,
    ) -> PyResult<bool> {
        self.birth.check()?;
        let pending = change
            .pending
            .try_lock()
            .and_then(|mut change| change.take())
            .ok_or_else(committed)?;
        let values = match external_values(pending.indexers(), values) {
            Ok(values) => values,
            Err(error) => {
                *change.pending.lock() = Some(pending);
                return Err(error);
            }
        };
        match py.detach(|| self.core.commit(pending, &values)) {
            Ok(_) => Ok(true),
            Err(pending) => {
                *change.pending.lock() = Some(pending);
                Ok(false)
            }
        }
    }

    /// `external`: the transform is Python's; `process` comes back with what it has to see.
    #[pyo3(signature = (transform, *, external=false))]
    fn set_transform(
        &self,
        py: Python<'_>,
        transform: Option<&Transform>,
        external: bool,
    ) -> PyResult<()> {
        self.birth.check()?;
        let transformer = match transform {
            Some(transform) => Some(Transformer::Declared(Arc::clone(&transform.core))),
            None => external.then_some(Transformer::External),
        };
        py.detach(|| self.core.set_transformer(transformer));
        Ok(())
    }

    fn settle(&self, py: Python<'_>, untransformed: &Untransformed) -> PyResult<Vec<String>> {
        self.birth.check()?;
        untransformed.with(py, |pending| self.core.settle(pending))
    }

    fn transformed(
        &self,
        py: Python<'_>,
        untransformed: &Untransformed,
    ) -> PyResult<Option<Change>> {
        self.birth.check()?;
        let pending = untransformed.take()?;
        let pending = py.detach(|| self.core.transformed(pending));
        Ok(pending.map(|pending| self.change(pending)))
    }

    #[pyo3(signature = (body, *, list))]
    fn refetched(&self, py: Python<'_>, body: &Bound<'_, PyBytes>, list: bool) -> PyResult<()> {
        self.birth.check()?;
        let body = body.as_bytes();
        py.detach(|| self.core.refetched(body, list))
            .map_err(|error| errors::scan(&error))
    }

    /// `indexers`: name -> Index, or None for an index whose values the caller gives.
    fn begin_add_indexers(
        &self,
        py: Python<'_>,
        indexers: &Bound<'_, PyDict>,
    ) -> PyResult<NewIndexers> {
        self.birth.check()?;
        if self.core.informer().is_stopped() {
            return Err(errors::closed("the informer"));
        }
        let new: Vec<(String, Indexer)> = indexers
            .iter()
            .map(|(name, indexer)| {
                let indexer = if indexer.is_none() {
                    Indexer::External
                } else {
                    Indexer::Declared(indexer.cast::<Index>()?.get().core.clone())
                };
                Ok((name.extract()?, indexer))
            })
            .collect::<PyResult<_>>()?;
        {
            let mut adding = self.adding.lock();
            if *adding {
                return Err(PyRuntimeError::new_err(
                    "add_indexers is already running in another thread",
                ));
            }
            *adding = true;
        }
        let begun = py.detach(|| self.core.begin_add_indexers(new));
        match begun {
            Ok(pending) => {
                let origin = Arc::clone(&self.origin);
                Ok(NewIndexers {
                    pending: Mutex::new(Some(pending)),
                    origin,
                    birth: self.birth,
                })
            }
            Err(error) => {
                *self.adding.lock() = false;
                Err(errors::store(&error))
            }
        }
    }

    fn finish_add_indexers(
        &self,
        py: Python<'_>,
        new: &NewIndexers,
        values: &Bound<'_, PyDict>,
    ) -> PyResult<()> {
        self.birth.check()?;
        let pending = new
            .pending
            .try_lock()
            .and_then(|mut pending| pending.take())
            .ok_or_else(committed)?;
        let values = external_values(pending.indexers(), values);
        let finished = py.detach(|| match values {
            Ok(values) => {
                self.core.finish_add_indexers(pending, &values);
                Ok(())
            }
            Err(error) => {
                self.core.abort_add_indexers(&pending);
                Err(error)
            }
        });
        *self.adding.lock() = false;
        finished
    }

    fn abort_add_indexers(&self, py: Python<'_>, new: &NewIndexers) -> PyResult<()> {
        self.birth.check()?;
        let pending = new
            .pending
            .try_lock()
            .and_then(|mut pending| pending.take())
            .ok_or_else(committed)?;
        py.detach(|| self.core.abort_add_indexers(&pending));
        *self.adding.lock() = false;
        Ok(())
    }

    /// `backlog`: (notifications, bytes); None never merges.
    #[pyo3(signature = (*, resync_period=None, backlog=None))]
    fn add_listener(
        &self,
        py: Python<'_>,
        resync_period: Option<f64>,
        backlog: Option<(usize, usize)>,
    ) -> PyResult<Option<Listener>> {
        self.birth.check()?;
        let resync = wait::timeout("resync_period", resync_period)?
            .filter(|period| *period > Duration::ZERO);
        let backlog = backlog.map_or(Backlog::GROW, |(notifications, bytes)| Backlog {
            notifications,
            bytes,
        });
        let listener = py.detach(|| {
            let listener = self.core.informer().add_listener(backlog, resync);
            if resync.is_some() {
                self.core.wake_processor();
            }
            listener
        });
        Ok(listener.map(|listener| Listener::new(listener, &self.origin)))
    }

    fn remove_listener(&self, py: Python<'_>, listener: &Listener) -> PyResult<bool> {
        self.birth.check()?;
        Ok(py.detach(|| self.core.informer().remove_listener(&listener.core)))
    }

    fn get(&self, py: Python<'_>, key: &str) -> PyResult<Option<KubeObject>> {
        let found = self.read(py, |view| view.get(key).cloned())?;
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
        self.handles(py, &found)
    }

    fn snapshot(&self, py: Python<'_>) -> PyResult<Snapshot> {
        let objects = self.selected(py, None, None)?;
        Ok(Snapshot::new(objects, &self.origin))
    }

    fn keys(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.scan(py, |view| {
            view.objects()
                .map(|object| object.key().to_owned())
                .collect()
        })
    }

    #[pyo3(signature = (selector=None, namespace=None))]
    fn list_json<'py>(
        &self,
        py: Python<'py>,
        selector: Option<&Selector>,
        namespace: Option<&str>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let found = self.selected(py, selector, namespace)?;
        Ok(PyBytes::new(py, &py.detach(|| json_array(&found))))
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
                .map(|object| compiled.extract(object))
                .collect::<Result<Vec<_>, _>>()
        });
        let values = values.map_err(|error| errors::scan(&error))?;
        let rows = found.iter().zip(&values).map(|(object, values)| {
            PyTuple::new(py, compiled.to_python(py, object.key(), values)?)
        });
        PyList::new(py, rows.collect::<PyResult<Vec<_>>>()?)
    }

    fn by_index<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        value: &str,
    ) -> PyResult<Bound<'py, PyList>> {
        let found = self.under(py, name, value)?;
        self.handles(py, &found)
    }

    fn index_keys(&self, py: Python<'_>, name: &str, value: &str) -> PyResult<Vec<String>> {
        let found = self.under(py, name, value)?;
        let mut keys: Vec<String> = found.iter().map(|object| object.key().to_owned()).collect();
        keys.sort_unstable();
        Ok(keys)
    }

    fn count_by_index(&self, py: Python<'_>, name: &str, value: &str) -> PyResult<usize> {
        self.read(py, |view| view.count_by_index(name, value))?
            .map_err(|error| errors::store(&error))
    }

    /// client-go §18: an unknown index has no values.
    fn list_index_func_values(&self, py: Python<'_>, name: &str) -> PyResult<Vec<String>> {
        self.scan(py, |view| match view.index_values(name) {
            Ok(values) => values.map(str::to_owned).collect(),
            Err(_) => Vec::new(),
        })
    }

    /// The index's values of any object; None when the index's function is Python's.
    fn declared_values(
        &self,
        py: Python<'_>,
        name: &str,
        object: &KubeObject,
    ) -> PyResult<Option<Vec<String>>> {
        self.birth.check()?;
        let values = py.detach(|| self.core.declared_values(name, object.object()));
        values.map_err(|error| errors::store(&error))
    }

    fn values_of(&self, py: Python<'_>, name: &str, key: &str) -> PyResult<Vec<String>> {
        let values = self.read(py, |view| {
            view.values_of(name, key)
                .map(|values| values.into_iter().map(str::to_owned).collect::<Vec<_>>())
        })?;
        values.map_err(|error| errors::store(&error))
    }

    fn index_names(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.read(py, |view| view.index_names().map(str::to_owned).collect())
    }

    #[pyo3(signature = (namespace=None))]
    fn resource_version(&self, py: Python<'_>, namespace: Option<&str>) -> PyResult<String> {
        self.birth.check()?;
        py.detach(|| {
            let source = self.source_of(namespace)?;
            Ok(self.core.informer().resource_version(source))
        })
    }

    #[pyo3(signature = (resource_version, timeout=None, namespace=None))]
    fn wait_for_resource_version(
        &self,
        py: Python<'_>,
        resource_version: &str,
        timeout: Option<f64>,
        namespace: Option<&str>,
    ) -> PyResult<bool> {
        self.birth.check()?;
        let timeout = wait::timeout("timeout", timeout)?;
        let version = ResourceVersion::parse(resource_version).map_err(|error| {
            PyValueError::new_err(format!("resource_version {resource_version:?} is {error}"))
        })?;
        let source = py.detach(|| self.source_of(namespace))?;
        let informer = self.core.informer();
        if !version.is_any() && !informer.queue().mode().has_resource_versions() {
            return Err(PyRuntimeError::new_err(
                "the store of an informer has a resource version only with queue=\"atomic\"",
            ));
        }
        wait::reached(py, timeout, |slice| {
            informer.wait_for_resource_version(version, source, slice)
        })
    }

    /// Objects, their bytes, estimated bytes of the indices, queued deltas and their bytes.
    fn sizes(&self, py: Python<'_>) -> PyResult<(usize, usize, usize, usize, usize)> {
        let queue = self.core.informer().queue();
        let (objects, bytes, index_bytes) =
            self.scan(py, |view| (view.len(), view.bytes(), view.index_bytes()))?;
        let (queued, queued_bytes) = py.detach(|| (queue.len(), queue.queued_bytes()));
        Ok((objects, bytes, index_bytes, queued, queued_bytes))
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        self.read(py, |view| view.len())
    }

    fn __contains__(&self, py: Python<'_>, key: &str) -> PyResult<bool> {
        self.read(py, |view| view.get(key).is_some())
    }
}

fn queue_mode(name: &str) -> PyResult<QueueMode> {
    match name {
        "atomic" => Ok(QueueMode::Atomic),
        "in_order" => Ok(QueueMode::InOrder),
        "delta" => Ok(QueueMode::Delta),
        _ => Err(PyValueError::new_err(format!(
            "queue must be \"atomic\", \"in_order\" or \"delta\", not {name:?}"
        ))),
    }
}
