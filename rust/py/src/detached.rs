//! Detaching from the interpreter for work that may let go of Python objects.
//!
//! A `Reference` that is dropped on a detached thread is kept until that thread is attached again. `PyO3` would put it on a
//! list of its own, whose lock another thread may hold at the moment of a fork: every call into the module, the first one
//! included, would then hang in the child.

use std::cell::RefCell;

use pyo3::prelude::*;

thread_local! {
    /// What waits for the end of `detached`; None outside of it.
    static KEPT: RefCell<Option<Vec<Py<PyAny>>>> = const { RefCell::new(None) };
}

/// A Python object that may be dropped within `detached`.
pub struct Reference(Option<Py<PyAny>>);

impl Reference {
    pub fn new(object: Bound<'_, PyAny>) -> Self {
        Self(Some(object.unbind()))
    }

    pub fn get<'py>(&self, py: Python<'py>) -> &Bound<'py, PyAny> {
        let object = self.0.as_ref().expect("only `drop` takes it");
        object.bind(py)
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        let _ = KEPT.try_with(|kept| {
            if let Some(kept) = &mut *kept.borrow_mut() {
                kept.extend(self.0.take());
            }
        });
    }
}

/// `Python::detach` for work that may drop a `Reference`.
pub fn detached<R: Send>(py: Python<'_>, work: impl FnOnce() -> R + Send) -> R {
    let (result, kept) = py.detach(|| {
        KEPT.set(Some(Vec::new()));
        let result = work();
        (result, KEPT.take())
    });
    drop(kept);
    result
}
