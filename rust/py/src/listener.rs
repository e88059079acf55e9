//! `Listener`: one handler's notifications, as Python tuples in batches.

use std::sync::Arc;

use kubeinformer_core::listener::{Listener as CoreListener, Popped};
use kubeinformer_core::notification::Notification;
use kubeinformer_core::object::Object;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

use crate::fork::Birth;
use crate::object::{KubeObject, Origin};
use crate::wait;

/// First element of a notification's tuple.
pub const ADD: u8 = 0;
pub const UPDATE: u8 = 1;
pub const DELETE: u8 = 2;
pub const TOMBSTONE: u8 = 3;

#[pyclass(frozen, module = "kubeinformer._core")]
pub struct Listener {
    pub core: Arc<CoreListener<Object>>,
    origin: Arc<Origin>,
    birth: Birth,
}

impl Listener {
    pub fn new(core: Arc<CoreListener<Object>>, origin: &Arc<Origin>) -> Self {
        Self {
            core,
            origin: Arc::clone(origin),
            birth: Birth::now(),
        }
    }

    fn to_python<'py>(
        &self,
        py: Python<'py>,
        notification: Notification<Object>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let handle = |object| KubeObject::new(object, &self.origin);
        match notification {
            Notification::Add { object, initial } => {
                (ADD, handle(object), initial).into_pyobject(py)
            }
            Notification::Update { old, new, .. } if Arc::ptr_eq(&old, &new) => {
                let both = Bound::new(py, handle(new))?;
                (UPDATE, both.clone(), both).into_pyobject(py)
            }
            Notification::Update { old, new, .. } => {
                (UPDATE, handle(old), handle(new)).into_pyobject(py)
            }
            Notification::Delete { object, .. } => (DELETE, handle(object), ()).into_pyobject(py),
            Notification::Tombstone { key, object } => {
                (TOMBSTONE, key.as_str(), object.map(handle)).into_pyobject(py)
            }
        }
    }
}

#[pymethods]
impl Listener {
    #[pyo3(signature = (max_items=1000, timeout=None))]
    fn pop_batch<'py>(
        &self,
        py: Python<'py>,
        max_items: usize,
        timeout: Option<f64>,
    ) -> PyResult<Option<Bound<'py, PyList>>> {
        self.birth.check()?;
        let timeout = wait::timeout("timeout", timeout)?;
        let popped = match self.core.try_pop_batch(max_items) {
            Some(popped @ (Popped::Notifications(_) | Popped::Closed)) => Some(popped),
            _ => wait::wait(py, timeout, |slice| {
                match self.core.pop_batch(max_items, slice) {
                    Popped::TimedOut => None,
                    popped => Some(popped),
                }
            })?,
        };
        match popped {
            Some(Popped::Notifications(batch)) => {
                let batch = batch
                    .into_iter()
                    .map(|notification| self.to_python(py, notification));
                Ok(Some(PyList::new(py, batch.collect::<PyResult<Vec<_>>>()?)?))
            }
            Some(Popped::Closed) => Ok(None),
            Some(Popped::TimedOut) | None => Ok(Some(PyList::empty(py))),
        }
    }

    fn barrier(&self, py: Python<'_>) -> PyResult<u64> {
        self.birth.check()?;
        Ok(py.detach(|| self.core.barrier()))
    }

    #[pyo3(signature = (barrier, timeout=None))]
    fn wait_handled(&self, py: Python<'_>, barrier: u64, timeout: Option<f64>) -> PyResult<bool> {
        self.birth.check()?;
        let timeout = wait::timeout("timeout", timeout)?;
        wait::reached(py, timeout, |slice| self.core.wait_handled(barrier, slice))
    }

    fn initial_list_done(&self, py: Python<'_>) -> PyResult<bool> {
        self.birth.check()?;
        Ok(py.detach(|| self.core.initial_list_done()))
    }

    #[pyo3(signature = (timeout=None))]
    fn wait_initial_list(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Option<bool>> {
        self.birth.check()?;
        let timeout = wait::timeout("timeout", timeout)?;
        wait::wait(py, timeout, |slice| self.core.wait_initial_list(slice))
    }

    fn stats(&self, py: Python<'_>) -> PyResult<(usize, usize, u64, u64)> {
        self.birth.check()?;
        let stats = py.detach(|| self.core.stats());
        Ok((
            stats.pending,
            stats.pending_bytes,
            stats.delivered,
            stats.coalesced,
        ))
    }

    fn filtered(&self, py: Python<'_>) -> PyResult<u64> {
        self.birth.check()?;
        Ok(py.detach(|| self.core.stats().filtered))
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.birth.check()?;
        py.detach(|| self.core.close());
        Ok(())
    }

    fn is_closed(&self) -> PyResult<bool> {
        self.birth.check()?;
        Ok(self.core.is_closed())
    }
}
