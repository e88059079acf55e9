//! How the store is read: attached to the interpreter iff that takes some microseconds and no write is under way.

use std::sync::Arc;

use kubeinformer_core::object::Object;
use kubeinformer_core::queue::SourceId;
use kubeinformer_core::store::StoreError;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyList;

use super::InformerCore;
use crate::errors;
use crate::object::KubeObject;
use crate::selector::Selector;

type View<'a> = kubeinformer_core::store::View<'a, Object>;

/// client-go §179.
const NAMESPACE: &str = "namespace";

/// Objects that are copied out without letting go of the interpreter.
const FEW: usize = 256;

impl InformerCore {
    pub(super) fn handles<'py>(
        &self,
        py: Python<'py>,
        objects: &[Arc<Object>],
    ) -> PyResult<Bound<'py, PyList>> {
        PyList::new(
            py,
            objects
                .iter()
                .map(|object| KubeObject::new(Arc::clone(object), &self.origin)),
        )
    }

    /// Reads without letting go of the interpreter, unless a write is under way (invariant 2).
    pub(super) fn read<R: Send>(
        &self,
        py: Python<'_>,
        with: impl Fn(&View<'_>) -> R + Sync,
    ) -> PyResult<R> {
        self.birth.check()?;
        if let Some(view) = self.core.informer().store().try_read() {
            return Ok(with(&view));
        }
        self.scan(py, with)
    }

    /// The same for what may touch many objects.
    pub(super) fn scan<R: Send>(
        &self,
        py: Python<'_>,
        with: impl Fn(&View<'_>) -> R + Sync,
    ) -> PyResult<R> {
        self.birth.check()?;
        Ok(py.detach(|| with(&self.core.informer().store().read())))
    }

    pub(super) fn selected(
        &self,
        py: Python<'_>,
        selector: Option<&Selector>,
        namespace: Option<&str>,
    ) -> PyResult<Vec<Arc<Object>>> {
        let selector = selector.map(|selector| &selector.core);
        let matches =
            |object: &&Arc<Object>| selector.is_none_or(|selector| selector.matches(object));
        self.scan(py, |view| match namespace {
            None => view.objects().filter(matches).cloned().collect(),
            Some(namespace) => {
                if let Ok(objects) = view.by_index(NAMESPACE, namespace) {
                    return objects.filter(matches).cloned().collect();
                }
                let objects = view
                    .objects()
                    .filter(|object| object.namespace() == namespace);
                objects.filter(matches).cloned().collect()
            }
        })
    }

    /// The objects that an index lists under a value.
    pub(super) fn under(
        &self,
        py: Python<'_>,
        name: &str,
        value: &str,
    ) -> PyResult<Vec<Arc<Object>>> {
        let all = |view: &View<'_>| Ok(view.by_index(name, value)?.cloned().collect::<Vec<_>>());
        let few = self.read(py, |view| {
            let few = view.count_by_index(name, value)? <= FEW;
            few.then(|| all(view)).transpose()
        })?;
        let found = match few {
            Ok(None) => self.scan(py, all)?,
            few => few.map(Option::unwrap_or_default),
        };
        found.map_err(|error: StoreError| errors::store(&error))
    }

    /// The source that has the objects of a namespace; none for all sources. To be called while detached.
    pub(super) fn source_of(&self, namespace: Option<&str>) -> PyResult<Option<SourceId>> {
        let Some(namespace) = namespace else {
            return Ok(None);
        };
        let sources = self.sources.lock();
        let has = |(name, _): &&(String, SourceId)| name.is_empty() || name == namespace;
        let (_, id) = sources.iter().find(has).ok_or_else(|| {
            PyValueError::new_err(format!(
                "namespace {namespace:?} is not one of the informer's"
            ))
        })?;
        Ok(Some(*id))
    }
}
