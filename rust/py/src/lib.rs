//! The extension module `kubeinformer._core`: converts, detaches, maps errors; no logic of its own.

// `_core.pyi` documents what Python sees; Rust sees nothing of this crate.
#![allow(missing_docs)]
// What comes from Python is converted to a value of its own.
#![allow(clippy::needless_pass_by_value)]
// `View::len` in place of `|view| view.len()` is not general enough over lifetimes to compile.
#![allow(clippy::redundant_closure_for_method_calls)]

mod change;
mod decoded;
mod delta_fifo;
mod detached;
mod errors;
mod event;
mod fifo;
mod filter;
mod fork;
mod http;
mod index;
mod indexed;
mod informer;
mod item;
mod json_pieces;
mod listener;
mod object;
mod path;
mod pieces;
mod queued;
mod reader;
mod real_fifo;
mod selector;
mod snapshot;
mod source;
mod store;
mod transform;
mod views;
mod wait;
mod wake;
mod workqueue;

use mimalloc::MiMalloc;
use pyo3::prelude::*;

/// This module's memory only; Python and other extensions keep theirs. An object is freed by another thread than made it:
/// glibc's allocator takes locks for that, and keeps for ever what a list replaced that had changed as a whole.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[pymodule]
mod _core {
    #[pymodule_export]
    use crate::change::{Change, NewIndexers};
    #[pymodule_export]
    use crate::delta_fifo::DeltaFIFO;
    #[pymodule_export]
    use crate::event::Event;
    #[pymodule_export]
    use crate::filter::{Enqueuer, Filter};
    #[pymodule_export]
    use crate::fork::{after_fork_in_child, fork_count};
    #[pymodule_export]
    use crate::http::{HTTPClient, HTTPExchange};
    #[pymodule_export]
    use crate::index::Index;
    #[pymodule_export]
    use crate::informer::InformerCore;
    #[pymodule_export]
    use crate::json_pieces::JSONPieces;
    #[pymodule_export]
    use crate::listener::Listener;
    #[pymodule_export]
    use crate::object::KubeObject;
    #[pymodule_export]
    use crate::queued::take_deltas;
    #[pymodule_export]
    use crate::reader::StoreReader;
    #[pymodule_export]
    use crate::real_fifo::RealFIFO;
    #[pymodule_export]
    use crate::selector::Selector;
    #[pymodule_export]
    use crate::snapshot::Snapshot;
    #[pymodule_export]
    use crate::source::{ListMeta, ListReader, Relist, Source, WatchReader};
    #[pymodule_export]
    use crate::store::{Indexer, ThreadSafeStore};
    #[pymodule_export]
    use crate::transform::{Transform, Untransformed};
    #[pymodule_export]
    use crate::views::{json_view, JSONMapping, JSONSequence};
    #[pymodule_export]
    use crate::wake::{WakePipe, Waker};
    #[pymodule_export]
    use crate::workqueue::{
        BucketRateLimiter, CoreRateLimiter, DelayingQueue, FakeClock, ItemContext,
        ItemExponentialFailureRateLimiter, ItemFastSlowRateLimiter, MaxOfRateLimiter, Queue,
        RateLimitingQueue, StatsReader, WithMaxWaitRateLimiter,
    };
}
