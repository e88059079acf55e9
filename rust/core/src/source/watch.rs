//! Reading WATCH bodies: events into the queue, in the order of the stream.
//!
//! Versions that are numbers never go back: the first that would ends the reading, and is not accepted. Whether the server
//! was restored from a backup, lags or repeats itself, others have to find out.

use std::ops::ControlFlow;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::body::Body;
use super::progress::{SharedProgress, WatchProgress};
use super::Source;
use crate::error::ScanError;
use crate::keyed::Keyed;
use crate::object::{resource_version_of, scan_bookmark, Object, ObjectView, TypeMeta};
use crate::queue::Delta;
use crate::scan::framer::{EventType, WatchEvent, WatchFramer};

/// The objects of a watch-list before its end bookmark, by key and in the order they came (client-go §99).
#[derive(Default)]
struct Initial {
    objects: Vec<Option<Arc<Object>>>,
    places: HashMap<String, usize, RandomState>,
}

impl Initial {
    fn put(&mut self, object: Arc<Object>) {
        let end = self.objects.len();
        let place = *self.places.entry_ref(object.key()).or_insert(end);
        if place == end {
            self.objects.push(Some(object));
        } else {
            self.objects[place] = Some(object);
        }
    }

    fn remove(&mut self, key: &str) {
        if let Some(place) = self.places.remove(key) {
            self.objects[place] = None;
        }
    }

    fn into_objects(self) -> Vec<Arc<Object>> {
        self.objects.into_iter().flatten().collect()
    }
}

/// Reads one WATCH body; with `initial`, a watch-list.
pub struct WatchReader {
    body: Body,
    framer: WatchFramer,
    state: State,
    published: SharedProgress,
}

/// Everything but the framer, which lends its bytes while the state changes.
struct State {
    initial: Option<Initial>,
    /// Bytes that came before its end.
    initial_bytes: u64,
    /// What comes is still the present state, in no order of versions (client-go §116).
    unordered: bool,
    /// Version of the events in `pending`, which become `progress.resource_version` with them.
    pending: Vec<Delta<Object>>,
    pending_version: Option<String>,
    /// The version that was asked for, or accepted last; None when it is no number.
    newest: Option<u64>,
    progress: WatchProgress,
    types: TypeMeta,
}

impl WatchReader {
    /// `chunked`: the body still has its transfer coding. `initial`: events collect until the end bookmark.
    pub fn new(source: &Source, chunked: bool, initial: bool) -> Self {
        let state = State {
            initial: initial.then(Initial::default),
            initial_bytes: 0,
            unordered: false,
            pending: Vec::new(),
            pending_version: None,
            newest: None,
            progress: WatchProgress {
                synced: !initial,
                ..WatchProgress::default()
            },
            types: TypeMeta::default(),
        };
        Self {
            body: Body::new(chunked),
            framer: WatchFramer::new(source.options.max_object),
            published: SharedProgress::new(&state.progress),
            state,
        }
    }

    /// For a watch that was asked from "" or "0": it begins with the present objects as ADDED, in the order of their keys, so
    /// that no version is a place to go on from before another event came (client-go §116).
    #[must_use]
    pub fn from_any_version(mut self) -> Self {
        self.state.unordered = true;
        self
    }

    /// For a watch that was asked from a version on: a lower one ends it.
    #[must_use]
    pub fn not_older_than(mut self, resource_version: &str) -> Self {
        self.state.newest = resource_version.parse().ok();
        self
    }

    /// Reads on; the events read are in the queue when this returns, also before an error. True when the stream is over:
    /// the transfer coding ended, an ERROR event came, or a version went back.
    pub fn feed(&mut self, source: &Source, data: &[u8]) -> Result<bool, ScanError> {
        self.feed_all(source, [data])
    }

    /// The same for several pieces that follow each other, whose events are queued together.
    pub fn feed_all<'a>(
        &mut self,
        source: &Source,
        pieces: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<bool, ScanError> {
        if self.state.progress.is_over() {
            return Ok(true);
        }
        let mut read = Ok(ControlFlow::Continue(()));
        for piece in pieces {
            read = self.read(source, piece);
            if !matches!(read, Ok(ControlFlow::Continue(()))) {
                break;
            }
        }
        self.state.flush(source);
        self.published.publish(&self.state.progress);
        Ok(read?.is_break() || self.body.is_complete())
    }

