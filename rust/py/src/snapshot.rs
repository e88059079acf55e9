//! `Snapshot`: the objects of one cut of an informer's store, kept while the store moves on.

use std::sync::Arc;

use kubeinformer_core::object::Object;
use pyo3::prelude::*;

use crate::object::{KubeObject, Origin};

/// The objects of one cut of the store.
#[pyclass(frozen, module = "kubeinformer._core")]
pub struct Snapshot {
    objects: Vec<Arc<Object>>,
    origin: Arc<Origin>,
}

impl Snapshot {
    pub fn new(objects: Vec<Arc<Object>>, origin: &Arc<Origin>) -> Self {
        Self {
            objects,
            origin: Arc::clone(origin),
        }
    }
}

#[pymethods]
impl Snapshot {
    /// The handles from place `start` up to `stop`.
    fn objects(&self, start: usize, stop: usize) -> Vec<KubeObject> {
        let objects = self.objects.iter().take(stop).skip(start);
        objects
            .map(|object| KubeObject::new(Arc::clone(object), &self.origin))
            .collect()
    }

    fn __len__(&self) -> usize {
        self.objects.len()
    }
}
