//! `Queue`, `DelayingQueue` and `RateLimitingQueue` (client-go's names): one queue of the core, more and more of whose
//! methods can be reached.

use std::sync::{Arc, OnceLock, Weak};
use std::time::Instant;

use kubeinformer_core::workqueue::rate_limiter::{default_controller, RateLimiter};
use kubeinformer_core::workqueue::{Options, Queue as Core, Take, TextQueue, Waited, AGING};
use pyo3::exceptions::{PyRuntimeError, PyTimeoutError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyList;

use super::clock::FakeClock;
use super::item::PyItem;
use super::metrics::{self, Metrics};
use super::{delay, rate_limiter};
use crate::errors;
use crate::fork::Birth;
use crate::wait;

#[pyclass(frozen, subclass, generic, module = "kubeinformer.workqueue")]
pub struct Queue {
    core: Arc<Core<PyItem>>,
    name: String,
    metrics: Option<Metrics>,
    birth: Birth,
}

impl Queue {
    fn make(
        py: Python<'_>,
        name: String,
        metrics: Option<Bound<'_, PyAny>>,
        aging: Option<u32>,
        clock: Option<&Bound<'_, FakeClock>>,
    ) -> PyResult<Self> {
        let core = Core::new(Options {
            aging,
            timed: !name.is_empty(),
            clock: FakeClock::or_system(clock)?,
        });
        Ok(Self {
            metrics: Metrics::new(py, &name, metrics, &core)?,
            core,
            name,
            birth: Birth::now(),
        })
    }

    /// The queue for threads that are not attached to the interpreter.
    pub fn texts(&self) -> PyResult<Weak<dyn TextQueue>> {
        self.birth.check()?;
        let texts = Arc::clone(&self.core) as Arc<dyn TextQueue>;
        Ok(Arc::downgrade(&texts))
    }

    /// Tells the metrics of adds, those by a deadline that has passed included.
    fn report(&self, py: Python<'_>) -> PyResult<()> {
        self.metrics
            .as_ref()
            .map_or(Ok(()), |metrics| metrics.added(py, &self.core))
    }

    /// What `take` takes, once it takes something.
    fn next<R>(
        &self,
        py: Python<'_>,
        timeout: Option<f64>,
        take: impl Fn(&Core<PyItem>) -> Take<R>,
    ) -> PyResult<R> {
        self.birth.check()?;
        let timeout = wait::timeout("timeout", timeout)?;
        let mut deadline = None;
        loop {
            match take(&self.core) {
                Take::Taken(taken) => return Ok(taken),
                Take::ShutDown => return Err(errors::shut_down()),
                Take::Empty => {}
            }
            if deadline.is_none() {
                deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let step = |slice| (self.core.wait(slice) != Waited::TimedOut).then_some(());
            if wait::wait(py, left, step)?.is_none() {
                return Err(PyTimeoutError::new_err(
                    "no item came into the queue in time",
                ));
            }
        }
    }

    fn next_item(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Py<PyAny>> {
        let taken = self.next(py, timeout, |core| {
            core.take(|item| item.object().clone_ref(py))
        })?;
        self.report(py)?;
        if let Some(metrics) = &self.metrics {
            metrics.taken(py, taken.waited)?;
        }
        Ok(taken.item)
    }

    fn end(&self, py: Python<'_>, item: &Bound<'_, PyAny>) -> PyResult<()> {
        self.birth.check()?;
        let worked = self.core.done(&PyItem::new(item)?)?;
        match (&self.metrics, worked) {
            (Some(metrics), Some(worked)) => metrics.done(py, worked),
            _ => Ok(()),
        }
    }
}

fn items(given: &Bound<'_, PyAny>) -> PyResult<Vec<PyItem>> {
    let known = given.cast_exact::<PyList>().map_or(0, |list| list.len());
    let mut items = Vec::with_capacity(known);
    for item in given.try_iter()? {
        items.push(PyItem::of(item?)?);
    }
    Ok(items)
}

#[pymethods]
impl Queue {
    #[new]
    #[pyo3(
        signature = (*, name=String::new(), metrics=None, aging=Some(AGING), clock=None),
        text_signature = "(*, name='', metrics=None, aging=10, clock=None)"
    )]
    fn new(
        py: Python<'_>,
        name: String,
        metrics: Option<Bound<'_, PyAny>>,
        aging: Option<u32>,
        clock: Option<&Bound<'_, FakeClock>>,
    ) -> PyResult<Self> {
        Self::make(py, name, metrics, aging, clock)
    }

    #[getter]
    fn name(&self) -> &str {
        &self.name
    }

    #[pyo3(signature = (item, priority=0))]
    fn add(&self, py: Python<'_>, item: &Bound<'_, PyAny>, priority: i32) -> PyResult<()> {
        self.birth.check()?;
        self.core.add(PyItem::new(item)?, priority)?;
        self.report(py)
    }

    #[pyo3(signature = (items, priority=0))]
    fn add_all(&self, py: Python<'_>, items: &Bound<'_, PyAny>, priority: i32) -> PyResult<()> {
        self.birth.check()?;
        let added = self.core.add_all(self::items(items)?, priority);
        self.report(py)?;
        added
    }

    #[pyo3(signature = (timeout=None))]
    fn get(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Py<PyAny>> {
        self.next_item(py, timeout)
    }

    #[pyo3(signature = (max_items, timeout=None))]
    fn get_batch<'py>(
        &self,
        py: Python<'py>,
        max_items: usize,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyList>> {
        if max_items == 0 {
            return Err(PyValueError::new_err("max_items must be at least 1, not 0"));
        }
        let batch = self.next(py, timeout, |core| {
            core.take_many(max_items, |item| item.object().clone_ref(py))
        })?;
        self.report(py)?;
        if let Some(metrics) = &self.metrics {
            for taken in &batch {
                metrics.taken(py, taken.waited)?;
            }
        }
        PyList::new(py, batch.into_iter().map(|taken| taken.item))
    }

    fn done(&self, py: Python<'_>, item: &Bound<'_, PyAny>) -> PyResult<()> {
        self.end(py, item)
    }

    fn done_all(&self, py: Python<'_>, items: &Bound<'_, PyAny>) -> PyResult<()> {
        self.birth.check()?;
        let worked = self.core.done_all(&self::items(items)?)?;
        let Some(metrics) = &self.metrics else {
            return Ok(());
        };
        worked
            .into_iter()
            .try_for_each(|worked| metrics.done(py, worked))
    }

    #[pyo3(signature = (timeout=None))]
    fn item(slf: &Bound<'_, Self>, timeout: Option<f64>) -> PyResult<ItemContext> {
        slf.get().birth.check()?;
        wait::timeout("timeout", timeout)?;
        Ok(ItemContext {
            queue: slf.clone().unbind(),
            timeout,
            item: OnceLock::new(),
        })
    }

    fn __len__(&self) -> PyResult<usize> {
        self.birth.check()?;
        Ok(self.core.len())
    }

    fn shut_down(&self) -> PyResult<()> {
        self.birth.check()?;
        self.core.shut_down();
        Ok(())
    }

    #[pyo3(signature = (timeout=None))]
    fn shut_down_with_drain(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        self.birth.check()?;
        let timeout = wait::timeout("timeout", timeout)?;
        self.core.begin_drain();
        let drained = wait::wait(py, timeout, |slice| self.core.wait_drained(slice))?;
        Ok(drained.unwrap_or(false))
    }

    fn shutting_down(&self) -> PyResult<bool> {
        self.birth.check()?;
        Ok(self.core.is_shutting_down())
    }

    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.birth.check()?;
        let stats = self.core.stats();
        self.report(py)?;
        metrics::stats(py, &stats)
    }
}

#[pyclass(frozen, subclass, generic, extends = Queue, module = "kubeinformer.workqueue")]
pub struct DelayingQueue;

#[pymethods]
impl DelayingQueue {
    #[new]
    #[pyo3(
        signature = (*, name=String::new(), metrics=None, aging=Some(AGING), clock=None),
        text_signature = "(*, name='', metrics=None, aging=10, clock=None)"
    )]
    fn new(
        py: Python<'_>,
        name: String,
        metrics: Option<Bound<'_, PyAny>>,
        aging: Option<u32>,
        clock: Option<&Bound<'_, FakeClock>>,
    ) -> PyResult<PyClassInitializer<Self>> {
        let queue = Queue::make(py, name, metrics, aging, clock)?;
        Ok(PyClassInitializer::from(queue).add_subclass(Self))
    }

    #[pyo3(signature = (item, delay, priority=None))]
    fn add_after(
        slf: &Bound<'_, Self>,
        item: &Bound<'_, PyAny>,
        delay: f64,
        priority: Option<i32>,
    ) -> PyResult<()> {
        let queue = slf.as_super().get();
        queue.birth.check()?;
        let delay = self::delay("delay", delay)?;
        queue.core.add_after(PyItem::new(item)?, delay, priority)?;
        queue.report(slf.py())
    }
}

