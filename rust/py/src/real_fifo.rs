//! `RealFIFO` (client-go's name): the core's queue in order, for any Python objects.

use kubeinformer_core::queue::{RealFifo, RealFifoMode, WaitError};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::detached::detached;
use crate::fifo::{delta, deltas, events, Surroundings, SOURCE};
use crate::item::Item;
use crate::wait;

#[pyclass(frozen, generic, module = "kubeinformer.cache")]
pub struct RealFIFO {
    core: RealFifo<Item>,
    around: Surroundings,
    atomic: bool,
}

#[pymethods]
impl RealFIFO {
    #[new]
    #[pyo3(signature = (
        key_function=None, known_objects=None, *, atomic_events=None, emit_delta_type_bookmark=false, transformer=None
    ))]
    fn new(
        py: Python<'_>,
        key_function: Option<Bound<'_, PyAny>>,
        known_objects: Option<Bound<'_, PyAny>>,
        atomic_events: Option<bool>,
        emit_delta_type_bookmark: bool,
        transformer: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let atomic = atomic_events.unwrap_or(known_objects.is_none());
        let conflict = match (atomic, known_objects.is_some()) {
            (true, true) => Some(
                "known_objects has no use with atomic_events: the consumer compares with its store",
            ),
            (false, false) => Some("known_objects is needed unless atomic_events is set"),
            _ if emit_delta_type_bookmark && !atomic => {
                Some("emit_delta_type_bookmark needs atomic_events")
            }
            _ => None,
        };
        if let Some(conflict) = conflict {
            return Err(PyValueError::new_err(conflict));
        }
        let mode = if atomic {
            RealFifoMode::Atomic {
                emit_bookmarks: emit_delta_type_bookmark,
            }
        } else {
            RealFifoMode::NonAtomic
        };
        let around = Surroundings::new(py, key_function, known_objects, transformer)?;
        Ok(Self {
            core: RealFifo::new(mode),
            around,
            atomic,
        })
    }

    fn add(&self, obj: &Bound<'_, PyAny>) -> PyResult<()> {
        self.around.birth.check()?;
        let item = self.around.object(obj)?;
        detached(obj.py(), || self.core.add(SOURCE, item));
        Ok(())
    }

    fn update(&self, obj: &Bound<'_, PyAny>) -> PyResult<()> {
        self.around.birth.check()?;
        let item = self.around.object(obj)?;
        detached(obj.py(), || self.core.update(SOURCE, item));
        Ok(())
    }

    fn delete(&self, obj: &Bound<'_, PyAny>) -> PyResult<()> {
        self.around.birth.check()?;
        let deleted = self.around.deleted(obj)?;
        detached(obj.py(), || self.core.delete(SOURCE, deleted));
        Ok(())
    }

    fn add_many(&self, py: Python<'_>, changes: Vec<(String, Bound<'_, PyAny>)>) -> PyResult<()> {
        self.around.birth.check()?;
        let changes = events(&self.around, &changes)?;
        detached(py, || self.core.add_many(changes));
        Ok(())
    }

    #[pyo3(signature = (list, resource_version=""))]
    fn replace(
        &self,
        py: Python<'_>,
        list: Vec<Bound<'_, PyAny>>,
        resource_version: &str,
    ) -> PyResult<()> {
        self.around.birth.check()?;
        let list = self.around.objects(&list)?;
        if self.atomic {
            detached(py, || {
                self.core.replace(SOURCE, resource_version.to_owned(), list);
            });
            return Ok(());
        }
        let quiet = self.around.quiet(py, |slice| self.core.quiet(slice))?;
        let known = self.around.known(py)?;
        detached(py, || quiet.replace(SOURCE, list, known));
        Ok(())
    }

    fn resync(&self, py: Python<'_>) -> PyResult<()> {
        self.around.birth.check()?;
        if self.atomic {
            detached(py, || self.core.resync(SOURCE));
            return Ok(());
        }
        let quiet = self.around.quiet(py, |slice| self.core.quiet(slice))?;
        let known = self.around.known(py)?;
        detached(py, || quiet.resync(SOURCE, known));
        Ok(())
    }

    fn bookmark(&self, py: Python<'_>, resource_version: &str) -> PyResult<()> {
        self.around.birth.check()?;
        detached(py, || self.core.bookmark(SOURCE, resource_version));
        Ok(())
    }

    #[pyo3(signature = (process, timeout=None))]
    fn pop<'py>(
        &self,
        py: Python<'py>,
        process: &Bound<'py, PyAny>,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.around.consume(
            py,
            timeout,
            |slice| self.core.pop(slice),
            |popped| {
                let one = delta(py, &popped)?;
                process.call1((&one, popped.initial))?;
                Ok(one.into_any())
            },
            || self.core.processed(),
        )
    }

    #[pyo3(signature = (process, max_items=1000, timeout=None))]
    fn pop_batch<'py>(
        &self,
        py: Python<'py>,
        process: &Bound<'py, PyAny>,
        max_items: usize,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.around.consume(
            py,
            timeout,
            |slice| self.core.pop_batch(max_items.max(1), slice),
            |popped| {
                let batch = deltas(py, &popped)?;
                process.call1((&batch, popped.iter().any(|delta| delta.initial)))?;
                Ok(batch.into_any())
            },
            || self.core.processed(),
        )
    }

    fn key_of(&self, obj: &Bound<'_, PyAny>) -> PyResult<String> {
        self.around.key(obj)
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.around.birth.check()?;
        detached(py, || self.core.close());
        Ok(())
    }

    fn is_closed(&self, py: Python<'_>) -> PyResult<bool> {
        self.around.birth.check()?;
        Ok(detached(py, || self.core.is_closed()))
    }

    fn has_synced(&self) -> PyResult<bool> {
        self.around.birth.check()?;
        Ok(self.core.has_synced())
    }

    #[pyo3(signature = (timeout=None))]
    fn wait_synced(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        self.around.birth.check()?;
        let timeout = wait::timeout("timeout", timeout)?;
        let waited = wait::wait(py, timeout, |slice| match self.core.wait_synced(slice) {
            Err(WaitError::TimedOut) => None,
            waited => Some(waited.is_ok()),
        })?;
        Ok(waited.unwrap_or(false))
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        self.around.birth.check()?;
        Ok(detached(py, || self.core.len()))
    }
}
