//! `Source`, `Relist`, `ListReader`, `WatchReader`: the readers of the core, fed with bytes by a reflector's thread.
//!
//! A reader belongs to one thread: feeding it from a second one while it reads raises `RuntimeError`.

use std::sync::Arc;

use kubeinformer_core::source::{self as core, ReadError, SharedProgress, WatchProgress};
use kubeinformer_core::sync::Mutex;
use kubeinformer_http::sink::{ListSink, WatchSink};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors;
use crate::fork::Birth;
use crate::wait;

fn taken() -> PyErr {
    PyRuntimeError::new_err("the reader is finished, or another thread is feeding it")
}

#[pyclass(frozen, module = "kubeinformer._core")]
pub struct Source {
    core: Arc<core::Source>,
    #[pyo3(get)]
    name: String,
    birth: Birth,
}

impl Source {
    pub fn new(core: core::Source, name: String) -> Self {
        Self {
            core: Arc::new(core),
            name,
            birth: Birth::now(),
        }
    }
}

/// Waits while the queue is above its limit.
fn wait_for_room(py: Python<'_>, source: &core::Source) -> PyResult<()> {
    let waited = wait::wait(py, None, |slice| match source.wait_for_room(slice) {
        Err(ReadError::TimedOut) => None,
        other => Some(other),
    })?;
    match waited {
        Some(Err(ReadError::Scan(error))) => Err(errors::scan(&error)),
        Some(Err(_)) => Err(errors::closed("the informer")),
        _ => Ok(()),
    }
}

#[pymethods]
impl Source {
    fn begin_relist(&self) -> PyResult<Relist> {
        self.birth.check()?;
        let relist = Arc::new(Mutex::new(Some(core::Relist::default())));
        Ok(Relist {
            source: Arc::clone(&self.core),
            open: relist,
            birth: self.birth,
        })
    }

    #[pyo3(signature = (*, chunked, any_version=false, not_older_than=""))]
    fn watch_reader(
        &self,
        chunked: bool,
        any_version: bool,
        not_older_than: &str,
    ) -> PyResult<WatchReader> {
        let reader = core::WatchReader::new(&self.core, chunked, false);
        let reader = reader.not_older_than(not_older_than);
        if any_version {
            return WatchReader::new(self, reader.from_any_version());
        }
        WatchReader::new(self, reader)
    }

    #[pyo3(signature = (*, chunked, not_older_than=""))]
    fn watch_list_reader(&self, chunked: bool, not_older_than: &str) -> PyResult<WatchReader> {
        let reader = core::WatchReader::new(&self.core, chunked, true);
        WatchReader::new(self, reader.not_older_than(not_older_than))
    }

    fn has_synced(&self, py: Python<'_>) -> PyResult<bool> {
        self.birth.check()?;
        Ok(py.detach(|| self.core.has_synced()))
    }
}

#[pyclass(frozen, module = "kubeinformer._core")]
pub struct Relist {
    source: Arc<core::Source>,
    /// None once it is committed.
    open: Arc<Mutex<Option<core::Relist>>>,
    birth: Birth,
}

#[pymethods]
impl Relist {
    #[pyo3(signature = (*, chunked))]
    fn page(&self, chunked: bool) -> PyResult<ListReader> {
        self.birth.check()?;
        let reader = Some(core::ListReader::new(&self.source, chunked));
        let reader = Arc::new(Mutex::new(reader));
        let (source, relist) = (Arc::clone(&self.source), Arc::clone(&self.open));
        Ok(ListReader {
            source,
            relist,
            reader,
            birth: self.birth,
        })
    }

    fn commit(&self, py: Python<'_>, resource_version: String) -> PyResult<()> {
        self.birth.check()?;
        let relist = self
            .open
            .try_lock()
            .and_then(|mut relist| relist.take())
            .ok_or_else(taken)?;
        wait_for_room(py, &self.source)?;
        py.detach(|| relist.commit(&self.source, resource_version));
        Ok(())
    }

    fn __len__(&self) -> PyResult<usize> {
        self.birth.check()?;
        let relist = self.open.try_lock().ok_or_else(taken)?;
        Ok(relist.as_ref().map_or(0, core::Relist::len))
    }
}

#[pyclass(frozen, get_all, module = "kubeinformer._core")]
pub struct ListMeta {
    api_version: String,
    kind: String,
    resource_version: String,
    continue_token: String,
    remaining_item_count: Option<i64>,
    shard_selector: Option<String>,
}

#[pyclass(frozen, module = "kubeinformer._core")]
pub struct ListReader {
    source: Arc<core::Source>,
    relist: Arc<Mutex<Option<core::Relist>>>,
    reader: Arc<Mutex<Option<core::ListReader>>>,
    birth: Birth,
}

