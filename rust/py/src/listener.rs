//! `Listener`: one handler's notifications, as calls of its methods or as events.

use std::sync::Arc;
use std::task::Poll;

use kubeinformer_core::listener::{Listener as CoreListener, Popped};
use kubeinformer_core::notification::Notification;
use kubeinformer_core::object::Object;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::event::{handle, handles, tombstone, Event};
use crate::fork::Birth;
use crate::object::{KubeObject, Origin};
use crate::wait;
use crate::wake::Waker;

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

    fn pop(
        &self,
        py: Python<'_>,
        max_items: usize,
        timeout: Option<f64>,
    ) -> PyResult<Popped<Object>> {
        self.birth.check()?;
        let timeout = wait::timeout("timeout", timeout)?;
        if let Some(popped) = self.try_pop(max_items) {
            return Ok(popped);
        }
        let popped = wait::wait(py, timeout, |slice| {
            match self.core.pop_batch(max_items, slice) {
                Popped::TimedOut => None,
                popped => Some(popped),
            }
        })?;
        Ok(popped.unwrap_or(Popped::TimedOut))
    }

    fn try_pop(&self, max_items: usize) -> Option<Popped<Object>> {
        self.core
            .try_pop_batch(max_items)
            .filter(|popped| !matches!(popped, Popped::TimedOut))
    }

    /// None when nothing has come yet, an empty list when nothing will.
    fn events<'py>(
        &self,
        py: Python<'py>,
        popped: Popped<Object>,
    ) -> PyResult<Option<Bound<'py, PyList>>> {
        let batch = match popped {
            Popped::Notifications(batch) => batch,
            Popped::TimedOut => return Ok(None),
            Popped::Closed => Vec::new(),
        };
        let events = batch
            .into_iter()
            .map(|notification| Event::of(py, notification, &self.origin));
        Ok(Some(PyList::new(
            py,
            events.collect::<PyResult<Vec<_>>>()?,
        )?))
    }
}

/// A handler's methods, looked up once a batch.
struct Handler<'py> {
    add: Bound<'py, PyAny>,
    update: Bound<'py, PyAny>,
    delete: Bound<'py, PyAny>,
}

impl<'py> Handler<'py> {
    fn of(handler: &Bound<'py, PyAny>) -> PyResult<Self> {
        let py = handler.py();
        Ok(Self {
            add: handler.getattr(intern!(py, "on_add"))?,
            update: handler.getattr(intern!(py, "on_update"))?,
            delete: handler.getattr(intern!(py, "on_delete"))?,
        })
    }

    /// Calls the method that a notification is for. An error comes with the key.
    fn call(
        &self,
        py: Python<'py>,
        notification: Notification<Object>,
        origin: &Arc<Origin>,
    ) -> Result<(), (String, PyErr)> {
        match notification {
            Notification::Add { object, initial } => {
                let object = handle(py, object, origin).map_err(unmade)?;
                let called = self.add.call1((&object, initial));
                called.map_err(|error| failed(&object, error))?;
            }
            Notification::Update { old, new, .. } => {
                let (old, new) = handles(py, old, new, origin).map_err(unmade)?;
                let called = self.update.call1((old, &new));
                called.map_err(|error| failed(&new, error))?;
            }
            Notification::Delete { object, .. } => {
                let object = handle(py, object, origin).map_err(unmade)?;
                let called = self.delete.call1((&object,));
                called.map_err(|error| failed(&object, error))?;
            }
            Notification::Tombstone { key, object } => {
                tombstone(py, key.as_str(), object, origin)
                    .and_then(|object| self.delete.call1((object,)))
                    .map_err(|error| (key.as_str().to_owned(), error))?;
            }
        }
        Ok(())
    }
}

fn failed(object: &Bound<'_, KubeObject>, error: PyErr) -> (String, PyErr) {
    (object.get().object().key().to_owned(), error)
}

/// No memory for a handle: nobody knows what the call was about.
fn unmade(error: PyErr) -> (String, PyErr) {
    (String::new(), error)
}

#[pymethods]
impl Listener {
    /// Whether it goes on. `on_error` gets the key and what the handler raised.
    #[pyo3(signature = (handler, on_error, max_items=1000, timeout=None))]
    fn deliver<'py>(
        &self,
        py: Python<'py>,
        handler: &Bound<'py, PyAny>,
        on_error: &Bound<'py, PyAny>,
        max_items: usize,
        timeout: Option<f64>,
    ) -> PyResult<bool> {
        let batch = match self.pop(py, max_items, timeout)? {
            Popped::Notifications(batch) => batch,
            Popped::TimedOut => return Ok(true),
            Popped::Closed => return Ok(false),
        };
        let handler = Handler::of(handler)?;
        for notification in batch {
            if self.core.is_closed() {
                return Ok(false);
            }
            if let Err((key, error)) = handler.call(py, notification, &self.origin) {
                on_error.call1((key, error.into_value(py)))?;
            }
        }
        Ok(true)
    }

    #[pyo3(signature = (max_items=1000, timeout=None))]
    fn pop_events<'py>(
        &self,
        py: Python<'py>,
        max_items: usize,
        timeout: Option<f64>,
    ) -> PyResult<Option<Bound<'py, PyList>>> {
        let popped = self.pop(py, max_items, timeout)?;
        self.events(py, popped)
    }

    fn poll_events<'py>(
        &self,
        py: Python<'py>,
        waker: &Waker,
        max_items: usize,
    ) -> PyResult<Option<Bound<'py, PyList>>> {
        self.birth.check()?;
        let popped = self.try_pop(max_items).or_else(|| {
            match py.detach(|| self.core.poll_batch(max_items, &waker.core)) {
                Poll::Ready(popped) => Some(popped),
                Poll::Pending => None,
            }
        });
        self.events(py, popped.unwrap_or(Popped::TimedOut))
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

    fn poll_handled(&self, py: Python<'_>, waker: &Waker, barrier: u64) -> PyResult<Option<bool>> {
        self.birth.check()?;
        Ok(wait::polled(
            py.detach(|| self.core.poll_handled(barrier, &waker.core)),
        ))
    }

    fn forget(&self, py: Python<'_>, waker: &Waker) -> PyResult<()> {
        self.birth.check()?;
        py.detach(|| self.core.forget(&waker.core));
        Ok(())
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
