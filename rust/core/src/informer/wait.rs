//! Waiting until the store, and the listeners, have come to a resource version.
//!
//! Invariant: when the wait is over, the batch that brought a source to the version is in the store and was handed to every
//! listener. Nobody polls, and a batch costs one load while nobody waits: batches are written under the lock that the
//! waiting thread lets go.

use std::ops::Range;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use super::Informer;
use crate::queue::{SourceId, WaitError};
use crate::resource_version::ResourceVersion;
use crate::versioned::Versioned;

impl<T: Versioned> Informer<T> {
    /// Waits until the store of `source` (none: of every source) is at or past the version, for at most `timeout` (none:
    /// for ever). A version in the store that is no decimal number is not at any other, and one that goes back lets the
    /// wait go on. `Closed` when the informer was stopped before.
    pub fn wait_for_resource_version(
        &self,
        version: ResourceVersion<'_>,
        source: Option<SourceId>,
        timeout: Option<Duration>,
    ) -> Result<(), WaitError> {
        if version.is_any() {
            return Ok(());
        }
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let sources = self.sources(source);
        let mut registrations = self.registrations.lock();
        loop {
            if let Some(reached) = self.reached(version, sources.clone()) {
                return reached;
            }
            match deadline {
                None => self.committed.wait(&mut registrations),
                Some(deadline) if Instant::now() >= deadline => return Err(WaitError::TimedOut),
                Some(deadline) => {
                    self.committed.wait_until(&mut registrations, deadline);
                }
            }
        }
    }

    /// The same without a wait: `waker` is woken once when it may be over.
    pub fn poll_resource_version(
        &self,
        version: ResourceVersion<'_>,
        source: Option<SourceId>,
        waker: &Waker,
    ) -> Poll<Result<(), WaitError>> {
        if version.is_any() {
            return Poll::Ready(Ok(()));
        }
        let sources = self.sources(source);
        let registrations = self.registrations.lock();
        if let Some(reached) = self.reached(version, sources) {
            return Poll::Ready(reached);
        }
        self.committed.wake_by(&registrations, waker);
        Poll::Pending
    }

    /// Takes back a waker that was left in a poll of the informer or of its queue.
    pub fn forget(&self, waker: &Waker) {
        self.committed.forget(waker);
        self.queue.forget(waker);
    }

    fn sources(&self, source: Option<SourceId>) -> Range<u32> {
        source.map_or(0..self.queue.sources(), |source| source.0..source.0 + 1)
    }

    /// How the wait for a version ends; None while it does not.
    fn reached(
        &self,
        version: ResourceVersion<'_>,
        mut sources: Range<u32>,
    ) -> Option<Result<(), WaitError>> {
        if sources.all(|it| self.is_at(version, SourceId(it))) {
            return Some(Ok(()));
        }
        self.is_stopped().then_some(Err(WaitError::Closed))
    }

    fn is_at(&self, version: ResourceVersion<'_>, source: SourceId) -> bool {
        let view = self.store.read();
        let stored = ResourceVersion::parse(view.resource_version_of(source));
        stored.is_ok_and(|stored| stored >= version)
    }

    /// What was written last for a source, be it lower than before (§27-§31); without a source, the lowest of all, so
    /// that each is at or past it: "" while one has none that can be compared.
    pub fn resource_version(&self, source: Option<SourceId>) -> String {
        let sources = self.queue.sources();
        self.store.read().resource_version_of_all(source, sources)
    }
}
