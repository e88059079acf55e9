//! `DeltaFIFO` (client-go's name): the core's per-key merging queue for any Python objects.

use kubeinformer_core::queue::{DeltaFifo, DeltaFifoOptions, WaitError};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};

use crate::detached::detached;
use crate::fifo::{deltas, events, Surroundings, SOURCE};
use crate::item::Item;
use crate::wait;

#[pyclass(frozen, generic, module = "kubeinformer.cache")]
pub struct DeltaFIFO {
    core: DeltaFifo<Item>,
    around: Surroundings,
}

#[pymethods]
impl DeltaFIFO {
    #[new]
    #[pyo3(signature = (key_function=None, known_objects=None, *, emit_delta_type_replaced=false, transformer=None))]
    fn new(
        py: Python<'_>,
        key_function: Option<Bound<'_, PyAny>>,
        known_objects: Option<Bound<'_, PyAny>>,
        emit_delta_type_replaced: bool,
        transformer: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        Ok(Self {
            core: DeltaFifo::new(DeltaFifoOptions {
                emit_delta_type_replaced,
            }),
            around: Surroundings::new(py, key_function, known_objects, transformer)?,
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
        let py = obj.py();
        let deleted = self.around.deleted(obj)?;
        let queued = {
            let deleted = deleted.clone();
            detached(py, || self.core.delete(SOURCE, deleted))
        };
        if queued || !self.around.has_known_objects() {
            return Ok(());
        }
        let quiet = self.around.quiet(py, |slice| self.core.quiet(slice))?;
        let known = self.around.knows(py, deleted.key());
        detached(py, || quiet.delete(SOURCE, deleted, known));
        Ok(())
    }

    fn add_many(
        &self,
        py: Python<'_>,
        changes: Vec<(Bound<'_, PyString>, Bound<'_, PyAny>)>,
    ) -> PyResult<()> {
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
        let _ = resource_version;
        let list = self.around.objects(&list)?;
        let quiet = self.around.quiet(py, |slice| self.core.quiet(slice))?;
        let known = self.around.known(py)?;
        detached(py, || quiet.replace(SOURCE, list, known));
        Ok(())
    }

    fn resync(&self, py: Python<'_>) -> PyResult<()> {
        let quiet = self.around.quiet(py, |slice| self.core.quiet(slice))?;
        let known = self.around.known(py)?;
        detached(py, || quiet.resync(SOURCE, known));
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
            |item| {
                let popped = deltas(py, &item.deltas)?;
                process.call1((&popped, item.initial))?;
                Ok(popped.into_any())
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
            |items| {
                let initial = items.iter().any(|item| item.initial);
                let popped = items
                    .iter()
                    .map(|item| deltas(py, &item.deltas))
                    .collect::<PyResult<Vec<_>>>()?;
                let popped = PyList::new(py, popped)?;
                process.call1((&popped, initial))?;
                Ok(popped.into_any())
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

    fn has_synced(&self, py: Python<'_>) -> PyResult<bool> {
        self.around.birth.check()?;
        Ok(detached(py, || self.core.has_synced()))
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
