//! The queues between a reflector and the processor of its objects: [`DeltaFifo`] merges per key, [`RealFifo`]
//! keeps the order of arrival.
//!
//! Invariant: a delta that a queue accepted is popped exactly once, in the order its queue promises, unless
//! [`DeltaFifo`] merged it into an equal deletion (§34).
//!
//! # Phases
//!
//! A queue is idle, processing or quiet. A pop starts the *processing* phase and [`DeltaFifo::processed`] /
//! [`RealFifo::processed`] ends it; the consumer applies what it popped to its known objects (the store) in between,
//! with no lock held. Whatever compares a queue with the known objects (Replace and Resync of the modes that are not
//! atomic, Delete of a [`DeltaFifo`] with known objects) runs in the *quiet* phase: `quiet()` waits for the end of
//! processing and holds back the next pop while its guard lives. So each object that was not deleted is queued or
//! known at that time, and none is missed between the two. The known objects must be read after `quiet()` returned.
//! Adding never waits, in any phase.
//!
//! One consumer is required for order. Should several threads pop, they take turns: a pop waits for the end of the
//! processing of the one before. A thread that pops again without `processed()` waits for itself until its timeout.
//!
//! No callback runs under a lock, and no payload is dropped under one; [`Keyed`](crate::keyed::Keyed) is the only
//! foreign code that does run, and must do no more than return what it holds.
//!
//! # Sources
//!
//! Replace, Bookmark and `has_synced` are per source (one list/watch pair), so that the sources of one informer share
//! a queue. A new queue has one source, [`SourceId::FIRST`]; `add_source()` registers each further one. Every method
//! that takes a [`SourceId`] panics if it is not of this queue.

mod delta;
pub mod delta_fifo;
mod gate;
mod keys;
pub mod real_fifo;
mod synced;
#[cfg(test)]
mod tests;

pub use delta::{Delta, DeltaObject, DeltaType, Deltas, Known, Replacement, SourceId};
pub use delta_fifo::{DeltaFifo, DeltaFifoOptions};
pub use gate::WaitError;
pub use real_fifo::{RealFifo, RealFifoMode};

/// Deltas that a batch holds at most, unless the consumer says otherwise (client-go's default).
pub const DEFAULT_BATCH_SIZE: usize = 1000;

/// A queue that was emptied gives back a buffer of more slots than this: the initial list must not stay reserved.
const KEPT_SLOTS: usize = 4096;
