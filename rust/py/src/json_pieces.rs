//! `JSONPieces`: the JSON array of some objects, put together a piece at a time.

use std::sync::Arc;

use kubeinformer_core::object::{json_piece, Object};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// The objects of one array; its length is their number.
#[pyclass(frozen, module = "kubeinformer._core")]
pub struct JSONPieces {
    pub objects: Vec<Arc<Object>>,
}

#[pymethods]
impl JSONPieces {
    /// The part of the array with the objects from place `start` up to `stop`.
    fn piece<'py>(&self, py: Python<'py>, start: usize, stop: usize) -> Bound<'py, PyBytes> {
        let stop = stop.min(self.objects.len());
        let places = start.min(stop)..stop;
        PyBytes::new(py, &py.detach(|| json_piece(&self.objects, places)))
    }

    fn __len__(&self) -> usize {
        self.objects.len()
    }
}
