//! `KubeObject`: the handle of one object version.
//!
//! It holds the bytes, which never change, and decodes them when somebody looks; two handles are equal iff resource, uid
//! and bytes are. It refers to no Python object but decoded JSON that is only handed out in views, so that it needs no
//! cyclic garbage collection.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use kubeinformer_core::object::{Members, Object, Plain, TypeMeta};
use pyo3::basic::CompareOp;
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyBytes, PyDict, PyIterator, PyList, PyMappingProxy, PyTuple, PyType};

use crate::decoded::{decode, DecodeCache};
use crate::errors;
use crate::path;
use crate::views::{self, view, JSONMapping};

/// What the handles of one informer share.
pub struct Origin {
    /// `group/version/plural`, part of equality; "" for a handle made by hand.
    pub resource: String,
    pub cache: DecodeCache,
}

#[pyclass(frozen, mapping, module = "kubeinformer")]
pub struct KubeObject {
    object: Arc<Object>,
    origin: Arc<Origin>,
    /// What was decompressed, once somebody looked: who looks once looks again.
    decompressed: OnceLock<Box<Plain<'static>>>,
    decoded: PyOnceLock<Py<PyDict>>,
}

/// JSON that is decompressed without letting go of the interpreter: some 20 microseconds.
const SMALL: usize = 32 << 10;

impl KubeObject {
    pub fn new(object: Arc<Object>, origin: &Arc<Origin>) -> Self {
        Self {
            object,
            origin: Arc::clone(origin),
            decompressed: OnceLock::new(),
            decoded: PyOnceLock::new(),
        }
    }

    pub fn object(&self) -> &Arc<Object> {
        &self.object
    }

    /// Lets go of the interpreter while it decompresses what is large.
    fn plain(&self, py: Python<'_>) -> Plain<'_> {
        if self.decompressed.get().is_none() {
            let decompressed = detached_if_large(py, &self.object, || self.object.decompressed());
            let Some(decompressed) = decompressed else {
                return self.object.plain();
            };
            // Another thread may have been quicker. Nobody waits for it, attached as this one is.
            let _ = self.decompressed.set(Box::new(decompressed));
        }
        let known = self.decompressed.get();
        Plain::Borrowed(known.expect("set by this thread or another one"))
    }

    fn dict<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyDict>> {
        if let Some(known) = self.decoded.get(py) {
            return Ok(known.bind(py));
        }
        // Decoding may run finalizers, which may look at this very handle: no lock, so not `get_or_try_init`. It would
        // also let go of the interpreter, and wait for it behind every thread that computes.
        let plain = || self.plain(py);
        let dict = self.origin.cache.decode(py, &self.object, plain)?;
        let _ = self.decoded.set(py, dict.unbind());
        Ok(self
            .decoded
            .get(py)
            .expect("set by this thread or another one")
            .bind(py))
    }
}

/// Work that decompresses the object if it is compressed.
fn detached_if_large<R: Send>(
    py: Python<'_>,
    object: &Object,
    work: impl FnOnce() -> R + Send,
) -> R {
    if object.is_compressed() && object.raw_len() > SMALL {
        py.detach(work)
    } else {
        work()
    }
}

fn proxy<'py>(py: Python<'py>, members: Members<'_>) -> PyResult<Bound<'py, PyMappingProxy>> {
    let dict = PyDict::new(py);
    for (name, value) in members {
        dict.set_item(name, value)?;
    }
    Ok(PyMappingProxy::new(py, dict.as_mapping()))
}

#[pymethods]
impl KubeObject {
    #[new]
    #[pyo3(signature = (raw, resource=""))]
    fn from_bytes(raw: &[u8], resource: &str) -> PyResult<Self> {
        let object =
            Object::parse(raw, &TypeMeta::default(), true).map_err(|error| errors::scan(&error))?;
        let origin = Origin {
            resource: resource.to_owned(),
            cache: DecodeCache::new(0),
        };
        Ok(Self::new(Arc::new(object), &Arc::new(origin)))
    }

    #[getter]
    fn key(&self) -> &str {
        self.object.key()
    }

    #[getter]
    fn namespace(&self) -> &str {
        self.object.namespace()
    }

    #[getter]
    fn name(&self) -> &str {
        self.object.name()
    }

    #[getter]
    fn uid(&self) -> &str {
        self.object.uid()
    }

    #[getter]
    fn resource_version(&self) -> &str {
        self.object.resource_version()
    }

    #[getter]
    fn kind(&self) -> &str {
        self.object.kind()
    }

    #[getter]
    fn api_version(&self) -> &str {
        self.object.api_version()
    }

    #[getter]
    fn generation(&self) -> Option<i64> {
        self.object.generation()
    }

