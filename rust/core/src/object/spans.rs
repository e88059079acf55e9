//! Where things are in the text of an object. Invariant: a span is absent iff it starts at 0, where the object's own `{` is.
/// Spans are 32 bits wide; what the machinery adds to an object's own bytes has to fit too.
pub(crate) const MAX_BYTES: usize = 1 << 30;

/// A range of bytes; absent iff it starts at 0, where the object's `{` is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub start: u32,
    pub end: u32,
}

impl Span {
    #[inline]
    pub fn new(start: usize, end: usize) -> Self {
        Self {
            start: start as u32,
            end: end as u32,
        }
    }

    #[inline]
    pub fn is_present(self) -> bool {
        self.start != 0
    }

    #[inline]
    pub fn of(self, text: &str) -> &str {
        &text[self.start as usize..self.end as usize]
    }
}

/// The content of a string; absent iff its span is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Text {
    pub span: Span,
    pub escaped: bool,
}

/// A member that `raw` leaves out, with the comma that goes with it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    pub start: u32,
    pub end: u32,
    /// `managedFields`, which can be kept, and not apiVersion or kind, which move to the front.
    pub managed: bool,
}

/// What the machinery wants to know of an object.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Fields {
    pub api_version: Text,
    pub kind: Text,
    pub metadata: Span,
    pub spec: Span,
    pub status: Span,
    pub meta: MetaFields,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct MetaFields {
    pub name: Text,
    pub namespace: Text,
    pub uid: Text,
    pub resource_version: Text,
    pub deletion_timestamp: Text,
    pub generation: Span,
    pub labels: Span,
    pub annotations: Span,
    pub owner_references: Span,
    pub finalizers: Span,
}
