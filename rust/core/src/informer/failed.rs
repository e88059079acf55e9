//! `Failed`: the versions of objects that a transform failed on, by key.
//!
//! Invariant: in the quiet phase of the queue, an object that was received and is not gone is queued, stored or in here.

use hashbrown::HashMap;

use crate::queue::SourceId;
use crate::sync::Mutex;

/// A version that is not in the store.
pub(crate) struct FailedVersion {
    pub source: SourceId,
    pub uid: String,
    pub version: String,
}

/// See the [module](self). Locked last, and briefly.
pub(crate) type Failed = Mutex<HashMap<String, FailedVersion>>;
