//! A Kubernetes object as the cache keeps it: its bytes and where the interesting fields are. Invariant: `raw` is a JSON
//! object that begins with `{"apiVersion":…,"kind":…`, in which `metadata.managedFields` was cut (unless it was to be
//! kept) and everything else is as the server sent it; it is the same whether the object came by LIST, WATCH or
//! watch-list.
mod build;
mod compressed;
mod dictionary;
mod fields;
mod made;
mod meta;
mod plain;
mod scanner;
pub(crate) mod spans;
pub(crate) mod view;

pub use dictionary::Dictionary;
pub use fields::{Members, OwnerReference, OwnerReferences, Strings};
pub use made::NotSameError;
pub(crate) use meta::string_member;
pub use meta::{resource_version_of, scan_bookmark, Bookmark};
pub use plain::Plain;
pub use view::ObjectView;

use crate::error::ScanError;
use compressed::Compressed;
use spans::Span;
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// apiVersion and kind, for an object that does not name them itself (an item of a list of a built-in type).
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct TypeMeta {
    /// `group/version`, or `version` alone for the core group.
    pub api_version: String,
    /// The kind of one object, without `List`.
    pub kind: String,
}

impl TypeMeta {
    /// A pair of both.
    pub fn new(api_version: impl Into<String>, kind: impl Into<String>) -> Self {
        Self {
            api_version: api_version.into(),
            kind: kind.into(),
        }
    }
}

/// Texts that are read without a look at the rest of the object; absent ones start at 0.
#[derive(Debug, Clone, Copy)]
struct Texts {
    api_version: Span,
    kind: Span,
    uid: Span,
    resource_version: Span,
    deletion_timestamp: Span,
    generation: Span,
    /// JSON.
    labels: Span,
}

/// Where the large parts of the JSON are in it; absent ones start at 0.
#[derive(Debug, Clone, Copy)]
struct Sections {
    metadata: Span,
    spec: Span,
    status: Span,
    annotations: Span,
    owner_references: Span,
}

/// Where the JSON is.
enum Body {
    /// At the beginning of the object's text, before the key.
    Plain(Sections),
    Compressed(Compressed),
}

/// An immutable object; `Arc<Object>` is the handle that everything shares. What an object tells by itself is read at
/// once, compressed or not; the rest is read from what [`Object::plain`] gives.
pub struct Object {
    /// The JSON, unless it is compressed; the key; of the [`Texts`] those that had to be unescaped, and all of them where
    /// the JSON is compressed; the hash of what it was made of: one allocation of exactly that size.
    text: Box<str>,
    key_at: u32,
    namespace_len: u32,
    key_len: u32,
    /// Length of the JSON of which a function made this object, whose hash is then at the end of `text`; 0 = as read.
    source_len: u32,
    key_hash: u64,
    texts: Texts,
    body: Body,
}

impl Object {
    fn from_parts(
        text: String,
        raw_len: u32,
        namespace_len: u32,
        (key_hash, key_len): (u64, u32),
        texts: Texts,
        sections: Sections,
    ) -> Self {
        debug_assert_eq!(
            text.len(),
            text.capacity(),
            "the text of an object is allocated once"
        );
        Self {
            key_hash,
            text: text.into_boxed_str(),
            key_at: raw_len,
            namespace_len,
            key_len,
            source_len: 0,
            texts,
            body: Body::Plain(sections),
        }
    }

    /// Scans and copies in one go; see [`ObjectView::scan`] and [`ObjectView::to_object`].
    pub fn parse(
        bytes: &[u8],
        defaults: &TypeMeta,
        keep_managed_fields: bool,
    ) -> Result<Self, ScanError> {
        Ok(ObjectView::scan(bytes, 0)?.to_object(defaults, keep_managed_fields))
    }

    #[inline]
    fn part(&self, span: Span) -> &str {
        span.of(&self.text)
    }

    fn present(&self, span: Span) -> Option<&str> {
        span.is_present().then(|| self.part(span))
    }

    /// `namespace/name`, or `name` for a cluster-scoped object.
    #[inline]
    pub fn key(&self) -> &str {
        &self.text[self.key_at as usize..(self.key_at + self.key_len) as usize]
    }

    /// The hash of the key, worked out once.
    pub fn key_hash(&self) -> u64 {
        self.key_hash
    }

    /// `metadata.namespace`, "" for a cluster-scoped object.
    #[inline]
    pub fn namespace(&self) -> &str {
        &self.key()[..self.namespace_len as usize]
    }

    /// `metadata.name`.
    #[inline]
    pub fn name(&self) -> &str {
        let separator = u32::from(self.namespace_len != 0);
        &self.key()[(self.namespace_len + separator) as usize..]
    }

    /// `metadata.uid`, "" when missing.
    #[inline]
    pub fn uid(&self) -> &str {
        self.part(self.texts.uid)
    }

    /// `metadata.resourceVersion`, "" when missing.
    #[inline]
    pub fn resource_version(&self) -> &str {
        self.part(self.texts.resource_version)
    }

    /// `apiVersion`: the object's own or the default it was built with.
    #[inline]
    pub fn api_version(&self) -> &str {
        self.part(self.texts.api_version)
    }

    /// `kind`: the object's own or the default it was built with.
    #[inline]
    pub fn kind(&self) -> &str {
        self.part(self.texts.kind)
    }

    /// `metadata.generation`, if it is an integer.
    pub fn generation(&self) -> Option<i64> {
        self.present(self.texts.generation)?.parse().ok()
    }

    /// `metadata.deletionTimestamp`, if the object is being deleted.
    pub fn deletion_timestamp(&self) -> Option<&str> {
        self.present(self.texts.deletion_timestamp)
    }

    /// The labels in the order of the JSON, without escapes. Duplicate keys come out as often as they occur; members whose
    /// value is no string do not.
    pub fn labels(&self) -> Members<'_> {
        Members::new(self.present(self.texts.labels))
    }

    /// The value of a label; the last of duplicate keys.
    pub fn label(&self, name: &str) -> Option<Cow<'_, str>> {
        fields::last_member(self.present(self.texts.labels)?, name)
    }

    /// Bytes on the heap, the `Arc` around it included, without the allocator's own and what objects share.
    pub fn heap_size(&self) -> usize {
        const COUNTERS: usize = 2 * size_of::<usize>();
        let compressed = match &self.body {
            Body::Plain(_) => 0,
            Body::Compressed(compressed) => compressed.len(),
        };
        self.text.len() + compressed + size_of::<Self>() + COUNTERS
    }
}

impl fmt::Debug for Object {
    /// Kind, key and version; content may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Object({} {} @{})",
            self.kind(),
            self.key(),
            self.resource_version()
        )
    }
}

/// Objects as one JSON array.
pub fn json_array(objects: &[Arc<Object>]) -> Vec<u8> {
    json_piece(objects, 0..objects.len())
}

/// The part of that array with the objects at these places: all parts in a row are the array.
pub fn json_piece(objects: &[Arc<Object>], places: Range<usize>) -> Vec<u8> {
    let piece = &objects[places.clone()];
    let bytes: usize = piece.iter().map(|object| object.raw_len() + 1).sum();
    let mut json = Vec::with_capacity(bytes + 2);
    if places.start == 0 {
        json.push(b'[');
    }
    for (place, object) in places.clone().zip(piece) {
        if place > 0 {
            json.push(b',');
        }
        json.extend_from_slice(object.plain().raw());
    }
    if places.end == objects.len() {
        json.push(b']');
    }
    json
}

#[cfg(test)]
mod tests;
