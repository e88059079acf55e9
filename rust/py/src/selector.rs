//! `Selector`: a compiled label selector.

use std::borrow::Cow;
use std::cell::Cell;

use kubeinformer_core::selector::{Operator, Requirement, Selector as CoreSelector};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::object::KubeObject;

#[pyclass(frozen, eq, hash, module = "kubeinformer")]
#[derive(PartialEq, Eq, Hash)]
pub struct Selector {
    pub core: CoreSelector,
}

#[pymethods]
impl Selector {
    #[new]
    fn new(text: &str) -> PyResult<Self> {
        let core =
            CoreSelector::parse(text).map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(Self { core })
    }

    /// `requirements`: (key, operator, values), with the operators of `LabelSelector`: `In`, `NotIn`, `Exists`,
    /// `DoesNotExist`.
    #[staticmethod]
    fn from_requirements(requirements: Vec<(String, String, Vec<String>)>) -> PyResult<Self> {
        let requirements = requirements.into_iter().map(|(key, operator, values)| {
            let operator = match operator.as_str() {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                _ => {
                    return Err(PyValueError::new_err(format!(
                        "{operator:?} is not a valid label selector operator"
                    )))
                }
            };
            Requirement::new(&key, operator, values)
                .map_err(|error| PyValueError::new_err(error.to_string()))
        });
        Ok(Self {
            core: CoreSelector::from_requirements(requirements.collect::<PyResult<Vec<_>>>()?),
        })
    }

    /// `labels`: a `KubeObject`, or a mapping of labels.
    fn matches(&self, labels: &Bound<'_, PyAny>) -> PyResult<bool> {
        if let Ok(object) = labels.cast::<KubeObject>() {
            return Ok(self.core.matches(object.get().object()));
        }
        let failure = Cell::new(None);
        let matches = self.core.matches_with(|key| {
            let value = labels
                .call_method1("get", (key,))
                .and_then(|value| value.extract::<Option<String>>());
            value
                .map_err(|error| failure.set(Some(error)))
                .ok()
                .flatten()
                .map(Cow::Owned)
        });
        failure.into_inner().map_or(Ok(matches), Err)
    }

    fn __str__(&self) -> String {
        self.core.to_string()
    }

    fn __repr__(&self) -> String {
        format!("Selector({:?})", self.core.to_string())
    }
}
