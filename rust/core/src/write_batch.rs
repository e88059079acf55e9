//! `WriteBatch`: what one store write does, with the index values worked out before any lock is taken.
//!
//! Text and spans of all operations share two allocations, so that a batch of a thousand objects with three indices
//! costs no allocation per object.

use std::ops::Range;
use std::sync::Arc;

use crate::keyed::Keyed;
use crate::queue::SourceId;

/// Names a key by an object that has it, or by its text when only that is known.
#[derive(Debug)]
pub enum Key<T> {
    Of(Arc<T>),
    Text(Arc<str>),
}

impl<T: Keyed> Key<T> {
    pub fn as_str(&self) -> &str {
        match self {
            Self::Of(object) => object.key(),
            Self::Text(text) => text,
        }
    }
}

impl<T> Clone for Key<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Of(object) => Self::Of(Arc::clone(object)),
            Self::Text(text) => Self::Text(Arc::clone(text)),
        }
    }
}

pub(crate) enum Op<T> {
    Put { object: Arc<T>, source: SourceId, values: Range<u32> },
    Delete { key: Key<T> },
}

#[derive(Clone, Copy)]
pub(crate) struct Span {
    pub index: u16,
    pub start: u32,
    pub end: u32,
}

/// Operations in order; see the module.
pub struct WriteBatch<T> {
    pub(crate) ops: Vec<Op<T>>,
    spans: Vec<Span>,
    text: String,
}

impl<T> Default for WriteBatch<T> {
    fn default() -> Self {
        Self { ops: Vec::new(), spans: Vec::new(), text: String::new() }
    }
}

impl<T: Keyed> WriteBatch<T> {
    pub fn with_capacity(ops: usize) -> Self {
        Self { ops: Vec::with_capacity(ops), ..Self::default() }
    }

    pub fn len(&self) -> usize {
        self.ops.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// Adds or overwrites. `values` receives a sink that takes (index number, value); equal values of one index
    /// count once (client-go §14).
    pub fn put(&mut self, object: Arc<T>, source: SourceId, values: impl FnOnce(&T, &mut dyn FnMut(u16, &str))) {
        let start = self.spans.len();
        let (spans, text) = (&mut self.spans, &mut self.text);
        values(&object, &mut |index, value| {
            let seen = spans[start..].iter().any(|span| {
                span.index == index && &text[span.start as usize..span.end as usize] == value
            });
            if !seen {
                let at = text.len() as u32;
                text.push_str(value);
                spans.push(Span { index, start: at, end: text.len() as u32 });
            }
        });
        let values = start as u32..self.spans.len() as u32;
        self.ops.push(Op::Put { object, source, values });
    }

    pub fn delete(&mut self, key: Key<T>) {
        self.ops.push(Op::Delete { key });
    }

    /// The objects put, in order.
    pub fn puts(&self) -> impl Iterator<Item = &Arc<T>> {
        self.ops.iter().filter_map(|op| match op {
            Op::Put { object, .. } => Some(object),
            Op::Delete { .. } => None,
        })
    }

    pub fn clear(&mut self) {
        self.ops.clear();
        self.spans.clear();
        self.text.clear();
    }

    pub(crate) fn spans(&self, range: &Range<u32>) -> &[Span] {
        &self.spans[range.start as usize..range.end as usize]
    }

    pub(crate) fn text(&self, span: Span) -> &str {
        &self.text[span.start as usize..span.end as usize]
    }
}
