//! A source: one list/watch pair that feeds an informer, from the bytes of the response to the queue.
//!
//! The readers are where a response's bytes stop being bytes. What a reader says it has read is in the queue: its
//! resource version moves iff the events up to there were accepted.

mod body;
mod compression;
mod list;
mod progress;
mod watch;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use compression::Compression;
pub use list::{ListReader, Relist};
pub use progress::{SharedProgress, WatchProgress};
pub use watch::WatchReader;

use crate::error::{ScanError, ScanErrorKind};
use crate::filter::Filter;
use crate::informer::{Informer, QueueMode};
use crate::keyed::Keyed;
use crate::listener::Predicate;
use crate::object::{Object, ObjectView, TypeMeta};
use crate::queue::{SourceId, WaitError};
use crate::sync::RwLock;
use crate::transform::Transform;
use crate::versioned::Versioned;

impl Keyed for Object {
    fn key(&self) -> &str {
        self.key()
    }

    fn key_hash(&self) -> u64 {
        self.key_hash()
    }

    fn heap_size(&self) -> usize {
        self.heap_size()
    }
}

impl Versioned for Object {
    fn uid(&self) -> &str {
        self.uid()
    }

    fn resource_version(&self) -> &str {
        self.resource_version()
    }

    /// By content: a server that was restored from a backup gives a version of an object a second time.
    fn same_version(&self, other: &Self) -> bool {
        self.same_bytes(other)
    }
}

/// What reading a response can come to, besides its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The bytes are not what they must be.
    Scan(ScanError),
    /// The informer was stopped.
    Closed,
    /// The queue stayed above its limit for the whole time.
    TimedOut,
}

impl From<ScanError> for ReadError {
    fn from(error: ScanError) -> Self {
        Self::Scan(error)
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scan(error) => error.fmt(f),
            Self::Closed => f.write_str("the informer is stopped"),
            Self::TimedOut => f.write_str("the queue is full"),
        }
    }
}

impl std::error::Error for ReadError {}

/// How objects are read and how much may wait.
#[derive(Clone, Copy, Debug)]
pub struct ReadOptions {
    /// Keep `metadata.managedFields`.
    pub keep_managed_fields: bool,
    /// Bytes of one object or one line, at most.
    pub max_object: usize,
    /// Bytes of one list, all its pages or initial events together, at most.
    pub max_list: u64,
    /// Readers wait while more bytes than this are queued.
    pub queue_bytes: usize,
    /// Compress objects, with a dictionary that is learnt from so many of them.
    pub dictionary_samples: Option<usize>,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            keep_managed_fields: false,
            max_object: 64 << 20,
            max_list: u64::MAX,
            queue_bytes: 256 << 20,
            dictionary_samples: None,
        }
    }
}

/// How an informer's objects are changed before anything else sees them.
#[derive(Clone, Debug)]
pub enum Transformer {
    /// While they are read.
    Declared(Arc<Transform>),
    /// By the caller of the processor; what is read is queued as it is, but for what the cuts leave out.
    External {
        /// Made while they are read.
        cuts: Option<Arc<Transform>>,
    },
}

impl Transformer {
    fn cuts(&self) -> Option<&Transform> {
        match self {
            Self::Declared(cuts) => Some(cuts),
            Self::External { cuts } => cuts.as_deref(),
        }
    }

    /// An object as it is queued.
    pub(crate) fn read(
        transformer: Option<&Self>,
        view: &ObjectView<'_>,
        defaults: &TypeMeta,
        keep_managed_fields: bool,
    ) -> Result<Object, ScanError> {
        match transformer.and_then(Self::cuts) {
            Some(cuts) => view.to_transformed(cuts, defaults, keep_managed_fields),
            None => Ok(view.to_object(defaults, keep_managed_fields)),
        }
    }
}

/// The transformer that the sources of an informer share.
pub type SharedTransformer = Arc<RwLock<Option<Transformer>>>;

/// See the module.
pub struct Source {
    informer: Arc<Informer<Object>>,
    id: SourceId,
    options: ReadOptions,
    transformer: SharedTransformer,
    compression: Option<Arc<Compression>>,
    filter: Option<Arc<Filter>>,
}

impl Source {
    /// A source of `informer` that its queue knows as `id`.
    pub fn new(informer: Arc<Informer<Object>>, id: SourceId, options: ReadOptions) -> Self {
        Self {
            informer,
            id,
            compression: Compression::new(&options),
            options,
            transformer: SharedTransformer::default(),
            filter: None,
        }
    }

    /// The same, which holds only what a filter accepts as the server sent it.
    #[must_use]
    pub fn with_filter(self, filter: Option<Arc<Filter>>) -> Self {
        Self { filter, ..self }
    }

    /// The same, with a transformer that others can set.
    #[must_use]
    pub fn with_transformer(self, transformer: SharedTransformer) -> Self {
        Self {
            transformer,
            ..self
        }
    }

