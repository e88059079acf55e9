//! The threads of all connections: one small set a process, which nobody ends or waits for.
//!
//! A forked child has none of its parent's threads, so it makes a runtime of its own and leaves its parent's alone, locks
//! included. `generation` counts the forks between a process and its first ancestor.
//!
//! Invariant: no lock that a child takes can have been held when it was forked.

use std::io;
use std::sync::OnceLock;

use tokio::runtime::{Builder, Handle, Runtime};

/// Reading an event is a matter of microseconds: two threads feed more than one processor takes.
const THREADS: usize = 2;

/// The runtime of one generation. `runtime` is locked by its own generation alone; `next` by the only thread of a child.
struct Generation {
    runtime: OnceLock<Runtime>,
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

/// To be called in a forked child while it has one thread.
pub fn after_fork(generation: u32) {
    of(generation);
}

fn of(generation: u32) -> &'static Generation {
    let mut found = &FIRST;
    for _ in 0..generation {
        found = found.next.get_or_init(|| Box::new(Generation::new()));
    }
    found
}

/// The runtime of this process, which is made by the first call. An error if there can be no more threads now; the next
/// call tries again.
pub fn handle(generation: u32) -> io::Result<&'static Handle> {
    let runtime = &of(generation).runtime;
    if let Some(runtime) = runtime.get() {
        return Ok(runtime.handle());
    }
    let made = start()?;
    Ok(runtime.get_or_init(|| made).handle())
}

fn start() -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(THREADS)
        .thread_name("kubeinformer-http")
        .enable_io()
        .enable_time()
        .build()
}
