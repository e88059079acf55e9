//! The threads of all connections: one small set a process, which nobody ends or waits for.
//!
//! A forked child has none of its parent's threads, so it makes a runtime of its own and leaves its parent's alone, locks
//! included. `generation` counts the forks between a process and its first ancestor.

use std::io;
use std::sync::OnceLock;

use tokio::runtime::{Builder, Handle, Runtime};

/// Reading an event is a matter of microseconds: two threads feed more than one processor takes.
const THREADS: usize = 2;

/// The runtime of one generation. A lock is only ever taken by its own generation or by the next, so none is found held
/// after a fork.
struct Generation {
    runtime: OnceLock<io::Result<Runtime>>,
    next: OnceLock<Box<Generation>>,
}

impl Generation {
    const fn new() -> Self {
        Self {
            runtime: OnceLock::new(),
            next: OnceLock::new(),
        }
    }
}

static FIRST: Generation = Generation::new();

/// The runtime of this process, which is made by the first call. An error if there can be no more threads.
pub fn handle(generation: u32) -> io::Result<&'static Handle> {
    let mut found = &FIRST;
    for _ in 0..generation {
        found = found.next.get_or_init(|| Box::new(Generation::new()));
    }
    match found.runtime.get_or_init(start) {
        Ok(runtime) => Ok(runtime.handle()),
        Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
    }
}

fn start() -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(THREADS)
        .thread_name("kubeinformer-http")
        .enable_io()
        .enable_time()
        .build()
}
