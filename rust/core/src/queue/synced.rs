//! Which sources have delivered their initial list.
//!
//! Invariant: a source is synced iff it is populated (its first Replace, Add, Update or Delete has come) and no delta
//! of its initial list is queued or being processed.

use smallvec::SmallVec;

use super::delta::SourceId;

#[derive(Default)]
struct Source {
    populated: bool,
    /// Deltas of the initial list that are not popped yet.
    queued: usize,
    /// Deltas of the initial list that are popped, their processing not ended.
    processing: usize,
}

impl Source {
    fn is_synced(&self) -> bool {
        self.populated && self.queued == 0 && self.processing == 0
    }
}

/// The counts of all sources of one queue.
pub(super) struct InitialLists {
    sources: Vec<Source>,
    /// Sources with `processing > 0`.
    processing: SmallVec<[SourceId; 2]>,
    /// Sources of which `is_synced` is false.
    unsynced: usize,
}

impl InitialLists {
    pub(super) fn new() -> Self {
        let mut lists = Self {
            sources: Vec::new(),
            processing: SmallVec::new(),
            unsynced: 0,
        };
        lists.add_source();
        lists
    }

    pub(super) fn add_source(&mut self) -> SourceId {
        let id = SourceId(
            u32::try_from(self.sources.len()).expect("a queue has fewer than 2^32 sources"),
        );
        self.sources.push(Source::default());
        self.unsynced += 1;
        id
    }

    pub(super) fn len(&self) -> usize {
        self.sources.len()
    }

    fn source(&self, id: SourceId) -> &Source {
        self.sources
            .get(id.index())
            .expect("the source is registered with add_source()")
    }

    pub(super) fn is_populated(&self, id: SourceId) -> bool {
        self.source(id).populated
    }

    pub(super) fn is_synced(&self, id: SourceId) -> bool {
        self.source(id).is_synced()
    }

    pub(super) fn all_synced(&self) -> bool {
        self.unsynced == 0
    }

    /// An Add, Update or Delete: without a Replace before it there is no initial list to wait for (§42).
    pub(super) fn populate(&mut self, id: SourceId) {
        if !self.source(id).populated {
            self.populate_with(id, 0);
        }
    }

    /// The first Replace: its initial list is `queued` deltas.
    pub(super) fn populate_with(&mut self, id: SourceId, queued: usize) {
        debug_assert!(
            !self.is_populated(id),
            "only the first Replace is the initial list"
        );
        self.change(id, |source| {
            source.populated = true;
            source.queued = queued;
        });
    }

    /// A delta of the initial list is popped.
    pub(super) fn popped(&mut self, id: SourceId) {
        if self.source(id).processing == 0 {
            self.processing.push(id);
        }
        self.change(id, |source| {
            source.queued -= 1;
            source.processing += 1;
        });
    }

    /// All that was popped is processed.
    pub(super) fn processed(&mut self) {
        while let Some(id) = self.processing.pop() {
            self.change(id, |source| source.processing = 0);
        }
    }

    fn change(&mut self, id: SourceId, change: impl FnOnce(&mut Source)) {
        let source = &mut self.sources[id.index()];
        let before = source.is_synced();
        change(source);
        self.unsynced = self.unsynced + usize::from(before) - usize::from(source.is_synced());
    }
}
