//! Where a body goes: a reader of the core, together with what it feeds.

use std::sync::Arc;
use std::time::Duration;

use kubeinformer_core::source::{ListReader, ReadError, Relist, Source, WatchReader};
use kubeinformer_core::sync::Mutex;

/// What a reader says after it was fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fed {
    /// It wants more.
    More,
    /// It wants more, and has come to something that its owner looks at: a bookmark.
    Look,
    /// The stream is over.
    Over,
}

/// Takes a body piece by piece.
pub trait Sink: Send {
    /// Whether it takes a piece now.
    fn has_room(&mut self) -> Result<bool, ReadError>;

    /// Reads on.
    fn feed(&mut self, pieces: &[&[u8]]) -> Result<Fed, ReadError>;

    /// Whether `feed` may wait for another thread.
    fn blocks(&self) -> bool;
}

/// A watch.
pub struct WatchSink {
    /// What the reader feeds.
    pub source: Arc<Source>,
    /// Locked while it is fed.
    pub reader: Arc<Mutex<WatchReader>>,
}

impl Sink for WatchSink {
    fn has_room(&mut self) -> Result<bool, ReadError> {
        match self.source.wait_for_room(Some(Duration::ZERO)) {
            Ok(()) => Ok(true),
            Err(ReadError::TimedOut) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn feed(&mut self, pieces: &[&[u8]]) -> Result<Fed, ReadError> {
        let mut reader = self.reader.lock();
        let bookmarks = reader.progress().bookmarks;
        let over = reader.feed_all(&self.source, pieces.iter().copied())?;
        Ok(match reader.progress().bookmarks > bookmarks {
            _ if over => Fed::Over,
            true => Fed::Look,
            false => Fed::More,
        })
    }

    fn blocks(&self) -> bool {
        self.source.may_wait_for_processing()
    }
}

/// A page of a list. Its objects are queued later, all at once.
pub struct ListSink {
    /// Knows how objects are read.
    pub source: Arc<Source>,
    /// None once it is committed.
    pub relist: Arc<Mutex<Option<Relist>>>,
    /// None once it is finished.
    pub reader: Arc<Mutex<Option<ListReader>>>,
}

impl Sink for ListSink {
    fn has_room(&mut self) -> Result<bool, ReadError> {
        Ok(true)
    }

    fn feed(&mut self, pieces: &[&[u8]]) -> Result<Fed, ReadError> {
        let (mut reader, mut relist) = (self.reader.lock(), self.relist.lock());
        let (Some(reader), Some(relist)) = (reader.as_mut(), relist.as_mut()) else {
            return Err(ReadError::Closed);
        };
        for piece in pieces {
            if reader.feed(&self.source, relist, piece)? {
                return Ok(Fed::Over);
            }
        }
        Ok(Fed::More)
    }

    fn blocks(&self) -> bool {
        false
    }
}
