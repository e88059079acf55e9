//! A queue's counters for Python, and the metrics of a provider that are told of each change.
//!
//! Metrics are called on the thread that made the change, with no lock held.

use std::sync::{Arc, Weak};
use std::time::Duration;

use kubeinformer_core::workqueue::{Queue, Stats};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

use super::item::PyItem;
use crate::fork::Birth;

const MODULE: &str = "kubeinformer.workqueue.metrics";

/// As `QueueStats`.
pub fn stats<'py>(py: Python<'py>, stats: &Stats) -> PyResult<Bound<'py, PyAny>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    CLASS.import(py, MODULE, "QueueStats")?.call1((
        stats.depth,
        stats.processing,
        stats.waiting,
        stats.adds,
        stats.retries,
        stats.taken,
        stats.queue_duration.as_secs_f64(),
        stats.done,
        stats.work_duration.as_secs_f64(),
        stats.unfinished_work.as_secs_f64(),
        stats.longest_running_processor.as_secs_f64(),
    ))
}

/// Reads the counters of a queue, which it does not keep alive.
#[pyclass(frozen, module = "kubeinformer._core")]
pub struct StatsReader {
    core: Weak<Queue<PyItem>>,
    birth: Birth,
}

#[pymethods]
impl StatsReader {
    fn read<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.birth.check()?;
        let core = self.core.upgrade();
        core.map(|core| stats(py, &core.stats())).transpose()
    }
}

/// The `QueueMetrics` of a queue that has a provider.
pub struct Metrics(Py<PyAny>);

impl Metrics {
    /// None without a provider (client-go §192).
    pub fn new(
        py: Python<'_>,
        name: &str,
        provider: Option<Bound<'_, PyAny>>,
        core: &Arc<Queue<PyItem>>,
    ) -> PyResult<Option<Self>> {
        if name.is_empty() {
            return Ok(None);
        }
        let reader = StatsReader {
            core: Arc::downgrade(core),
            birth: Birth::now(),
        };
        let module = py.import(MODULE)?;
        let metrics = module.call_method1("queue_metrics", (name, provider, reader))?;
        Ok((!metrics.is_none()).then(|| Self(metrics.unbind())))
    }

    pub fn added(&self, py: Python<'_>, core: &Queue<PyItem>) -> PyResult<()> {
        match core.take_unreported() {
            0 => Ok(()),
            count => self
                .0
                .call_method1(py, intern!(py, "added"), (count,))
                .map(drop),
        }
    }

    pub fn taken(&self, py: Python<'_>, waited: Option<Duration>) -> PyResult<()> {
        let seconds = waited.unwrap_or_default().as_secs_f64();
        self.0
            .call_method1(py, intern!(py, "taken"), (seconds,))
            .map(drop)
    }

    pub fn done(&self, py: Python<'_>, worked: Duration) -> PyResult<()> {
        let seconds = worked.as_secs_f64();
        self.0
            .call_method1(py, intern!(py, "done"), (seconds,))
            .map(drop)
    }

    pub fn retried(&self, py: Python<'_>) -> PyResult<()> {
        self.0.call_method0(py, intern!(py, "retried")).map(drop)
    }
}
