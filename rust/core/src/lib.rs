//! The core of kubeinformer: bytes in, an indexed store and notifications out. It knows no Python.
//!
//! Bytes flow one way: [`queue`] -> [`store`] -> [`listener`]; [`informer`] is what happens between queue and
//! listeners. Nothing below calls up.

mod hashing;
mod index;
pub mod informer;
pub mod keyed;
pub mod listener;
pub mod notification;
pub mod queue;
pub mod store;
pub mod versioned;
pub mod write_batch;

#[cfg(test)]
mod testing;
