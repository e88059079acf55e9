//! The core of kubeinformer: bytes in, an indexed store and notifications out. It knows no Python.
//!
//! Bytes flow one way: [`scan`] -> [`source`] -> [`queue`] -> [`store`] -> [`listener`]; [`informer`] is what happens
//! between queue and listeners. Nothing below calls up.

pub mod enqueue;
pub mod error;
pub mod filter;
pub mod hashing;
mod index;
pub mod index_func;
pub mod informer;
pub mod keyed;
pub mod listener;
pub mod notification;
pub mod object;
pub mod object_informer;
pub mod path;
pub mod queue;
pub mod resource_version;
pub mod scan;
pub mod selector;
pub mod source;
pub mod store;
pub mod sync;
pub mod transform;
pub mod versioned;
pub mod wake;
pub mod workqueue;
pub mod write_batch;

#[cfg(test)]
mod testing;
