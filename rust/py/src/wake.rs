//! `WakePipe` and `Waker`: how the core wakes an event loop.

use std::sync::Arc;
use std::task;

use kubeinformer_core::wake::WakePipe as CoreWakePipe;
use pyo3::prelude::*;

use crate::fork::Birth;

#[pyclass(frozen, module = "kubeinformer._core")]
pub struct WakePipe {
    core: Arc<CoreWakePipe>,
    birth: Birth,
}

#[pymethods]
impl WakePipe {
    #[new]
    fn new() -> PyResult<Self> {
        Ok(Self {
            core: Arc::new(CoreWakePipe::new()?),
            birth: Birth::now(),
        })
    }

    fn fileno(&self) -> PyResult<i32> {
        self.birth.check()?;
        Ok(self.core.watched())
    }

    fn waker(&self, token: u64) -> PyResult<Waker> {
        self.birth.check()?;
        Ok(Waker {
            core: self.core.waker(token),
        })
    }

    fn take(&self, py: Python<'_>) -> PyResult<Vec<u64>> {
        self.birth.check()?;
        let taken = self.core.try_take();
        Ok(taken.unwrap_or_else(|| py.detach(|| self.core.take())))
    }
}

#[pyclass(frozen, module = "kubeinformer._core")]
pub struct Waker {
    pub core: task::Waker,
}
