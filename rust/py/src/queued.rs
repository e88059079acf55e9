//! `take_deltas`: what reflectors have queued, for a consumer that is not the informer's own processor.

use std::sync::Arc;
use std::time::Duration;

use kubeinformer_core::informer::BATCH_SIZE;
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::fifo::delta_of;
use crate::informer::InformerCore;
use crate::object::KubeObject;

#[pyfunction]
pub fn take_deltas<'py>(
    py: Python<'py>,
    core: &Bound<'py, InformerCore>,
) -> PyResult<Bound<'py, PyList>> {
    let (core, origin) = core.get().parts()?;
    let queue = core.informer().queue();
    let taken = PyList::empty(py);
    while let Ok(deltas) = py.detach(|| queue.pop_batch(BATCH_SIZE, Some(Duration::ZERO))) {
        for delta in &deltas {
            taken.append(delta_of(py, delta, |object| {
                let handle = KubeObject::new(Arc::clone(object), origin);
                Ok(handle.into_pyobject(py)?.into_any())
            })?)?;
        }
        py.detach(|| {
            drop(deltas);
            queue.processed();
        });
    }
    Ok(taken)
}
