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

/// A part of an object of which a scan notes where it is, if it is an object or an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Metadata,
    Labels,
    Annotations,
    OwnerReferences,
    Spec,
    Status,
}

impl Part {
    /// The part under a key of the object.
    pub fn of_object(key: &str) -> Option<Self> {
        match key {
            "metadata" => Some(Self::Metadata),
            "spec" => Some(Self::Spec),
            "status" => Some(Self::Status),
            _ => None,
        }
    }

    /// The part under a key of `metadata`.
    pub fn of_metadata(key: &str) -> Option<Self> {
        match key {
            "labels" => Some(Self::Labels),
            "annotations" => Some(Self::Annotations),
            "ownerReferences" => Some(Self::OwnerReferences),
            _ => None,
        }
    }
}

/// Where the parts of one object are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts {
    pub metadata: Span,
    pub labels: Span,
    pub annotations: Span,
    pub owner_references: Span,
    pub spec: Span,
    pub status: Span,
}

impl Parts {
    #[inline]
    pub fn span(&self, part: Part) -> Span {
        match part {
            Part::Metadata => self.metadata,
            Part::Labels => self.labels,
            Part::Annotations => self.annotations,
            Part::OwnerReferences => self.owner_references,
            Part::Spec => self.spec,
            Part::Status => self.status,
        }
    }

    /// Where the part ends that starts at `start`, if one does.
    #[inline]
    pub fn end_of(&self, start: usize) -> Option<usize> {
        let spans = [
            self.metadata,
            self.labels,
            self.annotations,
            self.owner_references,
            self.spec,
            self.status,
        ];
        let start = start as u32;
        let found = spans.iter().find(|span| span.start == start);
        found.map(|span| span.end as usize)
    }
}