    #[getter]
    fn deletion_timestamp(&self) -> Option<&str> {
        self.object.deletion_timestamp()
    }

    #[getter]
    fn labels<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyMappingProxy>> {
        proxy(py, self.object.labels())
    }

    #[getter]
    fn annotations<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyMappingProxy>> {
        proxy(py, self.plain(py).annotations())
    }

    #[getter]
    fn owner_references<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let plain = self.plain(py);
        match plain.owner_references_json() {
            Some(json) => decode(py, plain.key(), json, path::offset(&plain, json)).and_then(view),
            None => view(PyList::empty(py).into_any()),
        }
    }

    #[getter]
    fn controller_owner<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        for owner in self.owner_references(py)?.try_iter()? {
            let owner = owner?;
            let controller = owner
                .cast::<JSONMapping>()
                .ok()
                .and_then(|owner| owner.get().plain(py, "controller"));
            if controller.is_some_and(|flag| flag.is(PyBool::new(py, true))) {
                return Ok(Some(owner));
            }
        }
        Ok(None)
    }

    #[getter]
    fn finalizers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let plain = self.plain(py);
        let names: Vec<_> = plain.finalizers().collect();
        PyTuple::new(py, names)
    }

    #[getter]
    fn raw<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.plain(py).raw())
    }

    #[getter]
    fn resource(&self) -> &str {
        &self.origin.resource
    }

    #[pyo3(signature = (path, default=None))]
    fn get_path<'py>(
        &self,
        py: Python<'py>,
        path: &str,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let found = path::values(py, &self.plain(py), &[path])?.pop().flatten();
        Ok(found.or(default))
    }

    #[pyo3(signature = (*paths))]
    fn get_paths<'py>(&self, py: Python<'py>, paths: Vec<String>) -> PyResult<Bound<'py, PyTuple>> {
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        PyTuple::new(py, path::values(py, &self.plain(py), &paths)?)
    }

    #[pyo3(signature = (path=None))]
    fn to_dict<'py>(
        &self,
        py: Python<'py>,
        path: Option<&str>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        match path {
            None => decode(py, self.object.key(), self.plain(py).raw(), 0).map(Some),
            Some(path) => path::plain(py, &self.plain(py), path),
        }
    }

    fn to_model<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py()
            .import("kubeinformer.models")?
            .call_method1("to_model", (slf,))
    }

    fn __getitem__<'py>(
        &self,
        py: Python<'py>,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match self.dict(py)?.get_item(key)? {
            Some(value) => view(value),
            None => Err(PyKeyError::new_err(key.clone().unbind())),
        }
    }

    #[pyo3(signature = (key, default=None, /))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        key: &Bound<'py, PyAny>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        match self.dict(py)?.get_item(key)? {
            Some(value) => view(value).map(Some),
            None => Ok(default),
        }
    }

    fn __contains__(&self, py: Python<'_>, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        self.dict(py)?.contains(key)
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.dict(py)?.len())
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        self.dict(py)?.keys().try_iter()
    }

    fn keys<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        views::keys(slf)
    }

    fn values<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        views::values(slf)
    }

    fn items<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        views::items(slf)
    }

    fn __richcmp__(&self, other: &Bound<'_, PyAny>, op: CompareOp) -> PyResult<Py<PyAny>> {
        let py = other.py();
        let (CompareOp::Eq | CompareOp::Ne, Ok(other)) = (op, other.cast::<Self>()) else {
            return Ok(py.NotImplemented());
        };
        let other = other.get();
        let same_bytes = || self.object.same_bytes(&other.object);
        let compressed = if self.object.is_compressed() {
            &self.object
        } else {
            &other.object
        };
        let same = Arc::ptr_eq(&self.object, &other.object)
            || detached_if_large(py, compressed, same_bytes);
        let equal = same && self.origin.resource == other.origin.resource;
        Ok((equal == matches!(op, CompareOp::Eq))
            .into_pyobject(py)?
            .to_owned()
            .into_any()
            .unbind())
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = std::hash::DefaultHasher::new();
        self.origin.resource.hash(&mut hasher);
        self.object.uid().hash(&mut hasher);
        self.object.resource_version().hash(&mut hasher);
        hasher.finish()
    }

    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> (Bound<'py, PyType>, (Bound<'py, PyBytes>, String)) {
        let own = slf.get();
        (
            slf.get_type(),
            (own.raw(slf.py()), own.origin.resource.clone()),
        )
    }

    fn __repr__(&self) -> String {
        let (kind, object) = (self.object.kind(), &self.object);
        format!(
            "<{kind} {} resourceVersion={}>",
            object.key(),
            object.resource_version()
        )
    }
}
