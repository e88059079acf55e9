//! `Filter`: which objects and which changes of them somebody wants to hear of, evaluated by the core.

use std::sync::Arc;

use kubeinformer_core::enqueue;
use kubeinformer_core::filter::{parse_fields, Expr, Filter as CoreFilter};
use kubeinformer_core::informer::Sink;
use kubeinformer_core::listener::Predicate;
use kubeinformer_core::object::Object;
use kubeinformer_core::path::Path;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

use crate::fork::Birth;
use crate::object::KubeObject;
use crate::path;
use crate::selector::Selector;

#[pyclass(frozen, eq, hash, module = "kubeinformer.filter")]
pub struct Filter {
    pub core: Arc<CoreFilter>,
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        self.core.expr() == other.core.expr()
    }
}

impl std::hash::Hash for Filter {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.core.expr().hash(state);
    }
}

impl From<Expr> for Filter {
    fn from(expr: Expr) -> Self {
        Self {
            core: Arc::new(CoreFilter::new(expr)),
        }
    }
}

fn some(name: &str, values: Vec<String>) -> PyResult<Vec<String>> {
    if values.is_empty() {
        return Err(PyTypeError::new_err(format!(
            "{name}: at least one is needed"
        )));
    }
    Ok(values)
}

/// As the calls of `kubeinformer.filter` that make it.
fn show(expr: &Expr, in_brackets: bool) -> String {
    let values = |values: &[String]| {
        let quoted: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
        quoted.join(", ")
    };
    let path = |path: &Path| format!("filter.path({:?})", path.to_string());
    let all = |parts: &[Expr], operator: &str| {
        let parts: Vec<String> = parts.iter().map(|part| show(part, true)).collect();
        let shown = parts.join(operator);
        if in_brackets && parts.len() > 1 {
            format!("({shown})")
        } else {
            shown
        }
    };
    match expr {
        Expr::Labels(selector) => format!("filter.labels({:?})", selector.to_string()),
        Expr::Namespace(names) => format!("filter.namespace({})", values(names)),
        Expr::Name(names) => format!("filter.name({})", values(names)),
        Expr::Exists(at) => format!("{}.exists()", path(at)),
        Expr::In(at, allowed) if allowed.len() == 1 => {
            format!("{}.equals({})", path(at), values(allowed))
        }
        Expr::In(at, allowed) => format!("{}.is_in({})", path(at), values(allowed)),
        Expr::Changed(paths) => {
            let paths: Vec<String> = paths.iter().map(Path::to_string).collect();
            format!("filter.changed({})", values(&paths))
        }
        Expr::Not(part) => format!("~{}", show(part, true)),
        Expr::And(parts) if parts.is_empty() => "filter.fields(\"\")".to_owned(),
        Expr::And(parts) => all(parts, " & "),
        Expr::Or(parts) => all(parts, " | "),
    }
}

#[pymethods]
impl Filter {
    #[staticmethod]
    fn labels(selector: &Selector) -> Self {
        Expr::Labels(selector.core.clone()).into()
    }

    #[staticmethod]
    fn fields(selector: &str) -> PyResult<Self> {
        let expr =
            parse_fields(selector).map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(expr.into())
    }

    #[staticmethod]
    #[pyo3(signature = (*names))]
    fn namespace(names: Vec<String>) -> PyResult<Self> {
        Ok(Expr::Namespace(some("names", names)?).into())
    }

    #[staticmethod]
    #[pyo3(signature = (*names))]
    fn name(names: Vec<String>) -> PyResult<Self> {
        Ok(Expr::Name(some("names", names)?).into())
    }

    #[staticmethod]
    fn exists(path: &str) -> PyResult<Self> {
        Ok(Expr::Exists(path::compile(path)?).into())
    }

    #[staticmethod]
    #[pyo3(signature = (path, *values))]
    fn is_in(path: &str, values: Vec<String>) -> PyResult<Self> {
        Ok(Expr::In(path::compile(path)?, some("values", values)?).into())
    }

    #[staticmethod]
    #[pyo3(signature = (*paths))]
    fn changed(paths: Vec<String>) -> PyResult<Self> {
        let paths = some("paths", paths)?;
        let compiled = paths.iter().map(|path| path::compile(path));
        Ok(Expr::Changed(compiled.collect::<PyResult<_>>()?).into())
    }

    #[getter]
    fn compares(&self) -> bool {
        self.core.compares()
    }

    #[pyo3(signature = (obj, old=None))]
    fn matches(&self, obj: &KubeObject, old: Option<&KubeObject>) -> bool {
        let new = obj.object();
        let passes = |old: &KubeObject| {
            let old = old.object();
            self.core.accepts(old) && self.core.passes(old, new)
        };
        self.core.accepts(new) && old.is_none_or(passes)
    }

    fn __and__(&self, other: &Self) -> Self {
        let mut parts = Vec::new();
        for expr in [self.core.expr(), other.core.expr()] {
            match expr {
                Expr::And(all) => parts.extend_from_slice(all),
                other => parts.push(other.clone()),
            }
        }
        Expr::And(parts).into()
    }

    fn __or__(&self, other: &Self) -> Self {
        let mut parts = Vec::new();
        for expr in [self.core.expr(), other.core.expr()] {
            match expr {
                Expr::Or(any) => parts.extend_from_slice(any),
                other => parts.push(other.clone()),
            }
        }
        Expr::Or(parts).into()
    }

    fn __invert__(&self) -> Self {
        match self.core.expr() {
            Expr::Not(part) => (**part).clone().into(),
            other => Expr::Not(Box::new(other.clone())).into(),
        }
    }

    fn __repr__(&self) -> String {
        show(self.core.expr(), false)
    }
}

/// What puts keys into a workqueue, as an informer has it.
#[pyclass(frozen, module = "kubeinformer._core")]
pub struct Enqueuer {
    core: Arc<enqueue::Enqueuer>,
    birth: Birth,
}

impl Enqueuer {
    pub fn new(core: Arc<enqueue::Enqueuer>) -> Self {
        Self {
            core,
            birth: Birth::now(),
        }
    }

    pub fn sink(&self) -> Arc<dyn Sink<Object>> {
        Arc::clone(&self.core) as Arc<dyn Sink<Object>>
    }
}

#[pymethods]
impl Enqueuer {
    fn stats(&self) -> PyResult<(u64, u64)> {
        self.birth.check()?;
        Ok((self.core.added(), self.core.filtered()))
    }
}
