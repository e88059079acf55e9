//! Long Python lists, made and read in pieces.
//!
//! Between two pieces another thread may have the interpreter, so that it waits no longer than beside Python code.

use std::sync::Arc;

use kubeinformer_core::object::Object;
use pyo3::prelude::*;
use pyo3::types::PyList;
use pyo3::PyTypeInfo;

use crate::object::{KubeObject, Origin};

/// After so many objects the interpreter is let go for a moment: some 200 microseconds.
const PIECE: usize = 2048;

fn pause(py: Python<'_>, done: usize) {
    if done % PIECE == 0 {
        py.detach(|| ());
    }
}

/// A list of what `to_python` makes of the values.
pub fn list_of<'py, T, P: PyTypeInfo>(
    py: Python<'py>,
    values: Vec<T>,
    to_python: impl Fn(T) -> PyResult<Bound<'py, P>>,
) -> PyResult<Bound<'py, PyList>> {
    let mut made = Vec::with_capacity(values.len());
    for value in values {
        made.push(to_python(value)?);
        pause(py, made.len());
    }
    PyList::new(py, made)
}

/// A list of handles.
pub fn handles<'py>(
    py: Python<'py>,
    objects: Vec<Arc<Object>>,
    origin: &Arc<Origin>,
) -> PyResult<Bound<'py, PyList>> {
    list_of(py, objects, |object| {
        Bound::new(py, KubeObject::new(object, origin))
    })
}

/// A list of strings.
pub fn strings(py: Python<'_>, texts: Vec<String>) -> PyResult<Bound<'_, PyList>> {
    list_of(py, texts, |text| Ok(text.into_pyobject(py)?))
}

/// What a list of lists of strings holds.
pub fn lists_of_strings(lists: &Bound<'_, PyAny>) -> PyResult<Vec<Vec<String>>> {
    let mut read = Vec::new();
    for list in lists.try_iter()? {
        read.push(list?.extract()?);
        pause(lists.py(), read.len());
    }
    Ok(read)
}
