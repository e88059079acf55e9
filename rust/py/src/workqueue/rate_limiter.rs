//! The core's rate limiters for Python, and Python's for the core.

use std::sync::Arc;
use std::time::Duration;

use kubeinformer_core::workqueue::rate_limiter::{self as core, RateLimiter};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::PyClass;

use super::clock::FakeClock;
use super::delay;
use super::item::PyItem;
use crate::errors;
use crate::fork::Birth;

type Shared = Arc<dyn RateLimiter<PyItem>>;

/// What the core's limiters have in common.
#[pyclass(frozen, subclass, module = "kubeinformer._core")]
pub struct CoreRateLimiter {
    limiter: Shared,
    birth: Birth,
}

impl CoreRateLimiter {
    fn with<C>(limiter: impl RateLimiter<PyItem> + 'static, class: C) -> PyClassInitializer<C>
    where
        C: PyClass<BaseType = Self>,
    {
        let base = Self {
            limiter: Arc::new(limiter),
            birth: Birth::now(),
        };
        PyClassInitializer::from(base).add_subclass(class)
    }
}

#[pymethods]
impl CoreRateLimiter {
    fn when(&self, item: &Bound<'_, PyAny>) -> PyResult<f64> {
        self.birth.check()?;
        Ok(self.limiter.when(&PyItem::new(item)?)?.as_secs_f64())
    }

    fn forget(&self, item: &Bound<'_, PyAny>) -> PyResult<()> {
        self.birth.check()?;
        self.limiter.forget(&PyItem::new(item)?)
    }

    fn num_requeues(&self, item: &Bound<'_, PyAny>) -> PyResult<u64> {
        self.birth.check()?;
        self.limiter.num_requeues(&PyItem::new(item)?)
    }
}

/// A limiter that is written in Python.
struct Foreign(Py<PyAny>);

impl RateLimiter<PyItem> for Foreign {
    fn when(&self, item: &PyItem) -> PyResult<Duration> {
        Python::attach(|py| {
            let seconds = self
                .0
                .call_method1(py, intern!(py, "when"), (item.object(),))?;
            delay("the delay of a rate limiter", seconds.extract(py)?)
        })
    }

    fn forget(&self, item: &PyItem) -> PyResult<()> {
        Python::attach(|py| {
            self.0
                .call_method1(py, intern!(py, "forget"), (item.object(),))
                .map(drop)
        })
    }

    fn num_requeues(&self, item: &PyItem) -> PyResult<u64> {
        Python::attach(|py| {
            let name = intern!(py, "num_requeues");
            self.0.call_method1(py, name, (item.object(),))?.extract(py)
        })
    }
}

/// Any limiter, for the core.
pub fn of(object: &Bound<'_, PyAny>) -> PyResult<Shared> {
    if let Ok(limiter) = object.cast::<CoreRateLimiter>() {
        let limiter = limiter.get();
        limiter.birth.check()?;
        return Ok(Arc::clone(&limiter.limiter));
    }
    for method in ["when", "forget", "num_requeues"] {
        if !object
            .getattr(method)
            .is_ok_and(|method| method.is_callable())
        {
            return Err(PyTypeError::new_err(format!(
                "a rate limiter needs the methods when, forget and num_requeues, but {} has no {method}",
                errors::type_name(object)
            )));
        }
    }
    Ok(Arc::new(Foreign(object.clone().unbind())))
}

#[pyclass(frozen, extends = CoreRateLimiter, module = "kubeinformer.workqueue")]
pub struct ItemExponentialFailureRateLimiter;

#[pymethods]
impl ItemExponentialFailureRateLimiter {
    #[new]
    fn new(base_delay: f64, max_delay: f64) -> PyResult<PyClassInitializer<Self>> {
        let base = delay("base_delay", base_delay)?;
        let max = delay("max_delay", max_delay)?;
        let limiter = core::ItemExponentialFailureRateLimiter::new(base, max);
        Ok(CoreRateLimiter::with(limiter, Self))
    }
}

#[pyclass(frozen, extends = CoreRateLimiter, module = "kubeinformer.workqueue")]
pub struct ItemFastSlowRateLimiter;

#[pymethods]
impl ItemFastSlowRateLimiter {
    #[new]
    fn new(
        fast_delay: f64,
        slow_delay: f64,
        max_fast_attempts: u64,
    ) -> PyResult<PyClassInitializer<Self>> {
        let fast = delay("fast_delay", fast_delay)?;
        let slow = delay("slow_delay", slow_delay)?;
        let limiter = core::ItemFastSlowRateLimiter::new(fast, slow, max_fast_attempts);
        Ok(CoreRateLimiter::with(limiter, Self))
    }
}

#[pyclass(frozen, extends = CoreRateLimiter, module = "kubeinformer.workqueue")]
pub struct BucketRateLimiter;

#[pymethods]
impl BucketRateLimiter {
    #[new]
    #[pyo3(signature = (qps=10.0, burst=100, *, clock=None))]
    fn new(
        qps: f64,
        burst: u32,
        clock: Option<&Bound<'_, FakeClock>>,
    ) -> PyResult<PyClassInitializer<Self>> {
        if !(qps.is_finite() && qps > 0.0) {
            return Err(PyValueError::new_err(format!(
                "qps must be a positive number, not {qps}"
            )));
        }
        if burst == 0 {
            return Err(PyValueError::new_err("burst must be at least 1, not 0"));
        }
        let limiter = core::BucketRateLimiter::new(qps, burst, FakeClock::or_system(clock)?);
        Ok(CoreRateLimiter::with(limiter, Self))
    }
}

#[pyclass(frozen, extends = CoreRateLimiter, module = "kubeinformer.workqueue")]
pub struct MaxOfRateLimiter;

#[pymethods]
impl MaxOfRateLimiter {
    #[new]
    #[pyo3(signature = (*limiters))]
    fn new(limiters: Vec<Bound<'_, PyAny>>) -> PyResult<PyClassInitializer<Self>> {
        let limiters = limiters.iter().map(of).collect::<PyResult<_>>()?;
        Ok(CoreRateLimiter::with(
            core::MaxOfRateLimiter::new(limiters),
            Self,
        ))
    }
}

#[pyclass(frozen, extends = CoreRateLimiter, module = "kubeinformer.workqueue")]
pub struct WithMaxWaitRateLimiter;

#[pymethods]
impl WithMaxWaitRateLimiter {
    #[new]
    fn new(limiter: &Bound<'_, PyAny>, max_delay: f64) -> PyResult<PyClassInitializer<Self>> {
        let max = delay("max_delay", max_delay)?;
        let limiter = core::WithMaxWaitRateLimiter::new(of(limiter)?, max);
        Ok(CoreRateLimiter::with(limiter, Self))
    }
}
