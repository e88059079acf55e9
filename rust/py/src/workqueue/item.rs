//! `PyItem`: a hashable Python object in a queue.
//!
//! Equality and hash are Python's. The hash is asked for once, before any lock. Two exact `str`, `bytes` or `int` are
//! compared under the lock, which runs no code of a user's; anything else is the same object, or compared without it.

use kubeinformer_core::workqueue::Item;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt, PyString};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Foreign = 0,
    Str = 1,
    Bytes = 2,
    Int = 3,
}

/// Where `PyItem::word` has the kind: between the bits of a hash by which a table chooses a bucket, and the highest, by
/// which it tells those of a bucket apart.
const KIND: u32 = 48;
const KIND_BITS: u64 = 3 << KIND;
const FOREIGN: u64 = (Kind::Foreign as u64) << KIND;

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
    /// Hash and kind: two words are passed in registers, and of items there are many moves.
    word: u64,
    object: Py<PyAny>,
}

impl PyItem {
    /// Raises `TypeError` if the object is not hashable.
    pub fn new(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        Self::of(object.clone())
    }

    /// The same for a reference that nobody needs any more.
    pub fn of(object: Bound<'_, PyAny>) -> PyResult<Self> {
        let hash = spread(object.hash()?) & !KIND_BITS;
        let kind = Kind::of(&object) as u64;
        Ok(Self {
            word: hash | kind << KIND,
            object: object.unbind(),
        })
    }

    fn kind(&self) -> u64 {
        self.word & KIND_BITS
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
            word: self.word,
            object: self.object.clone_ref(py),
        })
    }
}

impl Item for PyItem {
    type Error = PyErr;

    fn of_text(text: &str) -> Self {
        // The thread is attached already, and the hash of a `str` is no foreign code.
        Python::attach(|py| Self::of(PyString::new(py, text).into_any())).expect("a str has a hash")
    }

    fn hash(&self) -> u64 {
        self.word & !KIND_BITS
    }

    fn same(&self, other: &Self) -> Option<bool> {
        if self.object.is(&other.object) {
            return Some(true);
        }
        match (self.kind(), other.kind()) {
            (FOREIGN, _) | (_, FOREIGN) => None,
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
