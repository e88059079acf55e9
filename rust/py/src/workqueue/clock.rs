//! `FakeClock`: time for tests, which goes on when they say so.

use std::sync::Arc;

use kubeinformer_core::workqueue::{Clock, FakeClock as CoreClock};
use pyo3::prelude::*;

use super::delay;
use crate::fork::Birth;

#[pyclass(frozen, module = "kubeinformer.workqueue")]
pub struct FakeClock {
    core: Arc<CoreClock>,
    birth: Birth,
}

impl FakeClock {
    /// The clock that was given, or the system's.
    pub fn or_system(given: Option<&Bound<'_, Self>>) -> PyResult<Clock> {
        let Some(clock) = given else {
            return Ok(Clock::System);
        };
        let clock = clock.get();
        clock.birth.check()?;
        Ok(Clock::Fake(Arc::clone(&clock.core)))
    }
}

#[pymethods]
impl FakeClock {
    #[new]
    fn new() -> Self {
        Self {
            core: Arc::default(),
            birth: Birth::now(),
        }
    }

    fn step(&self, py: Python<'_>, seconds: f64) -> PyResult<()> {
        self.birth.check()?;
        let by = delay("seconds", seconds)?;
        py.detach(|| self.core.step(by));
        Ok(())
    }
}
