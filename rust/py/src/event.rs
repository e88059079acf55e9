//! `Event`: one change of an object, as streams and handlers of batches get it.

use std::sync::Arc;

use kubeinformer_core::notification::Notification;
use kubeinformer_core::object::Object;
use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};

use crate::object::{KubeObject, Origin};

#[derive(Clone, Copy)]
enum EventType {
    Added,
    Modified,
    Deleted,
}

/// Tracked by the cyclic garbage collector, unlike `KubeObject`: its object may be a model, which a user can change.
#[pyclass(frozen, generic, module = "kubeinformer")]
pub struct Event {
    kind: EventType,
    object: Py<PyAny>,
    old: Option<Py<PyAny>>,
    initial: bool,
}

impl Event {
    pub fn of(
        py: Python<'_>,
        notification: Notification<Object>,
        origin: &Arc<Origin>,
    ) -> PyResult<Self> {
        let event = |kind, object: Bound<'_, PyAny>| Self {
            kind,
            object: object.unbind(),
            old: None,
            initial: false,
        };
        Ok(match notification {
            Notification::Add { object, initial } => Self {
                initial,
                ..event(EventType::Added, handle(py, object, origin)?.into_any())
            },
            Notification::Update { old, new, .. } => {
                let (old, new) = handles(py, old, new, origin)?;
                Self {
                    old: Some(old.into_any().unbind()),
                    ..event(EventType::Modified, new.into_any())
                }
            }
            Notification::Delete { object, .. } => {
                event(EventType::Deleted, handle(py, object, origin)?.into_any())
            }
            Notification::Tombstone { key, object } => event(
                EventType::Deleted,
                tombstone(py, key.as_str(), object, origin)?,
            ),
        })
    }
}

#[pymethods]
impl Event {
    #[new]
    #[pyo3(signature = (r#type, object, old=None, *, is_in_initial_list=false))]
    fn new(
        r#type: &str,
        object: Py<PyAny>,
        old: Option<Py<PyAny>>,
        is_in_initial_list: bool,
    ) -> PyResult<Self> {
        let kind = match r#type {
            "ADDED" => EventType::Added,
            "MODIFIED" => EventType::Modified,
            "DELETED" => EventType::Deleted,
            _ => {
                return Err(PyValueError::new_err(format!(
                    "type must be \"ADDED\", \"MODIFIED\" or \"DELETED\", not {type:?}"
                )))
            }
        };
        Ok(Self {
            kind,
            object,
            old,
            initial: is_in_initial_list,
        })
    }

    #[getter]
    fn r#type<'py>(&self, py: Python<'py>) -> &Bound<'py, PyString> {
        match self.kind {
            EventType::Added => intern!(py, "ADDED"),
            EventType::Modified => intern!(py, "MODIFIED"),
            EventType::Deleted => intern!(py, "DELETED"),
        }
    }

    #[getter]
    fn object<'py>(&self, py: Python<'py>) -> &Bound<'py, PyAny> {
        self.object.bind(py)
    }

    #[getter]
    fn old<'py>(&self, py: Python<'py>) -> Option<&Bound<'py, PyAny>> {
        self.old.as_ref().map(|old| old.bind(py))
    }

    #[getter]
    fn is_in_initial_list(&self) -> bool {
        self.initial
    }

    fn __getitem__<'py>(slf: &Bound<'py, Self>, key: &str) -> PyResult<Bound<'py, PyAny>> {
        match key {
            "type" | "object" | "old" => slf.getattr(key),
            _ => Err(PyKeyError::new_err(key.to_owned())),
        }
    }

    fn __getnewargs_ex__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyTuple>, Bound<'py, PyDict>)> {
        let keywords = PyDict::new(py);
        keywords.set_item("is_in_initial_list", self.initial)?;
        let arguments = (self.r#type(py), self.object(py), self.old(py)).into_pyobject(py)?;
        Ok((arguments, keywords))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        static DESCRIBE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let describe = DESCRIBE.import(py, "kubeinformer.redaction", "describe_object")?;
        let object = describe.call1((self.object(py),))?;
        Ok(format!("<Event {} {object}>", self.r#type(py)))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.object)?;
        visit.call(&self.old)
    }
}

pub fn handle<'py>(
    py: Python<'py>,
    object: Arc<Object>,
    origin: &Arc<Origin>,
) -> PyResult<Bound<'py, KubeObject>> {
    Bound::new(py, KubeObject::new(object, origin))
}

/// Both sides of an update: one handle, if they are the same.
pub fn handles<'py>(
    py: Python<'py>,
    old: Arc<Object>,
    new: Arc<Object>,
    origin: &Arc<Origin>,
) -> PyResult<(Bound<'py, KubeObject>, Bound<'py, KubeObject>)> {
    if Arc::ptr_eq(&old, &new) {
        let both = handle(py, new, origin)?;
        return Ok((both.clone(), both));
    }
    Ok((handle(py, old, origin)?, handle(py, new, origin)?))
}

/// A `DeletedFinalStateUnknown`.
pub fn tombstone<'py>(
    py: Python<'py>,
    key: &str,
    object: Option<Arc<Object>>,
    origin: &Arc<Origin>,
) -> PyResult<Bound<'py, PyAny>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let class = CLASS.import(
        py,
        "kubeinformer.cache.tombstone",
        "DeletedFinalStateUnknown",
    )?;
    class.call1((key, object.map(|object| KubeObject::new(object, origin))))
}
