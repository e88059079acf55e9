//! What a watch has come to, and a place where other threads see it while the reader works.
//!
//! Invariant: what is seen is in the queue.

use std::sync::Arc;

use crate::sync::Mutex;

/// What a stream has given so far.
#[derive(Clone, Debug, Default)]
pub struct WatchProgress {
    /// Accepted events: bookmarks and unknown types too, ERROR not.
    pub events: u64,
    /// BOOKMARK events among them.
    pub bookmarks: u64,
    /// Events of types that nobody knows among them; they move the resource version (client-go §119).
    pub unknown_events: u64,
    /// Where a new watch goes on; "" until an event says so.
    pub resource_version: String,
    /// The version that was lower than one before it, of a bookmark or an event that was not accepted; "" = none was. The
    /// stream is over then.
    pub went_back_to: String,
    /// The object of the ERROR event that ended the stream, as JSON.
    pub error: Option<Vec<u8>>,
    /// The end bookmark of a watch-list came, or none is awaited.
    pub synced: bool,
}

impl WatchProgress {
    /// Whether nothing that follows would be accepted.
    pub(super) fn is_over(&self) -> bool {
        self.error.is_some() || !self.went_back_to.is_empty()
    }
}

/// The progress after the last piece that was fed.
#[derive(Clone, Debug)]
pub struct SharedProgress(Arc<Mutex<WatchProgress>>);

impl SharedProgress {
    pub(super) fn new(progress: &WatchProgress) -> Self {
        Self(Arc::new(Mutex::new(progress.clone())))
    }

    /// Looks at it. The lock is held for a moment only, by either side.
    pub fn with<R>(&self, look: impl FnOnce(&WatchProgress) -> R) -> R {
        look(&self.0.lock())
    }

    /// The same; None when the lock is taken.
    pub fn try_with<R>(&self, look: impl FnOnce(&WatchProgress) -> R) -> Option<R> {
        self.0.try_lock().map(|progress| look(&progress))
    }

    /// Without an allocation, as long as a version is no longer than the one before.
    pub(super) fn publish(&self, progress: &WatchProgress) {
        let mut shared = self.0.lock();
        shared.events = progress.events;
        shared.bookmarks = progress.bookmarks;
        shared.unknown_events = progress.unknown_events;
        shared.synced = progress.synced;
        shared
            .resource_version
            .clone_from(&progress.resource_version);
        shared.went_back_to.clone_from(&progress.went_back_to);
        shared.error.clone_from(&progress.error);
    }
}
