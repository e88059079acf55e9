//! `JSONMapping` and `JSONSequence`: read-only views of decoded JSON.
//!
//! A dict or list of decoded data is never handed out, so nothing that a user can change is shared with another handler.

use std::ops::Range;

use pyo3::basic::CompareOp;
use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyIterator, PyList, PyTuple};

use crate::decoded::fresh_copy;

/// The value itself when it cannot be changed, else a view of it.
pub fn view(value: Bound<'_, PyAny>) -> PyResult<Bound<'_, PyAny>> {
    let py = value.py();
    match value.cast_into::<PyDict>() {
        Ok(dict) => Ok(Bound::new(
            py,
            JSONMapping {
                dict: dict.unbind(),
            },
        )?
        .into_any()),
        Err(other) => match other.into_inner().cast_into::<PyList>() {
            Ok(list) => Ok(Bound::new(
                py,
                JSONSequence {
                    list: list.unbind(),
                },
            )?
            .into_any()),
            Err(other) => Ok(other.into_inner()),
        },
    }
}

macro_rules! abstract_view {
    ($function:ident, $class:literal) => {
        /// A view of a mapping, of the class in `collections.abc`.
        pub fn $function<'py, T>(mapping: &Bound<'py, T>) -> PyResult<Bound<'py, PyAny>> {
            static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
            CLASS
                .import(mapping.py(), "collections.abc", $class)?
                .call1((mapping.as_any(),))
        }
    };
}

abstract_view!(keys, "KeysView");
abstract_view!(values, "ValuesView");
abstract_view!(items, "ItemsView");

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

/// Anything but a view, a dict or a list is left to compare itself with the view: its `__eq__` must not get the dict.
fn compare<'py>(
    own: &Bound<'py, PyAny>,
    other: &Bound<'py, PyAny>,
    op: CompareOp,
) -> PyResult<Bound<'py, PyAny>> {
    let other = plain(other);
    let comparable = other.is_instance_of::<PyDict>() || other.is_instance_of::<PyList>();
    match op {
        CompareOp::Eq | CompareOp::Ne if comparable => own.rich_compare(other, op),
        _ => Ok(own.py().NotImplemented().into_bound(own.py())),
    }
}

/// How views are pickled: by a copy of what they show.
fn reduce<'py>(decoded: &Bound<'py, PyAny>) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyAny>,))> {
    let json_view = decoded
        .py()
        .import("kubeinformer._core")?
        .getattr("json_view")?;
    Ok((json_view, (fresh_copy(decoded)?,)))
}

/// A JSON object; see the module.
#[pyclass(frozen, mapping, module = "kubeinformer")]
pub struct JSONMapping {
    dict: Py<PyDict>,
}

impl JSONMapping {
    /// A member that is not handed out.
    pub fn plain<'py>(&self, py: Python<'py>, key: &str) -> Option<Bound<'py, PyAny>> {
        self.dict.bind(py).get_item(key).ok().flatten()
    }
}

#[pymethods]
impl JSONMapping {
    fn __getitem__<'py>(
        &self,
        py: Python<'py>,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match self.dict.bind(py).get_item(key)? {
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

    fn keys<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        keys(slf)
    }

    fn values<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        values(slf)
    }

    fn items<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        items(slf)
    }

    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        fresh_copy(self.dict.bind(py))
    }

    fn __reduce__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyAny>,))> {
        reduce(self.dict.bind(py))
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
        let keys = self.dict.bind(py).keys();
        let members = keys
            .iter()
            .map(|key| key.repr().map(|text| format!("{text}: ...")));
        Ok(format!(
            "JSONMapping({{{}}})",
            members.collect::<PyResult<Vec<_>>>()?.join(", ")
        ))
    }
}

/// A JSON array; see the module.
#[pyclass(frozen, sequence, module = "kubeinformer")]
pub struct JSONSequence {
    list: Py<PyList>,
}

impl JSONSequence {
    /// Where in a range the value is; views are compared, as in `compare`.
    fn places<'a>(
        &'a self,
        py: Python<'a>,
        value: &'a Bound<'_, PyAny>,
        range: Range<usize>,
    ) -> impl Iterator<Item = PyResult<usize>> + 'a {
        range.filter_map(move |place| {
            let equal = self
                .list
                .bind(py)
                .get_item(place)
                .and_then(view)
                .and_then(|item| item.eq(value));
            equal.map(|equal| equal.then_some(place)).transpose()
        })
    }
}

#[pymethods]
impl JSONSequence {
    fn __getitem__<'py>(
        &self,
        py: Python<'py>,
        at: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        view(self.list.bind(py).as_any().get_item(at)?)
    }

    fn __contains__(&self, py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<bool> {
        Ok(self
            .places(py, value, 0..self.__len__(py))
            .next()
            .transpose()?
            .is_some())
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.list.bind(py).len()
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        let values = self
            .list
            .bind(py)
            .iter()
            .map(view)
            .collect::<PyResult<Vec<_>>>()?;
        PyTuple::new(py, values)?.try_iter()
    }

    fn __reversed__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        let values = self
            .list
            .bind(py)
            .iter()
            .rev()
            .map(view)
            .collect::<PyResult<Vec<_>>>()?;
        PyTuple::new(py, values)?.try_iter()
    }

    #[pyo3(signature = (value, start=0, stop=None))]
    fn index(
        &self,
        py: Python<'_>,
        value: &Bound<'_, PyAny>,
        start: isize,
        stop: Option<isize>,
    ) -> PyResult<usize> {
        let length = self.__len__(py);
        let place = |at: isize| match usize::try_from(at) {
            Ok(at) => at.min(length),
            Err(_) => length.saturating_sub(at.unsigned_abs()),
        };
        let found = self
            .places(py, value, place(start)..stop.map_or(length, place))
            .next()
            .transpose()?;
        found.ok_or_else(|| PyValueError::new_err("the value is not in the sequence"))
    }

    fn count(&self, py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<usize> {
        self.places(py, value, 0..self.__len__(py))
            .try_fold(0, |count, place| place.map(|_| count + 1))
    }

    fn to_list<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        fresh_copy(self.list.bind(py))
    }

    fn __reduce__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyAny>,))> {
        reduce(self.list.bind(py))
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