    fn read(&mut self, source: &Source, data: &[u8]) -> Result<ControlFlow<()>, ScanError> {
        let (mut rest, state) = (data, &mut self.state);
        if state.initial.is_some() {
            state.initial_bytes += data.len() as u64;
            source.check_list(state.initial_bytes, state.initial_bytes)?;
        }
        while let Some(piece) = self.body.next(&mut rest)? {
            if self
                .framer
                .feed(piece, |event| state.event(source, event))?
                .is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The end of the stream: an event without its line end counts when it is complete, and is an error when not.
    pub fn finish(&mut self, source: &Source) -> Result<(), ScanError> {
        if self.state.progress.is_over() {
            return Ok(());
        }
        let state = &mut self.state;
        let read: Result<_, ScanError> = self.framer.finish(|event| state.event(source, event));
        self.state.flush(source);
        self.published.publish(&self.state.progress);
        read.map(drop)
    }

    /// Whether the end bookmark of a watch-list came, or none is awaited.
    pub fn is_synced(&self) -> bool {
        self.state.progress.synced
    }

    /// What came so far.
    pub fn progress(&self) -> &WatchProgress {
        &self.state.progress
    }

    /// The same for other threads, while this one reads.
    pub fn shared_progress(&self) -> SharedProgress {
        self.published.clone()
    }
}

impl State {
    fn event(
        &mut self,
        source: &Source,
        event: WatchEvent<'_>,
    ) -> Result<ControlFlow<()>, ScanError> {
        match event.kind {
            EventType::Error => {
                self.progress.error = Some(event.object.to_vec());
                return Ok(ControlFlow::Break(()));
            }
            EventType::Bookmark => self.bookmark(source, &event)?,
            EventType::Unknown => {
                let version = resource_version_of(event.object).unwrap_or_default();
                self.advance(&version);
                self.progress.unknown_events += u64::from(!self.progress.is_over());
            }
            EventType::Added | EventType::Modified | EventType::Deleted => {
                self.object(source, event)?;
            }
        }
        if self.progress.is_over() {
            return Ok(ControlFlow::Break(()));
        }
        self.progress.events += 1;
        Ok(ControlFlow::Continue(()))
    }

    /// Whether it is lower than one before it, which then ends the stream.
    fn goes_back(&mut self, version: &str) -> bool {
        let number = version.parse().ok();
        if number.is_some() && number < self.newest {
            version.clone_into(&mut self.progress.went_back_to);
            return true;
        }
        self.newest = number;
        false
    }

    fn object(&mut self, source: &Source, event: WatchEvent<'_>) -> Result<(), ScanError> {
        let kind = event.kind;
        let view = event.into_view()?;
        if self.initial.is_none() {
            self.unordered &= kind == EventType::Added;
            if !self.unordered && self.goes_back(&view.resource_version()) {
                return Ok(());
            }
        }
        // What tells of the present state may be known; to look for news in the store would be to wait for memory twice.
        let read = if self.initial.is_some() || self.unordered {
            source.listed_object(&view, &self.types)
        } else {
            source.object(&view, &self.types)
        };
        let Some(object) = read? else {
            self.out_of_scope(source, &view);
            return Ok(());
        };
        if let Some(initial) = &mut self.initial {
            match kind {
                EventType::Deleted => initial.remove(object.key()),
                _ => initial.put(object),
            }
            let objects = &mut initial.objects;
            source.learn_from_list(objects.len(), objects.iter_mut().flatten(), false);
            // Initial events are in key order, so no version of theirs is a place to go on from (§103).
            return Ok(());
        }
        if !self.unordered {
            let version = self.pending_version.get_or_insert_with(String::new);
            object.resource_version().clone_into(version);
        }
        self.pending.push(match kind {
            EventType::Added => Delta::added(source.id, object),
            EventType::Modified => Delta::updated(source.id, object),
            _ => Delta::deleted(source.id, object),
        });
        Ok(())
    }

    fn out_of_scope(&mut self, source: &Source, view: &ObjectView<'_>) {
        let key = view.key();
        if let Some(initial) = &mut self.initial {
            initial.remove(&key);
            return;
        }
        let version = view.resource_version();
        if !self.unordered {
            self.pending_version = Some(version.clone().into_owned());
        }
        self.pending
            .push(Delta::out_of_scope(source.id, &key, &version));
    }

    fn bookmark(&mut self, source: &Source, event: &WatchEvent<'_>) -> Result<(), ScanError> {
        let bookmark = scan_bookmark(event.object, event.offset)?;
        let counts = self.initial.is_none() || bookmark.initial_events_end;
        if counts && self.goes_back(&bookmark.resource_version) {
            return Ok(());
        }
        self.progress.bookmarks += 1;
        self.unordered = false;
        match self.initial.take() {
            Some(initial) if bookmark.initial_events_end => {
                source.replace(
                    bookmark.resource_version.to_string(),
                    initial.into_objects(),
                );
                self.progress.synced = true;
            }
            Some(initial) => {
                self.initial = Some(initial);
                return Ok(());
            }
            None => {
                self.flush(source);
                source
                    .informer
                    .queue()
                    .bookmark(source.id, &bookmark.resource_version);
            }
        }
        self.progress.resource_version = bookmark.resource_version.into_owned();
        Ok(())
    }

    fn advance(&mut self, version: &str) {
        self.unordered = false;
        if self.initial.is_none() && !version.is_empty() && !self.goes_back(version) {
            self.pending_version = Some(version.to_owned());
        }
    }

    /// Queues what was read, and only then moves on.
    fn flush(&mut self, source: &Source) {
        if !self.pending.is_empty() {
            source
                .informer
                .queue()
                .add_many(std::mem::take(&mut self.pending));
        }
        if let Some(version) = self.pending_version.take() {
            self.progress.resource_version = version;
        }
        source.learn_from_store();
    }
}
