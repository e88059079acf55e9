//! Errors of the core as exceptions of `kubeinformer.errors`.
//!
//! The classes are Python's: below 3.12 a class of the stable ABI cannot extend an exception and have fields.

use kubeinformer_core::error::{ScanError, ScanErrorKind};
use kubeinformer_core::source::ReadError;
use kubeinformer_core::store::StoreError;
use kubeinformer_http::error::Error as HttpError;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyType};

fn class<'py>(
    py: Python<'py>,
    cell: &PyOnceLock<Py<PyType>>,
    module: &str,
    name: &str,
) -> PyResult<Bound<'py, PyType>> {
    cell.import(py, module, name).cloned()
}

macro_rules! error_class {
    ($function:ident, $name:literal) => {
        error_class!($function, $name, "kubeinformer.errors");
    };
    ($function:ident, $name:literal, $module:literal) => {
        fn $function(py: Python<'_>) -> PyResult<Bound<'_, PyType>> {
            static CELL: PyOnceLock<Py<PyType>> = PyOnceLock::new();
            class(py, &CELL, $module, $name)
        }
    };
}

error_class!(decode_error, "DecodeError");
error_class!(too_large_error, "TooLargeError");
error_class!(closed_error, "ClosedError");
error_class!(forked_error, "ForkedError");
error_class!(index_not_found_error, "IndexNotFoundError");
error_class!(object_key_error, "ObjectKeyError");
error_class!(shut_down_error, "ShutDown");
error_class!(transaction_error, "TransactionError");
error_class!(transport_error, "TransportError");
error_class!(
    read_timeout_error,
    "ReadTimeoutError",
    "kubeinformer.transport.base"
);
error_class!(refused_error, "RefusedError", "kubeinformer.transport.base");
error_class!(tls_error, "TLSError", "kubeinformer.transport.base");

fn raise(make: impl FnOnce(Python<'_>) -> PyResult<PyErr>) -> PyErr {
    Python::attach(|py| make(py).unwrap_or_else(|failure| failure))
}

pub fn forked() -> PyErr {
    raise(|py| {
        let message = "this object belongs to the parent process, whose threads do not run in a forked child; \
                       make a new factory in the child (gunicorn: post_fork; ASGI: lifespan; \
                       multiprocessing: in the target)";
        Ok(PyErr::from_type(forked_error(py)?, message))
    })
}

pub fn closed(what: &'static str) -> PyErr {
    raise(|py| {
        Ok(PyErr::from_type(
            closed_error(py)?,
            format!("{what} is closed"),
        ))
    })
}

pub fn shut_down() -> PyErr {
    raise(|py| {
        Ok(PyErr::from_type(
            shut_down_error(py)?,
            "the queue is shut down",
        ))
    })
}

/// What kept an answer from coming, or its body from going on; `place` says which.
pub fn http(error: &HttpError, place: &str) -> PyErr {
    raise(|py| {
        let class = match error {
            HttpError::Refused => refused_error(py)?,
            HttpError::Silent => read_timeout_error(py)?,
            HttpError::Tls(_) => tls_error(py)?,
            HttpError::Read(ReadError::Scan(error)) => return Ok(scan(error)),
            HttpError::Read(_) => return Ok(closed("the informer")),
            _ => transport_error(py)?,
        };
        Ok(PyErr::from_type(class, format!("{place}: {error}")))
    })
}

pub fn scan(error: &ScanError) -> PyErr {
    raise(|py| {
        let arguments = (error.to_string(), error.key.clone(), error.offset);
        let class = match error.kind {
            ScanErrorKind::TooLarge => too_large_error(py)?,
            _ => decode_error(py)?,
        };
        Ok(PyErr::from_value(class.call1(arguments)?))
    })
}

/// An object's bytes do not parse: `json`, which begins at byte `start` of it. `cause` is the decoder's error, which
/// counts characters; what is no error of the JSON stays as it is.
pub fn decode(py: Python<'_>, key: &str, json: &[u8], start: usize, cause: PyErr) -> PyErr {
    let value = cause.value(py);
    let (Ok(what), Ok(character)) = (
        value.getattr("msg"),
        value.getattr("pos").and_then(|pos| pos.extract()),
    ) else {
        return cause;
    };
    // Else the cause has the whole document, which may be a Secret's.
    let _ = value.setattr("doc", "");
    let text = std::str::from_utf8(json).unwrap_or_default();
    let offset = start
        + text
            .char_indices()
            .nth(character)
            .map_or(text.len(), |(byte, _)| byte);
    let arguments = (format!("{key}: {what} at byte {offset}"), key, offset);
    let made = decode_error(py).and_then(|class| class.call1(arguments));
    match made.map(PyErr::from_value) {
        Ok(error) => {
            error.set_cause(py, Some(cause));
            error
        }
        Err(failure) => failure,
    }
}

pub fn store(error: &StoreError) -> PyErr {
    match error {
        StoreError::NoIndex(_) => raise(|py| {
            Ok(PyErr::from_type(
                index_not_found_error(py)?,
                error.to_string(),
            ))
        }),
        StoreError::IndexExists(_) | StoreError::TooManyIndices => {
            PyValueError::new_err(error.to_string())
        }
        StoreError::Stale | StoreError::AlreadyAdding => PyRuntimeError::new_err(error.to_string()),
    }
}

/// A key function failed, or gave something that is no string (client-go §6). What it raised itself as an
/// `ObjectKeyError` stays as it is.
pub fn object_key(py: Python<'_>, object: &Bound<'_, PyAny>, cause: PyErr) -> PyErr {
    if object_key_error(py).is_ok_and(|class| cause.is_instance(py, &class)) {
        return cause;
    }
    let message = format!(
        "couldn't create key for object of type {}: {}",
        type_name(object),
        cause.value(py)
    );
    let made = object_key_error(py).and_then(|class| {
        let keywords = PyDict::new(py);
        keywords.set_item("obj", object)?;
        class.call((message,), Some(&keywords))
    });
    match made {
        Ok(value) => {
            let error = PyErr::from_value(value);
            error.set_cause(py, Some(cause));
            error
        }
        Err(failure) => failure,
    }
}

/// Some changes of a transaction have no key; the others, at these places, are done (client-go §25).
pub fn transaction(py: Python<'_>, successful: Vec<usize>, failures: Vec<PyErr>) -> PyErr {
    let failures: Vec<_> = failures
        .into_iter()
        .map(|failure| failure.into_value(py))
        .collect();
    match transaction_error(py).and_then(|class| class.call1((successful, failures))) {
        Ok(value) => PyErr::from_value(value),
        Err(failure) => failure,
    }
}

pub fn type_name(object: &Bound<'_, PyAny>) -> String {
    object
        .get_type()
        .name()
        .map_or_else(|_| "object".to_owned(), |name| name.to_string())
}
