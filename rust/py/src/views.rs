//! `JSONMapping` and `JSONSequence`: read-only views of decoded JSON.
//!
//! A dict or list of decoded data is never handed out, so nothing that a user can change is shared with another handler.

use pyo3::basic::CompareOp;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyIterator, PyList, PySlice, PyTuple};

/// The value itself when it cannot be changed, else a view of it.
pub fn view<'py>(value: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = value.py();
    match value.cast_into::<PyDict>() {
        Ok(dict) => Ok(Bound::new(py, JSONMapping { dict: dict.unbind() })?.into_any()),
        Err(other) => match other.into_inner().cast_into::<PyList>() {
            Ok(list) => Ok(Bound::new(py, JSONSequence { list: list.unbind() })?.into_any()),
            Err(other) => Ok(other.into_inner()),
        },
    }
}

/// What a view shows, for comparing with plain dicts and lists.
fn plain<'py>(value: &Bound<'py, PyAny>) -> Bound<'py, PyAny> {
    let py = value.py();
    if let Ok(mapping) = value.cast::<JSONMapping>() {
        return mapping.get().dict.bind(py).clone().into_any();
    }
    if let Ok(sequence) = value.cast::<JSONSequence>() {
        return sequence.get().list.bind(py).clone().into_any();
    }
    value.clone()
}

fn compare<'py>(own: &Bound<'py, PyAny>, other: &Bound<'py, PyAny>, op: CompareOp) -> PyResult<Bound<'py, PyAny>> {
    match op {
        CompareOp::Eq | CompareOp::Ne => own.rich_compare(plain(other), op),
        _ => Ok(own.py().NotImplemented().into_bound(own.py())),
    }
}

fn fresh_copy<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    value.py().import("copy")?.call_method1("deepcopy", (value,))
}

/// A JSON object; see the module.
#[pyclass(frozen, mapping, module = "kubeinformer")]
pub struct JSONMapping {
    dict: Py<PyDict>,
}

#[pymethods]
impl JSONMapping {
    fn __getitem__<'py>(&self, py: Python<'py>, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        match self.dict.bind(py).get_item(key)? {
            Some(value) => view(value),
            None => Err(pyo3::exceptions::PyKeyError::new_err(key.clone().unbind())),
        }
    }

    #[pyo3(signature = (key, default=None, /))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        key: &Bound<'py, PyAny>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        match self.dict.bind(py).get_item(key)? {
            Some(value) => view(value).map(Some),
            None => Ok(default),
        }
    }

    fn __contains__(&self, py: Python<'_>, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        self.dict.bind(py).contains(key)
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.dict.bind(py).len()
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        self.dict.bind(py).keys().try_iter()
    }

    fn keys<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.dict.bind(py).keys())
    }

    fn values<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let values = self.dict.bind(py).values().iter().map(view).collect::<PyResult<Vec<_>>>()?;
        PyTuple::new(py, values)
    }

    fn items<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let items = self.dict.bind(py).iter().map(|(key, value)| Ok((key, view(value)?)));
        PyTuple::new(py, items.collect::<PyResult<Vec<_>>>()?)
    }

    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        fresh_copy(self.dict.bind(py))
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyAny>,))> {
        Ok((py.import("kubeinformer._core")?.getattr("json_view")?, (self.dict.bind(py).clone().into_any(),)))
    }

    fn __richcmp__<'py>(
        &self,
        py: Python<'py>,
        other: &Bound<'py, PyAny>,
        op: CompareOp,
    ) -> PyResult<Bound<'py, PyAny>> {
        compare(self.dict.bind(py), other, op)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let keys: Vec<String> =
            self.dict.bind(py).keys().iter().map(|key| key.repr().map(|text| format!("{text}: ..."))).collect::<PyResult<_>>()?;
        Ok(format!("JSONMapping({{{}}})", keys.join(", ")))
    }
}

/// A JSON array; see the module.
#[pyclass(frozen, sequence, module = "kubeinformer")]
pub struct JSONSequence {
    list: Py<PyList>,
}

#[pymethods]
impl JSONSequence {
    fn __getitem__<'py>(&self, py: Python<'py>, at: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        if at.is_instance_of::<PySlice>() {
            return view(self.list.bind(py).as_any().get_item(at)?);
        }
        if !at.is_instance_of::<pyo3::types::PyInt>() {
            return Err(PyTypeError::new_err("indices must be integers or slices"));
        }
        view(self.list.bind(py).as_any().get_item(at)?)
    }

    fn __contains__(&self, py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<bool> {
        self.list.bind(py).contains(plain(value))
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.list.bind(py).len()
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        let values = self.list.bind(py).iter().map(view).collect::<PyResult<Vec<_>>>()?;
        PyTuple::new(py, values)?.try_iter()
    }

    fn __reversed__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        let values = self.list.bind(py).iter().rev().map(view).collect::<PyResult<Vec<_>>>()?;
        PyTuple::new(py, values)?.try_iter()
    }

    fn index(&self, py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<usize> {
        self.list.bind(py).index(plain(value))
    }

    fn count(&self, py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<usize> {
        self.list.bind(py).call_method1("count", (plain(value),))?.extract()
    }

    fn to_list<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        fresh_copy(self.list.bind(py))
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyAny>,))> {
        Ok((py.import("kubeinformer._core")?.getattr("json_view")?, (self.list.bind(py).clone().into_any(),)))
    }

    fn __richcmp__<'py>(
        &self,
        py: Python<'py>,
        other: &Bound<'py, PyAny>,
        op: CompareOp,
    ) -> PyResult<Bound<'py, PyAny>> {
        compare(self.list.bind(py), other, op)
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!("JSONSequence(<{} items>)", self.list.bind(py).len())
    }
}

/// A read-only view of a fresh copy of a dict or list: how views are unpickled.
#[pyfunction]
pub fn json_view<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    view(fresh_copy(value)?)
}
