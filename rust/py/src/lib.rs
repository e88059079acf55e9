//! The extension module `kubeinformer._core`: converts, detaches, maps errors; no logic of its own.
use pyo3::prelude::*;

#[pymodule]
mod _core {}
