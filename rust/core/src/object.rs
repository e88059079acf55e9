//! A Kubernetes object as the cache keeps it: its bytes and where the interesting fields are. Invariant: `raw` is a JSON
//! object that begins with `{"apiVersion":…,"kind":…`, in which `metadata.managedFields` was cut (unless it was to be
//! kept) and everything else is as the server sent it; it is the same whether the object came by LIST, WATCH or
//! watch-list.
mod build;
mod fields;
mod made;
mod meta;
mod scanner;
pub(crate) mod spans;
pub(crate) mod view;

pub use fields::{Members, OwnerReference, OwnerReferences, Strings};
pub use made::NotSameError;
pub(crate) use meta::string_member;
pub use meta::{resource_version_of, scan_bookmark, Bookmark};
pub use view::ObjectView;

use crate::error::ScanError;
use crate::hashing::hash;
use build::Spans;
use spans::Span;
use std::borrow::Cow;
use std::fmt;
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

/// An immutable object; `Arc<Object>` is the handle that everything shares.
pub struct Object {
    /// `raw`, then the key, then those texts that had to be unescaped, then the hash of what it was made of: one
    /// allocation of exactly that size.
    text: Box<str>,
    raw_len: u32,
    namespace_len: u32,
    key_len: u32,
    /// Length of the JSON of which a function made this object, whose hash is then at the end of `text`; 0 = as read.
    source_len: u32,
    key_hash: u64,
    spans: Spans,
}

impl Object {
    fn from_parts(
        text: String,
        raw_len: u32,
        namespace_len: u32,
        key_len: u32,
        spans: Spans,
    ) -> Self {
        debug_assert_eq!(
            text.len(),
            text.capacity(),
            "the text of an object is allocated once"
        );
        let key = &text[raw_len as usize..(raw_len + key_len) as usize];
        Self {
            key_hash: hash(key),
            text: text.into_boxed_str(),
            raw_len,
            namespace_len,
            key_len,
            source_len: 0,
            spans,
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

    /// The one place that reaches into the bytes.
    #[inline]
    fn text(&self) -> &str {
        &self.text
    }

    #[inline]
    fn part(&self, span: Span) -> &str {
        span.of(self.text())
    }

    fn present(&self, span: Span) -> Option<&str> {
        span.is_present().then(|| self.part(span))
    }

    /// `namespace/name`, or `name` for a cluster-scoped object.
    #[inline]
    pub fn key(&self) -> &str {
        &self.text()[self.raw_len as usize..(self.raw_len + self.key_len) as usize]
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
        self.part(self.spans.uid)
    }

    /// `metadata.resourceVersion`, "" when missing.
    #[inline]
    pub fn resource_version(&self) -> &str {
        self.part(self.spans.resource_version)
    }

    /// The object as JSON.
    #[inline]
    pub fn raw(&self) -> &[u8] {
        self.json().as_bytes()
    }

    /// The object as JSON text.
    #[inline]
    pub fn json(&self) -> &str {
        &self.text()[..self.raw_len as usize]
    }

    /// `apiVersion`: the object's own or the default it was built with.
    #[inline]
    pub fn api_version(&self) -> &str {
        self.part(self.spans.api_version)
    }

    /// `kind`: the object's own or the default it was built with.
    #[inline]
    pub fn kind(&self) -> &str {
        self.part(self.spans.kind)
    }

    /// The JSON of `metadata`.
    #[inline]
    pub fn metadata(&self) -> &[u8] {
        self.part(self.spans.metadata).as_bytes()
    }

    /// `metadata.generation`, if it is an integer.
    pub fn generation(&self) -> Option<i64> {
        self.present(self.spans.generation)?.parse().ok()
    }

    /// `metadata.deletionTimestamp`, if the object is being deleted.
    pub fn deletion_timestamp(&self) -> Option<&str> {
        self.present(self.spans.deletion_timestamp)
    }

    /// The labels in the order of the JSON, without escapes. Duplicate keys come out as often as they occur; members whose
    /// value is no string do not.
    pub fn labels(&self) -> Members<'_> {
        Members::new(self.present(self.spans.labels))
    }

    /// The annotations, as [`Object::labels`].
    pub fn annotations(&self) -> Members<'_> {
        Members::new(self.present(self.spans.annotations))
    }

    /// The value of a label; the last of duplicate keys.
    pub fn label(&self, name: &str) -> Option<Cow<'_, str>> {
        fields::last_member(self.present(self.spans.labels)?, name)
    }

    /// The value of an annotation; the last of duplicate keys.
    pub fn annotation(&self, name: &str) -> Option<Cow<'_, str>> {
        fields::last_member(self.present(self.spans.annotations)?, name)
    }

    /// The strings of `metadata.finalizers`.
    pub fn finalizers(&self) -> Strings<'_> {
        Strings::new(self.present(self.spans.finalizers))
    }

    /// The JSON of `metadata.ownerReferences`.
    pub fn owner_references_json(&self) -> Option<&[u8]> {
        self.present(self.spans.owner_references).map(str::as_bytes)
    }

    /// The entries of `metadata.ownerReferences`.
    pub fn owner_references(&self) -> OwnerReferences<'_> {
        OwnerReferences::new(self.present(self.spans.owner_references))
    }

    /// The owner whose `controller` is true.
    pub fn controller_owner(&self) -> Option<OwnerReference<'_>> {
        self.owner_references().find(|owner| owner.controller)
    }

    /// The JSON of the value of a top-level key; the last of duplicate keys.
    pub fn section(&self, key: &str) -> Option<&[u8]> {
        match key {
            "metadata" => return Some(self.metadata()),
            "spec" if self.spans.spec.is_present() => {
                return Some(self.part(self.spans.spec).as_bytes())
            }
            "status" if self.spans.status.is_present() => {
                return Some(self.part(self.spans.status).as_bytes())
            }
            _ => {}
        }
        fields::top_level(self, key).map(str::as_bytes)
    }

    /// Where a container ends that starts at `start`, if it is one that the scan has been through: `metadata`, `spec`,
    /// `status` and members of `metadata`.
    #[inline]
    pub(crate) fn known_end(&self, start: usize) -> Option<usize> {
        let spans = &self.spans;
        let inside = [
            spans.labels,
            spans.annotations,
            spans.owner_references,
            spans.finalizers,
        ];
        let outside = [spans.metadata, spans.spec, spans.status];
        let in_metadata = (spans.metadata.start + 1..spans.metadata.end).contains(&(start as u32));
        let known = if in_metadata {
            &inside[..]
        } else {
            &outside[..]
        };
        known
            .iter()
            .find(|span| span.start as usize == start)
            .map(|span| span.end as usize)
    }

    /// Bytes on the heap, the `Arc` around it included, without the allocator's own.
    pub fn heap_size(&self) -> usize {
        const COUNTERS: usize = 2 * size_of::<usize>();
        self.text.len() + size_of::<Self>() + COUNTERS
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
    let bytes: usize = objects.iter().map(|object| object.raw().len() + 1).sum();
    let mut json = Vec::with_capacity(bytes + 2);
    json.push(b'[');
    for (place, object) in objects.iter().enumerate() {
        if place > 0 {
            json.push(b',');
        }
        json.extend_from_slice(object.raw());
    }
    json.push(b']');
    json
}

#[cfg(test)]
mod tests;