    /// The same, with a dictionary that other sources share.
    #[must_use]
    pub fn with_compression(self, compression: Option<Arc<Compression>>) -> Self {
        Self {
            compression,
            ..self
        }
    }

    /// What the queue and the store call it.
    pub fn id(&self) -> SourceId {
        self.id
    }

    /// Its first list is in the store.
    pub fn has_synced(&self) -> bool {
        self.informer.queue().has_synced_source(self.id)
    }

    /// Waits until a reader may go on, for at most `timeout` (None: for ever).
    pub fn wait_for_room(&self, timeout: Option<Duration>) -> Result<(), ReadError> {
        if self.informer.is_stopped() {
            return Err(ReadError::Closed);
        }
        match self
            .informer
            .queue()
            .wait_below(self.options.queue_bytes, timeout)
        {
            Ok(()) => Ok(()),
            Err(WaitError::TimedOut) => Err(ReadError::TimedOut),
            Err(WaitError::Closed) => Err(ReadError::Closed),
        }
    }

    /// Whether a reader may have to wait until the batch under way is processed: the other modes compare lists and
    /// deletions with what is stored.
    pub fn may_wait_for_processing(&self) -> bool {
        self.informer.queue().mode() != QueueMode::Atomic
    }

    /// The object in an allocation of its own. None, and nothing is copied, when the source's filter does not accept it.
    fn object(
        &self,
        view: &ObjectView<'_>,
        defaults: &TypeMeta,
    ) -> Result<Option<Arc<Object>>, ScanError> {
        self.object_unless(view, defaults, |_, _| None)
    }

    /// The same of a list; or the object that the store holds when that is equal: a relist of an unchanged cluster costs
    /// no second copy. Equal is what has the same bytes, since a server that was restored from a backup gives uid and
    /// version of an object to another content. What a transform made of the same bytes is equal too.
    fn listed_object(
        &self,
        view: &ObjectView<'_>,
        defaults: &TypeMeta,
    ) -> Result<Option<Arc<Object>>, ScanError> {
        self.object_unless(view, defaults, |object, transformer| {
            let is_equal = |known: &Arc<Object>| match transformer {
                Some(Transformer::External { .. }) => known.is_made_of(object),
                _ => known.same_version(object),
            };
            self.stored_version(object).filter(is_equal)
        })
    }

    fn object_unless(
        &self,
        view: &ObjectView<'_>,
        defaults: &TypeMeta,
        known: impl FnOnce(&Object, Option<&Transformer>) -> Option<Arc<Object>>,
    ) -> Result<Option<Arc<Object>>, ScanError> {
        if !self.accepts(view, defaults) {
            return Ok(None);
        }
        let keep_managed_fields = self.options.keep_managed_fields;
        let transformer = self.transformer.read().clone();
        let object = Transformer::read(transformer.as_ref(), view, defaults, keep_managed_fields)?;
        if let Some(known) = known(&object, transformer.as_ref()) {
            return Ok(Some(known));
        }
        Ok(Some(Arc::new(match &self.compression {
            Some(compression) => compression.compress(object),
            None => object,
        })))
    }

    /// Whether a list may have so many bytes; `offset` is where in the body the one too many came.
    fn check_list(&self, bytes: u64, offset: u64) -> Result<(), ScanError> {
        let limit = self.options.max_list;
        if bytes <= limit {
            return Ok(());
        }
        let message = format!("list longer than {limit} bytes, all its pages together");
        Err(ScanError::new(ScanErrorKind::TooLarge, message, offset))
    }

    fn accepts(&self, view: &ObjectView<'_>, defaults: &TypeMeta) -> bool {
        let Some(filter) = &self.filter else {
            return true;
        };
        if filter.reads_type() {
            return filter.accepts(&view.to_object(defaults, true));
        }
        filter.accepts_view(view)
    }

    fn stored_version(&self, object: &Object) -> Option<Arc<Object>> {
        let stored = self.informer.store().read();
        let known = stored.get(object.key())?;
        (known.resource_version() == object.resource_version()).then(|| Arc::clone(known))
    }

    /// Looks at a list in the making, all of it if it `is_complete`, until there is a dictionary.
    fn learn_from_list<'o>(
        &self,
        count: usize,
        objects: impl Iterator<Item = &'o mut Arc<Object>>,
        is_complete: bool,
    ) {
        if let Some(compression) = &self.compression {
            compression.learn_from_list(count, objects, is_complete);
        }
    }

    /// Looks at the store until there is a dictionary.
    fn learn_from_store(&self) {
        let Some(compression) = &self.compression else {
            return;
        };
        compression.learn_from_store(self.informer.store());
    }

    fn replace(&self, resource_version: String, mut objects: Vec<Arc<Object>>) {
        self.learn_from_list(objects.len(), objects.iter_mut(), true);
        self.informer
            .queue()
            .replace(self.id, resource_version, objects);
    }
}
