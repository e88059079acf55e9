//! The one hash of keys and index values.
//!
//! Two equal texts have the same hash wherever they are met, so a hash is worked out once, before any lock, and handed
//! on. Keys are chosen by users of the cluster: the hash is seeded anew in each process.

use std::hash::BuildHasher;
use std::sync::LazyLock;

use foldhash::fast::RandomState;

static STATE: LazyLock<RandomState> = LazyLock::new(RandomState::default);

/// The hash of a key or an index value; see the [module](self).
pub fn hash(text: &str) -> u64 {
    STATE.hash_one(text)
}
