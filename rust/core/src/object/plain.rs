//! `Plain`: an object whose JSON can be read. Invariant: `Plain` exists iff its object's body is plain; what it gives is the
//! same for an object and for what was compressed of it.
use super::spans::{Part, Parts};
use super::{fields, Body, Members, Object, OwnerReference, OwnerReferences, Sections, Strings};
use crate::path::{Path, Segment};
use std::borrow::Cow;
use std::ops::Deref;

/// An object with its JSON at hand: the object itself, or its copy if it is compressed.
#[derive(Debug)]
pub enum Plain<'o> {
    /// An object that is not compressed.
    Borrowed(&'o Object),
    /// What was decompressed.
    Owned(Object),
}

impl Deref for Plain<'_> {
    type Target = Object;

    #[inline]
    fn deref(&self) -> &Object {
        match self {
            Self::Borrowed(object) => object,
            Self::Owned(object) => object,
        }
    }
}

impl Object {
    /// The object with its JSON: costs nothing unless it is compressed, and then about a microsecond a kilobyte.
    #[inline]
    pub fn plain(&self) -> Plain<'_> {
        self.decompressed().unwrap_or(Plain::Borrowed(self))
    }

    /// The same if it is compressed: a copy that stands for itself.
    #[inline]
    pub fn decompressed(&self) -> Option<Plain<'static>> {
        match &self.body {
            Body::Plain(_) => None,
            Body::Compressed(compressed) => Some(Plain::Owned(compressed.decompress(self))),
        }
    }

    /// The same, of an object that nobody else needs.
    pub fn into_plain(self) -> Plain<'static> {
        self.decompressed().unwrap_or(Plain::Owned(self))
    }
}

impl<'o> Plain<'o> {
    /// The JSON for as long as the object is there, unless it was decompressed.
    pub fn stored_json(&self) -> Option<&'o str> {
        match self {
            Self::Borrowed(object) => Some(&object.text[..object.key_at as usize]),
            Self::Owned(_) => None,
        }
    }
}

impl Plain<'_> {
    #[inline]
    fn sections(&self) -> &Sections {
        match &self.body {
            Body::Plain(sections) => sections,
            Body::Compressed(_) => unreachable!("it was decompressed"),
        }
    }

    /// The object as JSON.
    #[inline]
    pub fn raw(&self) -> &[u8] {
        self.json().as_bytes()
    }

    /// The object as JSON text.
    #[inline]
    pub fn json(&self) -> &str {
        &self.text[..self.key_at as usize]
    }

    /// The JSON of `metadata`.
    #[inline]
    pub fn metadata(&self) -> &[u8] {
        self.part(self.sections().metadata).as_bytes()
    }

    /// The annotations, as [`Object::labels`].
    pub fn annotations(&self) -> Members<'_> {
        Members::new(self.present(self.sections().annotations))
    }

    /// The value of an annotation; the last of duplicate keys.
    pub fn annotation(&self, name: &str) -> Option<Cow<'_, str>> {
        fields::last_member(self.present(self.sections().annotations)?, name)
    }

    /// The strings of `metadata.finalizers`.
    pub fn finalizers(&self) -> Strings<'_> {
        Strings::new(fields::last_value(
            self.part(self.sections().metadata),
            "finalizers",
        ))
    }

    /// The JSON of `metadata.ownerReferences`.
    pub fn owner_references_json(&self) -> Option<&[u8]> {
        self.present(self.sections().owner_references)
            .map(str::as_bytes)
    }

    /// The entries of `metadata.ownerReferences`.
    pub fn owner_references(&self) -> OwnerReferences<'_> {
        OwnerReferences::new(self.present(self.sections().owner_references))
    }

    /// The owner whose `controller` is true.
    pub fn controller_owner(&self) -> Option<OwnerReference<'_>> {
        self.owner_references().find(|owner| owner.controller)
    }

    /// The JSON of the value of a top-level key; the last of duplicate keys.
    pub fn section(&self, key: &str) -> Option<&[u8]> {
        match key {
            "metadata" => return Some(self.metadata()),
            "spec" if self.sections().spec.is_present() => {
                return Some(self.part(self.sections().spec).as_bytes())
            }
            "status" if self.sections().status.is_present() => {
                return Some(self.part(self.sections().status).as_bytes())
            }
            _ => {}
        }
        fields::top_level(self, key).map(str::as_bytes)
    }

    /// The JSON of the deepest value on the way of a path that the scan has been through, and whether the path ends there.
    pub(crate) fn scanned(&self, path: &Path) -> Option<(&str, bool)> {
        let key = |at: usize| match path.segments().get(at) {
            Some(Segment::Key(key)) => Some(&**key),
            _ => None,
        };
        let (part, depth) = match Part::of_object(key(0)?)? {
            Part::Metadata => (Part::of_metadata(key(1)?)?, 2),
            part => (part, 1),
        };
        let exact = path.segments().len() == depth;
        Some((self.present(self.parts().span(part))?, exact))
    }

    /// Where the parts are that the scan has been through.
    #[inline]
    pub(crate) fn parts(&self) -> Parts {
        let sections = self.sections();
        Parts {
            metadata: sections.metadata,
            labels: self.texts.labels,
            annotations: sections.annotations,
            owner_references: sections.owner_references,
            spec: sections.spec,
            status: sections.status,
        }
    }
}
