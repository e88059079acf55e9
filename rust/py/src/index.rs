//! `Index`: an index that the core evaluates.

use kubeinformer_core::index_func::IndexFunc;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::path;

#[pyclass(frozen, module = "kubeinformer.index")]
pub struct Index {
    pub core: IndexFunc,
    text: String,
}

#[pymethods]
impl Index {
    #[staticmethod]
    fn path(path: &str) -> PyResult<Self> {
        Ok(Self {
            core: IndexFunc::Path(path::compile(path)?),
            text: format!("index.path({path:?})"),
        })
    }

    #[staticmethod]
    #[pyo3(signature = (*paths))]
    fn join(paths: Vec<String>) -> PyResult<Self> {
        if paths.is_empty() {
            return Err(PyTypeError::new_err("paths: join needs at least one"));
        }
        let compiled = paths
            .iter()
            .map(|path| path::compile(path))
            .collect::<PyResult<_>>()?;
        Ok(Self {
            core: IndexFunc::join(compiled),
            text: format!("index.join({paths:?})"),
        })
    }

    #[staticmethod]
    #[pyo3(signature = (kind=None))]
    fn controller_owner(kind: Option<String>) -> Self {
        let text = format!(
            "index.controller_owner({})",
            kind.as_ref()
                .map_or(String::new(), |kind| format!("{kind:?}"))
        );
        Self {
            core: IndexFunc::ControllerOwner { kind },
            text,
        }
    }

    #[staticmethod]
    fn namespace() -> Self {
        Self {
            core: IndexFunc::Namespace,
            text: "index.namespace()".to_owned(),
        }
    }

    fn __repr__(&self) -> &str {
        &self.text
    }
}
