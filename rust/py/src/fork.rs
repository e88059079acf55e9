//! The fork guard: a handle of the parent process is unusable in a forked child, and says so before it touches a lock.
//!
//! A handle belongs to this process iff the fork count at its birth is the fork count now. `os.register_at_fork` counts
//! in the child (`CPython` runs it for `os.fork`, multiprocessing, and embedders that call
//! `PyOS_AfterFork_Child`), which costs a load per call where asking for the process id costs a system call.

use std::sync::atomic::{AtomicU32, Ordering};

use kubeinformer_http::runtime;
use pyo3::prelude::*;

use crate::errors;

static FORKS: AtomicU32 = AtomicU32::new(0);

/// Kept in every handle that has locks or threads behind it.
#[derive(Clone, Copy, Debug)]
pub struct Birth(u32);

impl Birth {
    pub fn now() -> Self {
        Self(FORKS.load(Ordering::Relaxed))
    }

    pub fn check(self) -> PyResult<()> {
        if self.0 == FORKS.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(errors::forked())
    }

    /// Forks between this process and its first ancestor.
    pub fn generation(self) -> u32 {
        self.0
    }
}

/// What a forked child must not even drop: a socket that leaves its parent's reactor would take the parent's own with it,
/// as they share the kernel's list.
pub struct OfProcess<T> {
    value: Option<T>,
    birth: Birth,
}

impl<T> OfProcess<T> {
    pub fn new(value: T) -> Self {
        Self {
            value: Some(value),
            birth: Birth::now(),
        }
    }

    pub fn birth(&self) -> Birth {
        self.birth
    }

    pub fn get(&self) -> PyResult<&T> {
        self.birth.check()?;
        Ok(self.value.as_ref().expect("only `drop` takes it"))
    }
}

impl<T> Drop for OfProcess<T> {
    fn drop(&mut self) {
        if self.birth.0 != FORKS.load(Ordering::Relaxed) {
            std::mem::forget(self.value.take());
        }
    }
}

/// Runs in a forked child, before any of its Python code.
#[pyfunction]
pub fn after_fork_in_child() {
    let before = FORKS.fetch_add(1, Ordering::Relaxed);
    runtime::after_fork(before + 1);
}

/// The fork count, for the guards of the Python layer.
#[pyfunction]
pub fn fork_count() -> u32 {
    FORKS.load(Ordering::Relaxed)
}