impl ListReader {
    pub fn sink(&self) -> PyResult<ListSink> {
        self.birth.check()?;
        Ok(ListSink {
            source: Arc::clone(&self.source),
            relist: Arc::clone(&self.relist),
            reader: Arc::clone(&self.reader),
        })
    }
}

#[pymethods]
impl ListReader {
    fn feed(&self, py: Python<'_>, data: &Bound<'_, PyBytes>) -> PyResult<bool> {
        self.birth.check()?;
        let data = data.as_bytes();
        let fed = py.detach(|| {
            let mut reader = self.reader.try_lock()?;
            let mut relist = self.relist.try_lock()?;
            Some(reader.as_mut()?.feed(&self.source, relist.as_mut()?, data))
        });
        fed.ok_or_else(taken)?.map_err(|error| errors::scan(&error))
    }

    fn finish(&self) -> PyResult<ListMeta> {
        self.birth.check()?;
        let reader = self
            .reader
            .try_lock()
            .and_then(|mut reader| reader.take())
            .ok_or_else(taken)?;
        let meta = reader.finish().map_err(|error| errors::scan(&error))?;
        Ok(ListMeta {
            api_version: meta.api_version,
            kind: meta.kind,
            resource_version: meta.resource_version,
            continue_token: meta.continue_token,
            remaining_item_count: meta.remaining_item_count,
            shard_selector: meta.shard_selector,
        })
    }

    #[getter]
    fn items(&self) -> PyResult<u64> {
        self.birth.check()?;
        let reader = self.reader.try_lock().ok_or_else(taken)?;
        Ok(reader.as_ref().map_or(0, core::ListReader::items))
    }
}

#[pyclass(frozen, module = "kubeinformer._core")]
pub struct WatchReader {
    source: Arc<core::Source>,
    reader: Arc<Mutex<core::WatchReader>>,
    progress: SharedProgress,
    birth: Birth,
}

impl WatchReader {
    fn new(source: &Source, reader: core::WatchReader) -> PyResult<Self> {
        source.birth.check()?;
        Ok(Self {
            source: Arc::clone(&source.core),
            progress: reader.shared_progress(),
            reader: Arc::new(Mutex::new(reader)),
            birth: source.birth,
        })
    }

    pub fn sink(&self) -> PyResult<WatchSink> {
        self.birth.check()?;
        Ok(WatchSink {
            source: Arc::clone(&self.source),
            reader: Arc::clone(&self.reader),
        })
    }

    fn look<R: Send>(
        &self,
        py: Python<'_>,
        look: impl Fn(&WatchProgress) -> R + Send + Sync,
    ) -> PyResult<R> {
        self.birth.check()?;
        match self.progress.try_with(&look) {
            Some(seen) => Ok(seen),
            None => Ok(py.detach(|| self.progress.with(&look))),
        }
    }
}

#[pymethods]
impl WatchReader {
    fn feed(&self, py: Python<'_>, data: &Bound<'_, PyBytes>) -> PyResult<bool> {
        self.birth.check()?;
        wait_for_room(py, &self.source)?;
        let data = data.as_bytes();
        let fed = py.detach(|| Some(self.reader.try_lock()?.feed(&self.source, data)));
        fed.ok_or_else(taken)?.map_err(|error| errors::scan(&error))
    }

    fn finish(&self, py: Python<'_>) -> PyResult<()> {
        self.birth.check()?;
        let finished = py.detach(|| Some(self.reader.try_lock()?.finish(&self.source)));
        finished
            .ok_or_else(taken)?
            .map_err(|error| errors::scan(&error))
    }

    #[getter]
    fn events(&self, py: Python<'_>) -> PyResult<u64> {
        self.look(py, |progress| progress.events)
    }

    #[getter]
    fn bookmarks(&self, py: Python<'_>) -> PyResult<u64> {
        self.look(py, |progress| progress.bookmarks)
    }

    #[getter]
    fn unknown_events(&self, py: Python<'_>) -> PyResult<u64> {
        self.look(py, |progress| progress.unknown_events)
    }

    #[getter]
    fn resource_version(&self, py: Python<'_>) -> PyResult<String> {
        self.look(py, |progress| progress.resource_version.clone())
    }

    #[getter]
    fn went_back_to(&self, py: Python<'_>) -> PyResult<String> {
        self.look(py, |progress| progress.went_back_to.clone())
    }

    #[getter]
    fn synced(&self, py: Python<'_>) -> PyResult<bool> {
        self.look(py, |progress| progress.synced)
    }

    #[getter]
    fn error<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let error = self.look(py, |progress| progress.error.clone())?;
        Ok(error.map(|error| PyBytes::new(py, &error)))
    }
}