#[pyclass(frozen, subclass, generic, extends = DelayingQueue, module = "kubeinformer.workqueue")]
pub struct RateLimitingQueue {
    limiter: Arc<dyn RateLimiter<PyItem>>,
}

impl RateLimitingQueue {
    fn queue<'a>(slf: &'a Bound<'_, Self>) -> PyResult<&'a Queue> {
        let queue = slf.as_super().as_super().get();
        queue.birth.check()?;
        Ok(queue)
    }
}

#[pymethods]
impl RateLimitingQueue {
    #[new]
    #[pyo3(
        signature = (rate_limiter=None, *, name=String::new(), metrics=None, aging=Some(AGING), clock=None),
        text_signature = "(rate_limiter=None, *, name='', metrics=None, aging=10, clock=None)"
    )]
    fn new(
        py: Python<'_>,
        rate_limiter: Option<Bound<'_, PyAny>>,
        name: String,
        metrics: Option<Bound<'_, PyAny>>,
        aging: Option<u32>,
        clock: Option<&Bound<'_, FakeClock>>,
    ) -> PyResult<PyClassInitializer<Self>> {
        let limiter = match rate_limiter {
            Some(given) => rate_limiter::of(&given)?,
            None => Arc::new(default_controller(FakeClock::or_system(clock)?)),
        };
        let queue = Queue::make(py, name, metrics, aging, clock)?;
        Ok(PyClassInitializer::from(queue)
            .add_subclass(DelayingQueue)
            .add_subclass(Self { limiter }))
    }

    #[pyo3(signature = (item, priority=None))]
    fn add_rate_limited(
        slf: &Bound<'_, Self>,
        item: &Bound<'_, PyAny>,
        priority: Option<i32>,
    ) -> PyResult<f64> {
        let queue = Self::queue(slf)?;
        let limiter = &*slf.get().limiter;
        let delay = queue
            .core
            .add_rate_limited(PyItem::new(item)?, limiter, priority)?;
        queue.report(slf.py())?;
        if let Some(metrics) = &queue.metrics {
            metrics.retried(slf.py())?;
        }
        Ok(delay.as_secs_f64())
    }

    fn forget(slf: &Bound<'_, Self>, item: &Bound<'_, PyAny>) -> PyResult<()> {
        Self::queue(slf)?;
        slf.get().limiter.forget(&PyItem::new(item)?)
    }

    fn num_requeues(slf: &Bound<'_, Self>, item: &Bound<'_, PyAny>) -> PyResult<u64> {
        Self::queue(slf)?;
        slf.get().limiter.num_requeues(&PyItem::new(item)?)
    }
}

/// `with queue.item() as item:`.
#[pyclass(frozen, generic, module = "kubeinformer._core")]
pub struct ItemContext {
    queue: Py<Queue>,
    timeout: Option<f64>,
    item: OnceLock<Py<PyAny>>,
}

#[pymethods]
impl ItemContext {
    fn __enter__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        if self.item.get().is_some() {
            return Err(PyRuntimeError::new_err(
                "entered before: ask for item() again",
            ));
        }
        let item = self.queue.get().next_item(py, self.timeout)?;
        // Of two threads that enter at once, one must give its item back.
        if self.item.set(item.clone_ref(py)).is_err() {
            self.queue.get().end(py, item.bind(py))?;
            return Err(PyRuntimeError::new_err(
                "entered before: ask for item() again",
            ));
        }
        Ok(item)
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(
        &self,
        py: Python<'_>,
        _exception: &Bound<'_, pyo3::types::PyTuple>,
    ) -> PyResult<()> {
        match self.item.get() {
            Some(item) => self.queue.get().end(py, item.bind(py)),
            None => Ok(()),
        }
    }
}
