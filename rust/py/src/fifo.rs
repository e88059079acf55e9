//! What `DeltaFIFO` and `RealFIFO` share: objects in and out, known objects, the transformer, and the consumer's turn.

use std::sync::Arc;
use std::thread::{self, ThreadId};

use kubeinformer_core::keyed::Keyed;
use kubeinformer_core::queue::{Delta, DeltaObject, DeltaType, Known, SourceId, WaitError};
use kubeinformer_core::sync::Mutex;
use pyo3::exceptions::{PyRuntimeError, PyTimeoutError, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString, PyTuple};

use crate::detached::detached;
use crate::errors;
use crate::fork::Birth;
use crate::item::{tombstone_class, Item, KeyFunction};
use crate::wait;

pub const SOURCE: SourceId = SourceId::FIRST;

/// The user's functions and objects around a queue.
pub struct Surroundings {
    key_function: KeyFunction,
    known_objects: Option<Py<PyAny>>,
    transformer: Option<Py<PyAny>>,
    /// The thread that runs a process function: it must not wait for its own end.
    consumer: Mutex<Option<ThreadId>>,
    pub birth: Birth,
}

/// An object on its way into a queue.
#[derive(Clone)]
pub enum Incoming {
    Object(Arc<Item>),
    Tombstone {
        key: Arc<str>,
        object: Option<Arc<Item>>,
    },
}

impl Incoming {
    pub fn key(&self) -> &str {
        match self {
            Self::Object(item) => item.key(),
            Self::Tombstone { key, .. } => key,
        }
    }
}

impl From<Incoming> for DeltaObject<Item> {
    fn from(incoming: Incoming) -> Self {
        match incoming {
            Incoming::Object(item) => Self::Object(item),
            Incoming::Tombstone { key, object } => Self::tombstone(key, object),
        }
    }
}

impl Surroundings {
    pub fn new(
        py: Python<'_>,
        key_function: Option<Bound<'_, PyAny>>,
        known_objects: Option<Bound<'_, PyAny>>,
        transformer: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        if let Some(known) = &known_objects {
            if !known.hasattr("list_keys")? || !known.hasattr("get_by_key")? {
                return Err(PyTypeError::new_err(
                    "known_objects must have list_keys and get_by_key, as an Indexer has",
                ));
            }
        }
        Ok(Self {
            key_function: KeyFunction::new(py, key_function)?,
            known_objects: known_objects.map(Bound::unbind),
            transformer: transformer.map(Bound::unbind),
            consumer: Mutex::new(None),
            birth: Birth::now(),
        })
    }

    /// That of a tombstone is the one it carries, whatever the key function is (client-go §3).
    pub fn key(&self, object: &Bound<'_, PyAny>) -> PyResult<String> {
        if object.is_instance(tombstone_class(object.py())?)? {
            return object.getattr("key")?.extract();
        }
        self.key_function.key(object)
    }

    pub fn has_known_objects(&self) -> bool {
        self.known_objects.is_some()
    }

    /// The transformed object under its key (client-go §46).
    pub fn object(&self, object: &Bound<'_, PyAny>) -> PyResult<Arc<Item>> {
        match &self.transformer {
            Some(transformer) => self
                .key_function
                .item(&transformer.bind(object.py()).call1((object,))?),
            None => self.key_function.item(object),
        }
    }

    pub fn objects(&self, list: &[Bound<'_, PyAny>]) -> PyResult<Vec<Arc<Item>>> {
        list.iter().map(|object| self.object(object)).collect()
    }

    /// What is deleted: an object, or a tombstone, which is not transformed.
    pub fn deleted(&self, object: &Bound<'_, PyAny>) -> PyResult<Incoming> {
        if !object.is_instance(tombstone_class(object.py())?)? {
            return Ok(Incoming::Object(self.object(object)?));
        }
        let key = self.key(object)?;
        let last = object.getattr("obj")?;
        let last = (!last.is_none()).then(|| Item::new(&key, &last));
        Ok(Incoming::Tombstone {
            key: key.into(),
            object: last,
        })
    }

    /// The known objects as they are now; one whose look-up fails has no object (client-go §4).
    pub fn known(&self, py: Python<'_>) -> PyResult<Known<Item>> {
        let Some(known) = &self.known_objects else {
            return Ok(Vec::new());
        };
        let known = known.bind(py);
        let keys: Vec<String> = known.call_method0("list_keys")?.extract()?;
        let entries = keys.into_iter().map(|key| {
            let object = known
                .call_method1("get_by_key", (&key,))
                .ok()
                .filter(|object| !object.is_none());
            let item = object.map(|object| Item::new(&key, &object));
            (key.into(), item)
        });
        Ok(entries.collect())
    }

    /// Whether a key is known; one whose look-up fails counts as known (client-go §35).
    pub fn knows(&self, py: Python<'_>, key: &str) -> bool {
        let Some(known) = &self.known_objects else {
            return false;
        };
        known
            .bind(py)
            .call_method1("get_by_key", (key,))
            .map_or(true, |object| !object.is_none())
    }

    /// Waits for the end of processing, which the thread that processes cannot do.
    pub fn quiet<Q: Send>(
        &self,
        py: Python<'_>,
        mut begin: impl FnMut(Option<std::time::Duration>) -> Result<Q, WaitError> + Send,
    ) -> PyResult<Q> {
        self.birth.check()?;
        if *self.consumer.lock() == Some(thread::current().id()) {
            return Err(PyRuntimeError::new_err(
                "called from the queue's own process function, which it would have to wait for",
            ));
        }
        let waited = wait::wait(py, None, |slice| match begin(slice) {
            Err(WaitError::TimedOut) => None,
            ended => Some(ended),
        })?;
        match waited {
            Some(Ok(quiet)) => Ok(quiet),
            _ => Err(errors::closed("the queue")),
        }
    }

    /// Pops, runs `process` on what was popped, and ends the processing phase whatever happens (client-go §47).
    pub fn consume<'py, P: Send>(
        &self,
        py: Python<'py>,
        timeout: Option<f64>,
        mut pop: impl FnMut(Option<std::time::Duration>) -> Result<P, WaitError> + Send,
        process: impl FnOnce(P) -> PyResult<Bound<'py, PyAny>>,
        processed: impl FnOnce() + Send,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.birth.check()?;
        let me = Some(thread::current().id());
        if *self.consumer.lock() == me {
            return Err(PyRuntimeError::new_err(
                "popped from the queue's own process function",
            ));
        }
        let timeout = wait::timeout("timeout", timeout)?;
        let popped = wait::wait(py, timeout, |slice| match pop(slice) {
            Err(WaitError::TimedOut) => None,
            popped => Some(popped),
        })?;
        let popped = match popped {
            Some(Ok(popped)) => popped,
            Some(Err(_)) => return Err(errors::closed("the queue")),
            None => {
                return Err(PyTimeoutError::new_err(
                    "nothing came into the queue in time",
                ))
            }
        };
        *self.consumer.lock() = me;
        let result = process(popped);
        *self.consumer.lock() = None;
        detached(py, processed);
        result
    }
}

