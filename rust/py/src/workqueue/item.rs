//! `PyItem`: a hashable Python object in a queue.
//!
//! Equality and hash are Python's. The hash is asked for once, before any lock. Two exact `str`, `bytes` or `int` are
//! compared under the lock, which runs no code of a user's; anything else is the same object, or compared without it.

use kubeinformer_core::workqueue::Item;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt, PyString};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Str,
    Bytes,
    Int,
    Foreign,
}

impl Kind {
    fn of(object: &Bound<'_, PyAny>) -> Self {
        if object.is_exact_instance_of::<PyString>() {
            Self::Str
        } else if object.is_exact_instance_of::<PyBytes>() {
            Self::Bytes
        } else if object.is_exact_instance_of::<PyInt>() {
            Self::Int
        } else {
            Self::Foreign
        }
    }
}

/// Cloned, compared and dropped by attached threads only.
pub struct PyItem {
    hash: u64,
    kind: Kind,
    object: Py<PyAny>,
}

impl PyItem {
    /// Raises `TypeError` if the object is not hashable.
    pub fn new(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        Self::of(object.clone())
    }

    /// The same for a reference that nobody needs any more.
    pub fn of(object: Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self {
            hash: spread(object.hash()?),
            kind: Kind::of(&object),
            object: object.unbind(),
        })
    }

    pub fn object(&self) -> &Py<PyAny> {
        &self.object
    }
}

/// Python hashes small numbers to themselves; a table wants every bit to count.
#[allow(clippy::cast_sign_loss)]
fn spread(hash: isize) -> u64 {
    let product = u128::from(hash as u64 ^ 0x243f_6a88_85a3_08d3) * 0x9e37_79b9_7f4a_7c15;
    product as u64 ^ (product >> 64) as u64
}

impl Clone for PyItem {
    fn clone(&self) -> Self {
        // The thread is attached already: this only says so.
        Python::attach(|py| Self {
            hash: self.hash,
            kind: self.kind,
            object: self.object.clone_ref(py),
        })
    }
}

impl Item for PyItem {
    type Error = PyErr;

    fn hash(&self) -> u64 {
        self.hash
    }

    fn same(&self, other: &Self) -> Option<bool> {
        if self.object.is(&other.object) {
            return Some(true);
        }
        match (self.kind, other.kind) {
            (Kind::Foreign, _) | (_, Kind::Foreign) => None,
            (kind, other_kind) if kind != other_kind => Some(false),
            _ => self.equals(other).ok(),
        }
    }

    fn equals(&self, other: &Self) -> PyResult<bool> {
        Python::attach(|py| self.object.bind(py).eq(&other.object))
    }

    fn step_aside(wait: impl FnOnce() + Send) {
        Python::attach(|py| py.detach(wait));
    }
}
