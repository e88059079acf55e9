//! `DecodeCache`: decoded JSON shared between the handles of one object version, beside the store and never in it.
//!
//! Two generations stand for least-recently-used order: what was not looked at while the younger one filled up is
//! dropped. The lock is only tried, never waited for: without it a handle decodes for itself.

use std::collections::HashMap;
use std::sync::Arc;

use kubeinformer_core::object::{Object, Plain};
use kubeinformer_core::sync::Mutex;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict};

use crate::errors;

type Entry = (Arc<Object>, Py<PyDict>);
/// By the object's address, which is its own for as long as the entry holds it.
type Generation = HashMap<usize, Entry>;

#[derive(Default)]
struct Generations {
    young: Generation,
    old: Generation,
}

impl Generations {
    /// What this pushes out is for the caller to drop, without the lock.
    fn keep(
        &mut self,
        address: usize,
        entry: Entry,
        half: usize,
    ) -> (Option<Generation>, Option<Entry>) {
        let retired = (self.young.len() >= half).then(|| {
            let full = std::mem::take(&mut self.young);
            std::mem::replace(&mut self.old, full)
        });
        (retired, self.young.insert(address, entry))
    }
}

pub struct DecodeCache {
    generations: Mutex<Generations>,
    half: usize,
}

impl DecodeCache {
    /// Keeps between half of `capacity` and `capacity` decoded objects; 0 keeps none.
    pub fn new(capacity: usize) -> Self {
        Self {
            generations: Mutex::default(),
            half: capacity.div_ceil(2),
        }
    }

    /// `plain` gives the object with its JSON, if that is needed.
    pub fn decode<'py, 'o>(
        &self,
        py: Python<'py>,
        object: &Arc<Object>,
        plain: impl FnOnce() -> Plain<'o>,
    ) -> PyResult<Bound<'py, PyDict>> {
        if self.half == 0 {
            return decode_object(py, &plain());
        }
        if let Some(known) = self.look_up(py, object) {
            return Ok(known);
        }
        let dict = decode_object(py, &plain())?;
        let entry = (Arc::clone(object), dict.clone().unbind());
        if let Some(mut generations) = self.generations.try_lock() {
            let retired = generations.keep(address(object), entry, self.half);
            drop(generations);
            drop(retired);
        }
        Ok(dict)
    }

    fn look_up<'py>(&self, py: Python<'py>, object: &Arc<Object>) -> Option<Bound<'py, PyDict>> {
        let address = address(object);
        let mut generations = self.generations.try_lock()?;
        if let Some((_, dict)) = generations.young.get(&address) {
            return Some(dict.bind(py).clone());
        }
        let entry = generations.old.remove(&address)?;
        let dict = entry.1.bind(py).clone();
        let retired = generations.keep(address, entry, self.half);
        drop(generations);
        drop(retired);
        Some(dict)
    }
}

fn address(object: &Arc<Object>) -> usize {
    Arc::as_ptr(object) as usize
}

fn decode_object<'py>(py: Python<'py>, object: &Plain<'_>) -> PyResult<Bound<'py, PyDict>> {
    Ok(decode(py, object.key(), object.raw(), 0)?.cast_into::<PyDict>()?)
}

/// Decodes the JSON that begins at byte `start` of the object with this key, which a `DecodeError` names.
pub fn decode<'py>(
    py: Python<'py>,
    key: &str,
    json: &[u8],
    start: usize,
) -> PyResult<Bound<'py, PyAny>> {
    loads(py, json).map_err(|cause| errors::decode(py, key, json, start, cause))
}

/// `orjson.loads`.
pub fn loads<'py>(py: Python<'py>, json: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    static LOADS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    LOADS
        .import(py, "orjson", "loads")?
        .call1((PyBytes::new(py, json),))
}

/// A copy of what JSON was decoded to, which takes a fifth of the time of `copy.deepcopy`.
pub fn fresh_copy<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    static DUMPS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let json = DUMPS
        .import(value.py(), "orjson", "dumps")?
        .call1((value,))?;
    loads(value.py(), json.cast::<PyBytes>()?.as_bytes())
}
