//! Blocking: every wait is detached from the interpreter and can be interrupted.
//!
//! The main thread waits in slices, so that Ctrl-C acts within a slice; other threads get no signals and wait in full.

use std::task::Poll;
use std::time::{Duration, Instant};

use kubeinformer_core::queue::WaitError;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::detached::detached;

const SLICE: Duration = Duration::from_millis(100);

/// Longer than any program runs; as a deadline it would overflow.
const FOR_EVER: f64 = 1e9;

/// Seconds as Python gives them: None waits for ever, a negative number not at all.
pub fn timeout(name: &str, seconds: Option<f64>) -> PyResult<Option<Duration>> {
    match seconds {
        None => Ok(None),
        Some(seconds) if seconds.is_nan() => Err(PyValueError::new_err(format!(
            "{name} must be a number, not NaN"
        ))),
        Some(seconds) if seconds > FOR_EVER => Ok(None),
        Some(seconds) => Ok(Some(Duration::from_secs_f64(seconds.max(0.0)))),
    }
}

fn is_main_thread(py: Python<'_>) -> PyResult<bool> {
    let threading = py.import("threading")?;
    let main = threading.call_method0("main_thread")?.getattr("ident")?;
    threading.call_method0("get_ident")?.eq(main)
}

/// Calls `step`, detached, with the time it may wait until it answers. None when `timeout` is over.
pub fn wait<R: Send>(
    py: Python<'_>,
    timeout: Option<Duration>,
    mut step: impl FnMut(Option<Duration>) -> Option<R> + Send,
) -> PyResult<Option<R>> {
    if timeout == Some(Duration::ZERO) {
        return Ok(detached(py, || step(timeout)));
    }
    let slice = is_main_thread(py)?.then_some(SLICE);
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let this_time = match (slice, left) {
            (Some(slice), Some(left)) => Some(slice.min(left)),
            (slice, left) => slice.or(left),
        };
        if let Some(answer) = detached(py, || step(this_time)) {
            return Ok(Some(answer));
        }
        py.check_signals()?;
        if left.is_some_and(|left| left <= this_time.unwrap_or_default()) {
            return Ok(None);
        }
    }
}

/// The same for a wait of the core: whether it came to what it waited for. False when `timeout` is over, or it was closed.
pub fn reached(
    py: Python<'_>,
    timeout: Option<Duration>,
    step: impl Fn(Option<Duration>) -> Result<(), WaitError> + Sync,
) -> PyResult<bool> {
    let waited = wait(py, timeout, |slice| match step(slice) {
        Ok(()) => Some(true),
        Err(WaitError::Closed) => Some(false),
        Err(WaitError::TimedOut) => None,
    })?;
    Ok(waited.unwrap_or(false))
}

/// The same for a poll of the core. None while it waits, having left its waker.
pub fn polled(poll: Poll<Result<(), WaitError>>) -> Option<bool> {
    match poll {
        Poll::Ready(waited) => Some(waited.is_ok()),
        Poll::Pending => None,
    }
}
