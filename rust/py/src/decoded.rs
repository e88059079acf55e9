//! `DecodeCache`: decoded JSON shared between the handles of one object version, beside the store and never in it.
//!
//! Two generations stand for least-recently-used order: what was not looked at while the younger one filled up is
//! dropped. The lock is only tried, never waited for: without it a handle decodes for itself.

use std::collections::HashMap;
use std::sync::Arc;

use kubeinformer_core::object::Object;
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict};

use crate::errors;

type Generation = HashMap<usize, (Arc<Object>, Py<PyDict>)>;

#[derive(Default)]
struct Generations {
    young: Generation,
    old: Generation,
}

pub struct DecodeCache {
    generations: Mutex<Generations>,
    capacity: usize,
}

impl DecodeCache {
    /// Keeps between half of `capacity` and `capacity` decoded objects; 0 keeps none.
    pub fn new(capacity: usize) -> Self {
        Self { generations: Mutex::default(), capacity }
    }

    pub fn decode<'py>(&self, py: Python<'py>, object: &Arc<Object>) -> PyResult<Bound<'py, PyDict>> {
        let address = Arc::as_ptr(object) as usize;
        if self.capacity == 0 {
            return decode(py, object);
        }
        if let Some(mut generations) = self.generations.try_lock() {
            if let Some((_, dict)) = generations.young.get(&address) {
                return Ok(dict.bind(py).clone());
            }
            if let Some(entry) = generations.old.remove(&address) {
                let dict = entry.1.bind(py).clone();
                generations.young.insert(address, entry);
                return Ok(dict);
            }
        }
        let dict = decode(py, object)?;
        let mut retired = None;
        if let Some(mut generations) = self.generations.try_lock() {
            if generations.young.len() >= self.capacity.div_ceil(2) {
                let full = std::mem::take(&mut generations.young);
                retired = Some(std::mem::replace(&mut generations.old, full));
            }
            generations.young.insert(address, (Arc::clone(object), dict.clone().unbind()));
        }
        drop(retired);
        Ok(dict)
    }
}

fn decode<'py>(py: Python<'py>, object: &Object) -> PyResult<Bound<'py, PyDict>> {
    let value = loads(py, object.raw()).map_err(|cause| errors::decode(py, object.key(), cause))?;
    Ok(value.cast_into::<PyDict>()?)
}

/// `orjson.loads`.
pub fn loads<'py>(py: Python<'py>, json: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    static LOADS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    LOADS.import(py, "orjson", "loads")?.call1((PyBytes::new(py, json),))
}