fn type_name(py: Python<'_>, kind: DeltaType) -> &Bound<'_, PyString> {
    match kind {
        DeltaType::Added => intern!(py, "Added"),
        DeltaType::Updated => intern!(py, "Updated"),
        DeltaType::Deleted => intern!(py, "Deleted"),
        DeltaType::Replaced => intern!(py, "Replaced"),
        DeltaType::ReplacedAll => intern!(py, "ReplacedAll"),
        DeltaType::Sync => intern!(py, "Sync"),
        DeltaType::SyncAll => intern!(py, "SyncAll"),
        DeltaType::Bookmark => intern!(py, "Bookmark"),
    }
}

/// (type, object), the object as it was given, or one of the info classes.
pub fn delta<'py>(py: Python<'py>, delta: &Delta<Item>) -> PyResult<Bound<'py, PyTuple>> {
    delta_of(py, delta, |item| Ok(item.object(py)))
}

/// The same for a queue of anything, of which `object` makes what Python gets.
pub fn delta_of<'py, T>(
    py: Python<'py>,
    delta: &Delta<T>,
    object: impl Fn(&Arc<T>) -> PyResult<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyTuple>> {
    let infos = || py.import("kubeinformer.cache.deltas");
    let about = match &delta.object {
        DeltaObject::Object(one) => object(one)?,
        DeltaObject::Tombstone { key, object: last } => {
            let last = last.as_ref().map(&object).transpose()?;
            tombstone_class(py)?.call1((&**key, last))?
        }
        DeltaObject::OutOfScope { key, .. } => tombstone_class(py)?.call1((&**key, py.None()))?,
        DeltaObject::Replacement(list) => {
            let objects = list.objects.iter().map(&object);
            let objects = PyList::new(py, objects.collect::<PyResult<Vec<_>>>()?)?;
            infos()?
                .getattr("ReplacedAllInfo")?
                .call1((&list.resource_version, objects))?
        }
        DeltaObject::Bookmark { resource_version } => infos()?
            .getattr("BookmarkInfo")?
            .call1((&**resource_version,))?,
        DeltaObject::None => infos()?.getattr("SyncAllInfo")?.call0()?,
    };
    (type_name(py, delta.kind), about).into_pyobject(py)
}

pub fn deltas<'a, 'py>(
    py: Python<'py>,
    all: impl IntoIterator<Item = &'a Delta<Item>>,
) -> PyResult<Bound<'py, PyList>> {
    PyList::new(
        py,
        all.into_iter()
            .map(|one| delta(py, one))
            .collect::<PyResult<Vec<_>>>()?,
    )
}

/// (type, object) pairs as deltas of events.
pub fn events(
    surroundings: &Surroundings,
    pairs: &[(Bound<'_, PyString>, Bound<'_, PyAny>)],
) -> PyResult<Vec<Delta<Item>>> {
    let made = pairs.iter().map(|(kind, object)| match kind.to_str()? {
        "Added" => Ok(Delta::added(SOURCE, surroundings.object(object)?)),
        "Updated" => Ok(Delta::updated(SOURCE, surroundings.object(object)?)),
        "Deleted" => Ok(Delta::deleted(SOURCE, surroundings.deleted(object)?)),
        kind => Err(pyo3::exceptions::PyValueError::new_err(format!(
            "{kind:?} is not the type of an event: Added, Updated, Deleted"
        ))),
    });
    made.collect()
}
