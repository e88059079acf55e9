//! Paths given as text by callers: compiled once, and their values as Python objects.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use kubeinformer_core::error::ScanError;
use kubeinformer_core::object::{Object, Plain};
use kubeinformer_core::path::{Path, PathSet};
use kubeinformer_core::sync::Mutex;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::decoded::decode;
use crate::errors;
use crate::views::view;

/// A set of paths and which of them can have many values.
pub struct Compiled {
    pub set: PathSet,
    pub many: Vec<bool>,
}

pub fn compile(text: &str) -> PyResult<Path> {
    Path::compile(text).map_err(|error| PyValueError::new_err(error.to_string()))
}

/// One value of a path: its JSON, and at which byte of the object that begins.
pub struct Found<'a> {
    json: Cow<'a, [u8]>,
    start: usize,
}

impl Found<'_> {
    fn decode<'py>(&self, py: Python<'py>, key: &str) -> PyResult<Bound<'py, PyAny>> {
        decode(py, key, &self.json, self.start)
    }
}

impl Compiled {
    pub fn new<S: AsRef<str>>(paths: &[S]) -> PyResult<Self> {
        let paths: Vec<Path> = paths
            .iter()
            .map(|path| compile(path.as_ref()))
            .collect::<PyResult<_>>()?;
        let many = paths.iter().map(Path::is_multiple).collect();
        Ok(Self {
            set: PathSet::new(paths),
            many,
        })
    }

    /// The values of each path, in the order of the object. They are copies if that had to be decompressed.
    pub fn extract<'a>(&self, object: &'a Object) -> Result<Vec<Vec<Found<'a>>>, ScanError> {
        let mut found: Vec<Vec<Found<'a>>> = self.many.iter().map(|_| Vec::new()).collect();
        let plain = object.plain();
        let stored = plain.stored_json().map(str::as_bytes);
        self.set.extract_plain(&plain, |path, value| {
            let json = value.text().as_bytes();
            let start = offset(&plain, json);
            let json = match stored {
                Some(stored) => Cow::Borrowed(&stored[start..start + json.len()]),
                None => Cow::Owned(json.to_owned()),
            };
            found[path].push(Found { json, start });
        })?;
        Ok(found)
    }

    pub fn to_python<'py>(
        &self,
        py: Python<'py>,
        key: &str,
        found: &[Vec<Found<'_>>],
    ) -> PyResult<Vec<Option<Bound<'py, PyAny>>>> {
        let one = |found: &Found<'_>| found.decode(py, key).and_then(view);
        let values = found.iter().zip(&self.many).map(|(values, many)| {
            if *many {
                let values = values.iter().map(one).collect::<PyResult<Vec<_>>>()?;
                return Ok(Some(PyTuple::new(py, values)?.into_any()));
            }
            values.last().map(one).transpose()
        });
        values.collect()
    }
}

/// Where a part of an object's JSON begins in it.
pub fn offset(object: &Plain<'_>, part: &[u8]) -> usize {
    part.as_ptr() as usize - object.raw().as_ptr() as usize
}

fn extracted<'a>(compiled: &Compiled, object: &'a Object) -> PyResult<Vec<Vec<Found<'a>>>> {
    compiled
        .extract(object)
        .map_err(|error| errors::scan(&error))
}

/// As many sets as a program has call sites; past that they are compiled anew.
const KEPT: usize = 1024;

fn compiled(paths: &[&str]) -> PyResult<Arc<Compiled>> {
    static CACHE: Mutex<Option<HashMap<String, Arc<Compiled>>>> = Mutex::new(None);
    let mut name = String::new();
    for path in paths {
        // With its length, so that no text of one path is also that of two.
        let _ = write!(name, "{}:{path}", path.len());
    }
    if let Some(known) = CACHE
        .try_lock()
        .and_then(|cache| cache.as_ref()?.get(&name).cloned())
    {
        return Ok(known);
    }
    let made = Arc::new(Compiled::new(paths)?);
    if let Some(mut cache) = CACHE.try_lock() {
        let cache = cache.get_or_insert_default();
        if cache.len() < KEPT {
            cache.insert(name, Arc::clone(&made));
        }
    }
    Ok(made)
}

/// The value of each path: read-only views, None when missing, a tuple for a path with `[*]`.
pub fn values<'py>(
    py: Python<'py>,
    object: &Object,
    paths: &[&str],
) -> PyResult<Vec<Option<Bound<'py, PyAny>>>> {
    let compiled = compiled(paths)?;
    compiled.to_python(py, object.key(), &extracted(&compiled, object)?)
}

/// The value of one path as a fresh dict, list or scalar; a list for a path with `[*]`.
pub fn plain<'py>(
    py: Python<'py>,
    object: &Object,
    path: &str,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let compiled = compiled(&[path])?;
    let found = extracted(&compiled, object)?.pop().unwrap_or_default();
    let one = |found: &Found<'_>| found.decode(py, object.key());
    if compiled.many[0] {
        let values = found.iter().map(one).collect::<PyResult<Vec<_>>>()?;
        return Ok(Some(values.into_pyobject(py)?.into_any()));
    }
    found.last().map(one).transpose()
}
