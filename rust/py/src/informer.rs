//! `InformerCore`: queue, store, indices and listeners of one informer.

use std::sync::Arc;
use std::time::Duration;

use kubeinformer_core::enqueue;
use kubeinformer_core::informer::{InformerOptions, QueueMode, Sink, LATENCY_BOUNDS};
use kubeinformer_core::listener::{Backlog, Predicate};
use kubeinformer_core::object::Object;
use kubeinformer_core::object_informer::{Indexer, ObjectInformer, PendingChange, Processed};
use kubeinformer_core::queue::SourceId;
use kubeinformer_core::resource_version::ResourceVersion;
use kubeinformer_core::source::ReadOptions;
use kubeinformer_core::source::Transformer;
use kubeinformer_core::sync::Mutex;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::change::{committed, external_values, Change, NewIndexers};
use crate::decoded::DecodeCache;
use crate::errors;
use crate::filter::{Enqueuer, Filter};
use crate::fork::Birth;
use crate::index::Index;
use crate::listener::Listener;
use crate::object::Origin;
use crate::reader::{Sources, StoreReader};
use crate::source::Source;
use crate::transform::{Transform, Untransformed};
use crate::wait;
use crate::wake::Waker;
use crate::workqueue::Queue;

#[pyclass(frozen, extends = StoreReader, module = "kubeinformer._core")]
pub struct InformerCore {
    core: Arc<ObjectInformer>,
    origin: Arc<Origin>,
    sources: Arc<Mutex<Sources>>,
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
        max_object_bytes=None, max_list_bytes=None, queue_bytes=None, decode_cache=256, queue="atomic", compression=None,
        dictionary_samples=1000, filter=None
    ))]
    #[allow(clippy::too_many_arguments)] // keywords in Python
    fn new(
        resource: String,
        keep_managed_fields: bool,
        recreate_as_update: bool,
        notify_unchanged_on_relist: bool,
        max_object_bytes: Option<usize>,
        max_list_bytes: Option<u64>,
        queue_bytes: Option<usize>,
        decode_cache: usize,
        queue: &str,
        compression: Option<&str>,
        dictionary_samples: usize,
        filter: Option<&Filter>,
    ) -> PyResult<PyClassInitializer<Self>> {
        let options = InformerOptions {
            recreate_as_update,
            notify_unchanged_on_relist,
            queue: queue_mode(queue)?,
            ..InformerOptions::default()
        };
        let default = ReadOptions::default();
        let read_options = ReadOptions {
            keep_managed_fields,
            max_object: max_object_bytes.unwrap_or(default.max_object),
            max_list: max_list_bytes.unwrap_or(default.max_list),
            queue_bytes: queue_bytes.unwrap_or(default.queue_bytes),
            dictionary_samples: match compression {
                None => None,
                Some("zstd") => Some(dictionary_samples),
                Some(other) => {
                    let message = format!("compression must be \"zstd\" or None, not {other:?}");
                    return Err(PyValueError::new_err(message));
                }
            },
        };
        let filter = filter.map(|filter| Arc::clone(&filter.core));
        let own = Self {
            core: Arc::new(ObjectInformer::with_filter(options, read_options, filter)),
            origin: Arc::new(Origin {
                resource,
                cache: DecodeCache::new(decode_cache),
            }),
            sources: Arc::default(),
            birth: Birth::now(),
        };
        let reader = StoreReader::live(&own.core, &own.sources, &own.origin, own.birth);
        Ok(PyClassInitializer::from(reader).add_subclass(own))
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

    fn poll_synced(&self, py: Python<'_>, waker: &Waker) -> PyResult<Option<bool>> {
        self.birth.check()?;
        let queue = self.core.informer().queue();
        Ok(wait::polled(py.detach(|| queue.poll_synced(&waker.core))))
    }

    /// Takes back a waker that was left in a poll.
    fn forget(&self, py: Python<'_>, waker: &Waker) -> PyResult<()> {
        self.birth.check()?;
        py.detach(|| self.core.informer().forget(&waker.core));
        Ok(())
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

    /// `external`: Python's own comes after it; `process` comes back with what that has to see.
    #[pyo3(signature = (transform, *, external=false))]
    fn set_transform(
        &self,
        py: Python<'_>,
        transform: Option<&Transform>,
        external: bool,
    ) -> PyResult<()> {
        self.birth.check()?;
        let cuts = transform.map(|transform| Arc::clone(&transform.core));
        let transformer = if external {
            Some(Transformer::External { cuts })
        } else {
            cuts.map(Transformer::Declared)
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
        let pending = py
            .detach(|| self.core.begin_add_indexers(new))
            .map_err(|error| errors::store(&error))?;
        Ok(NewIndexers {
            pending: Mutex::new(Some(pending)),
            origin: Arc::clone(&self.origin),
            birth: self.birth,
        })
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
        py.detach(|| match values {
            Ok(values) => {
                self.core.finish_add_indexers(pending, &values);
                Ok(())
            }
            Err(error) => {
                self.core.abort_add_indexers(&pending);
                Err(error)
            }
        })
    }

    fn abort_add_indexers(&self, py: Python<'_>, new: &NewIndexers) -> PyResult<()> {
        self.birth.check()?;
        let pending = new
            .pending
            .try_lock()
            .and_then(|mut pending| pending.take())
            .ok_or_else(committed)?;
        py.detach(|| self.core.abort_add_indexers(&pending));
        Ok(())
    }

    /// `backlog`: (notifications, bytes); None never merges.
    #[pyo3(signature = (*, resync_period=None, backlog=None, filter=None))]
    fn add_listener(
        &self,
        py: Python<'_>,
        resync_period: Option<f64>,
        backlog: Option<(usize, usize)>,
        filter: Option<&Filter>,
    ) -> PyResult<Option<Listener>> {
        self.birth.check()?;
        let resync = resync(resync_period)?;
        let predicate = filter.map(|filter| Arc::clone(&filter.core) as Arc<dyn Predicate<Object>>);
        let backlog = backlog.map_or(Backlog::GROW, |(notifications, bytes)| Backlog {
            notifications,
            bytes,
        });
        let listener = py.detach(|| {
            let informer = self.core.informer();
            let listener = informer.add_listener_for(backlog, resync, predicate);
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

    /// `key`: None is the object's key.
    #[pyo3(signature = (queue, key=None, when=None, *, priority=0, low_priority=0, resync_period=None))]
    #[allow(clippy::too_many_arguments)] // keywords in Python
    fn add_enqueuer(
        &self,
        py: Python<'_>,
        queue: &Queue,
        key: Option<&Index>,
        when: Option<&Filter>,
        priority: i32,
        low_priority: i32,
        resync_period: Option<f64>,
    ) -> PyResult<Option<Enqueuer>> {
        self.birth.check()?;
        let resync = resync(resync_period)?;
        let core = Arc::new(enqueue::Enqueuer::new(
            queue.texts()?,
            key.map(|key| key.core.clone()),
            when.map(|when| Arc::clone(&when.core)),
            priority,
            low_priority,
        ));
        let sink = Arc::clone(&core) as Arc<dyn Sink<Object>>;
        let added = py.detach(|| {
            let added = self.core.informer().add_sink(sink, resync);
            if resync.is_some() {
                self.core.wake_processor();
            }
            added
        });
        Ok(added.then(|| Enqueuer::new(core)))
    }

    fn remove_enqueuer(&self, py: Python<'_>, enqueuer: &Enqueuer) -> PyResult<bool> {
        self.birth.check()?;
        let sink = enqueuer.sink();
        Ok(py.detach(|| self.core.informer().remove_sink(&sink)))
    }

    #[pyo3(signature = (resource_version, timeout=None, namespace=None))]
    fn wait_for_resource_version(
        this: &Bound<'_, Self>,
        resource_version: &str,
        timeout: Option<f64>,
        namespace: Option<&str>,
    ) -> PyResult<bool> {
        let (py, own, reader) = (this.py(), this.get(), this.as_super().get());
        own.birth.check()?;
        let timeout = wait::timeout("timeout", timeout)?;
        let (version, source) = awaited(own, reader, py, resource_version, namespace)?;
        let informer = own.core.informer();
        wait::reached(py, timeout, |slice| {
            informer.wait_for_resource_version(version, source, slice)
        })
    }

    #[pyo3(signature = (waker, resource_version, namespace=None))]
    fn poll_resource_version(
        this: &Bound<'_, Self>,
        waker: &Waker,
        resource_version: &str,
        namespace: Option<&str>,
    ) -> PyResult<Option<bool>> {
        let (py, own, reader) = (this.py(), this.get(), this.as_super().get());
        own.birth.check()?;
        let (version, source) = awaited(own, reader, py, resource_version, namespace)?;
        let informer = own.core.informer();
        Ok(wait::polled(py.detach(|| {
            informer.poll_resource_version(version, source, &waker.core)
        })))
    }

    /// How many times of processing are in each class of client-go's histogram, and their sum.
    fn processing_latency(&self) -> PyResult<(Vec<(f64, u64)>, f64)> {
        self.birth.check()?;
        let stats = self.core.informer().queue().latency();
        let bounds = LATENCY_BOUNDS.into_iter().chain([f64::INFINITY]);
        Ok((bounds.zip(stats.counts).collect(), stats.sum.as_secs_f64()))
    }

    /// Objects, their bytes, bytes of tables and indices, queued deltas and their bytes, notifications that wait for
    /// handlers and their bytes.
    fn sizes(&self, py: Python<'_>) -> PyResult<Sizes> {
        self.birth.check()?;
        let informer = self.core.informer();
        Ok(py.detach(|| {
            let view = informer.store().read();
            let (objects, bytes, index_bytes) = (view.len(), view.bytes(), view.index_bytes());
            drop(view);
            let (queued, queued_bytes) = (informer.queue().len(), informer.queue().queued_bytes());
            let (backlog, backlog_bytes) = informer.backlog();
            (
                objects,
                bytes,
                index_bytes,
                queued,
                queued_bytes,
                backlog,
                backlog_bytes,
            )
        }))
    }
}

type Sizes = (usize, usize, usize, usize, usize, usize, usize);

/// How often handlers get updates of objects with themselves; None and 0 are never.
fn resync(period: Option<f64>) -> PyResult<Option<Duration>> {
    let period = wait::timeout("resync_period", period)?;
    Ok(period.filter(|period| *period > Duration::ZERO))
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

/// The version to wait for, and the source.
fn awaited<'a>(
    own: &InformerCore,
    reader: &StoreReader,
    py: Python<'_>,
    resource_version: &'a str,
    namespace: Option<&str>,
) -> PyResult<(ResourceVersion<'a>, Option<SourceId>)> {
    let version = ResourceVersion::parse(resource_version).map_err(|error| {
        PyValueError::new_err(format!("resource_version {resource_version:?} is {error}"))
    })?;
    let source = py.detach(|| reader.source_of(namespace))?;
    let queue = own.core.informer().queue();
    if !version.is_any() && !queue.mode().has_resource_versions() {
        return Err(PyRuntimeError::new_err(
            "the store of an informer has a resource version only with queue=\"atomic\"",
        ));
    }
    Ok((version, source))
}
