//! `Snapshot`: the store of an informer at one moment, kept while the store moves on.

use pyo3::prelude::*;

use crate::object::KubeObject;
use crate::reader::StoreReader;

/// The store as it was.
#[pyclass(frozen, extends = StoreReader, module = "kubeinformer._core")]
pub struct Snapshot;

#[pymethods]
impl Snapshot {
    /// One more than the last place of an object.
    fn places(this: &Bound<'_, Self>) -> PyResult<usize> {
        let reader = this.as_super().get();
        reader.read(this.py(), |cut| cut.slot_bound())
    }

    /// The handles from place `start` up to `stop`.
    fn objects(this: &Bound<'_, Self>, start: usize, stop: usize) -> PyResult<Vec<KubeObject>> {
        this.as_super().get().objects(this.py(), start, stop)
    }
}
