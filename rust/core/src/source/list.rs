//! Reading LIST bodies: pages into a `Relist`, and that as one Replace into the queue.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::body::Body;
use super::Source;
use crate::error::{ScanError, ScanErrorKind};
use crate::object::Object;
use crate::scan::list::{ListMeta, ListSplitter};

/// A whole list in the making; nothing reaches the queue before `commit`.
#[derive(Default)]
pub struct Relist {
    objects: Vec<Arc<Object>>,
    /// Of the bodies that it was read from.
    bytes: u64,
}

impl Relist {
    /// Objects so far.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether there are none yet.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Queues the list as the source's whole state.
    pub fn commit(self, source: &Source, resource_version: String) {
        source.replace(resource_version, self.objects);
    }
}

/// Reads the body of one page.
pub struct ListReader {
    body: Body,
    splitter: ListSplitter,
    bytes: u64,
}

impl ListReader {
    /// `chunked`: the body still has its transfer coding.
    pub fn new(source: &Source, chunked: bool) -> Self {
        Self {
            body: Body::new(chunked),
            splitter: ListSplitter::new(source.options.max_object),
            bytes: 0,
        }
    }

    /// Reads on. True when the transfer coding says that the body is complete.
    pub fn feed(
        &mut self,
        source: &Source,
        relist: &mut Relist,
        data: &[u8],
    ) -> Result<bool, ScanError> {
        self.bytes += data.len() as u64;
        relist.bytes += data.len() as u64;
        source.check_list(relist.bytes, self.bytes)?;
        let mut rest = data;
        while let Some(piece) = self.body.next(&mut rest)? {
            let _ = self.splitter.feed(piece, |item| -> Result<_, ScanError> {
                let defaults = item.defaults;
                let Some(object) = source.listed_object(&item.into_view()?, defaults)? else {
                    return Ok(ControlFlow::Continue(()));
                };
                let objects = &mut relist.objects;
                objects.push(object);
                source.learn_from_list(objects.len(), objects.iter_mut(), false);
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(self.body.is_complete())
    }

    /// The end of the body.
    pub fn finish(self) -> Result<ListMeta, ScanError> {
        if !self.body.may_end() {
            let message = "truncated: the connection ended inside a chunked body";
            return Err(ScanError::new(ScanErrorKind::Truncated, message, 0));
        }
        self.splitter.finish()
    }

    /// Items read from this page.
    pub fn items(&self) -> u64 {
        self.splitter.items()
    }
}
