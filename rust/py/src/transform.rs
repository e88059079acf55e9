//! `Transform`: a transform that the core evaluates. `Untransformed`: a batch that waits for one of Python's.

use std::sync::Arc;

use kubeinformer_core::object::NotSameError;
use kubeinformer_core::object_informer::PendingTransform;
use kubeinformer_core::path::Path;
use kubeinformer_core::sync::Mutex;
use kubeinformer_core::transform::Transform as CoreTransform;
use pyo3::exceptions::{PyBaseException, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::fork::Birth;
use crate::object::{KubeObject, Origin};
use crate::path;

#[pyclass(frozen, module = "kubeinformer.transform")]
pub struct Transform {
    pub core: Arc<CoreTransform>,
    text: String,
}

fn compiled(paths: &[String]) -> PyResult<Vec<Path>> {
    paths.iter().map(|path| path::compile(path)).collect()
}

fn text(name: &str, paths: &[String]) -> String {
    let paths: Vec<String> = paths.iter().map(|path| format!("{path:?}")).collect();
    format!("transform.{name}({})", paths.join(", "))
}

#[pymethods]
impl Transform {
    #[staticmethod]
    #[pyo3(signature = (*paths))]
    fn drop(paths: Vec<String>) -> PyResult<Self> {
        if paths.is_empty() {
            return Err(PyTypeError::new_err("paths: drop needs at least one"));
        }
        let core = CoreTransform::drop(compiled(&paths)?)
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(Self {
            core: Arc::new(core),
            text: text("drop", &paths),
        })
    }

    #[staticmethod]
    #[pyo3(signature = (*paths))]
    fn keep(paths: Vec<String>) -> PyResult<Self> {
        Ok(Self {
            core: Arc::new(CoreTransform::keep(compiled(&paths)?)),
            text: text("keep", &paths),
        })
    }

    fn __repr__(&self) -> &str {
        &self.text
    }
}

#[pyclass(frozen, module = "kubeinformer._core")]
pub struct Untransformed {
    pending: Mutex<Option<PendingTransform>>,
    origin: Arc<Origin>,
    birth: Birth,
}

fn taken() -> PyErr {
    PyRuntimeError::new_err("this batch was taken back before")
}

impl Untransformed {
    pub fn new(pending: PendingTransform, origin: &Arc<Origin>) -> Self {
        Self {
            pending: Mutex::new(Some(pending)),
            origin: Arc::clone(origin),
            birth: Birth::now(),
        }
    }

    pub fn with<R: Send>(
        &self,
        py: Python<'_>,
        use_it: impl FnOnce(&mut PendingTransform) -> R + Send,
    ) -> PyResult<R> {
        self.birth.check()?;
        py.detach(|| Some(use_it(self.pending.try_lock()?.as_mut()?)))
            .ok_or_else(taken)
    }

    pub fn take(&self) -> PyResult<PendingTransform> {
        let pending = self.pending.try_lock();
        pending
            .and_then(|mut pending| pending.take())
            .ok_or_else(taken)
    }
}

#[pymethods]
impl Untransformed {
    fn next(&self, py: Python<'_>, max_items: usize) -> PyResult<Vec<(KubeObject, bool)>> {
        let objects = self.with(py, |pending| pending.next(max_items))?;
        let handle = |(object, deleted)| (KubeObject::new(object, &self.origin), deleted);
        Ok(objects.into_iter().map(handle).collect())
    }

    fn give<'py>(
        &self,
        py: Python<'py>,
        made: Vec<Option<Bound<'py, PyBytes>>>,
    ) -> PyResult<Vec<Option<Bound<'py, PyBaseException>>>> {
        let made: Vec<Option<&[u8]>> = made
            .iter()
            .map(|json| json.as_ref().map(|json| json.as_bytes()))
            .collect();
        let refused = self.with(py, |pending| pending.give(&made))?;
        let error = |refused: Option<NotSameError>| {
            let error = PyValueError::new_err(refused?.to_string());
            Some(error.into_value(py).into_bound(py))
        };
        Ok(refused.into_iter().map(error).collect())
    }
}
