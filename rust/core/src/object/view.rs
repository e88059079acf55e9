//! One pass over the bytes of an object. Invariant: an `ObjectView` exists iff the bytes are UTF-8, their brackets pair up
//! and they are a JSON object with a `metadata` object that has a name; its fields are those that a JSON decoder which
//! takes the last of duplicate keys would see.
use super::build;
use super::fields::last_member;
use super::scanner::Scanner;
use super::spans::{Cut, Fields, Parts, Text, MAX_BYTES};
use super::{Object, TypeMeta};
use crate::error::{Fault, ScanError, ScanErrorKind};
use crate::scan::cursor::is_space;
use crate::scan::text;
use crate::transform::Transform;
use smallvec::SmallVec;
use std::borrow::Cow;

/// A scan of borrowed bytes. Nothing is copied or allocated unless a field holds escapes.
#[derive(Debug, Clone)]
pub struct ObjectView<'a> {
    pub(crate) text: &'a str,
    pub(crate) fields: Fields,
    /// In order of position, not overlapping.
    pub(crate) cuts: SmallVec<[Cut; 4]>,
    /// Where the first member starts that is neither apiVersion nor kind.
    pub(crate) body: u32,
    /// Where the object starts in the stream or body.
    pub(crate) base_offset: u64,
}

impl<'a> ObjectView<'a> {
    /// Scans `bytes`, which hold one object and else only white space. `base_offset` is where they start in the stream or
    /// body: the offset of an error counts from there.
    pub fn scan(bytes: &'a [u8], base_offset: u64) -> Result<Self, ScanError> {
        let start = leading_space(bytes);
        let (view, end) = Self::scan_prefix(&bytes[start..], base_offset + start as u64)?;
        let behind = start + end;
        match bytes[behind..].iter().position(|byte| !is_space(*byte)) {
            None => Ok(view),
            Some(extra) => Err(
                Fault::syntax("unexpected bytes behind the object", behind + extra)
                    .at_base(base_offset),
            ),
        }
    }

    /// Scans the object whose `{` is the first byte of `bytes`; also where it ends. The error's kind is `Truncated` iff
    /// `bytes` end before the object does (or before it can be told that it is broken).
    pub fn scan_prefix(bytes: &'a [u8], base_offset: u64) -> Result<(Self, usize), ScanError> {
        let within = &bytes[..bytes.len().min(MAX_BYTES)];
        let mut scanner = Scanner::new(within);
        let outcome = scanner.object().and_then(|body| {
            let end = scanner.cursor.pos;
            let view = Self {
                text: utf8(&within[..end])?,
                fields: scanner.fields,
                cuts: std::mem::take(&mut scanner.cuts),
                body,
                base_offset,
            };
            view.check_strings()?;
            Ok((view, end))
        });
        outcome.map_err(|fault| {
            let too_large = fault.kind == ScanErrorKind::Truncated && within.len() < bytes.len();
            let mut error = if too_large {
                Fault::new(ScanErrorKind::TooLarge, "object larger than 1 GiB", 0)
                    .at_base(base_offset)
            } else {
                fault.at_base(base_offset)
            };
            error.key = scanner.key_so_far();
            error
        })
    }

    /// The key of an object of which `bytes` are the start, or which is broken: None if what names it does not come before.
    pub(crate) fn key_of_start(bytes: &[u8]) -> Option<String> {
        match ObjectView::scan_prefix(bytes, 0) {
            Ok((view, _)) => Some(view.key()),
            Err(error) => error.key,
        }
    }

    /// The texts that every later reader relies on can be unescaped.
    fn check_strings(&self) -> Result<(), Fault> {
        let meta = &self.fields.meta;
        for text in [
            self.fields.api_version,
            self.fields.kind,
            meta.name,
            meta.namespace,
            meta.uid,
            meta.resource_version,
            meta.deletion_timestamp,
        ] {
            if text.escaped {
                text::unescape(text.span.of(self.text)).map_err(|invalid| {
                    Fault::new(
                        ScanErrorKind::InvalidEscape,
                        "invalid escape in a string",
                        text.span.start as usize + invalid.at,
                    )
                })?;
            }
        }
        Ok(())
    }

    /// The object's own bytes, from `{` to `}`, nothing cut.
    pub fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    /// `apiVersion`, unless the object lacks it or it is empty.
    pub fn api_version(&self) -> Option<Cow<'a, str>> {
        Some(self.string(self.fields.api_version)).filter(|text| !text.is_empty())
    }

    /// `kind`, unless the object lacks it or it is empty.
    pub fn kind(&self) -> Option<Cow<'a, str>> {
        Some(self.string(self.fields.kind)).filter(|text| !text.is_empty())
    }

    /// `metadata.namespace`, "" for a cluster-scoped object.
    pub fn namespace(&self) -> Cow<'a, str> {
        self.string(self.fields.meta.namespace)
    }

    /// `metadata.name`, never empty.
    pub fn name(&self) -> Cow<'a, str> {
        self.string(self.fields.meta.name)
    }

    /// `metadata.uid`, "" when missing.
    pub fn uid(&self) -> Cow<'a, str> {
        self.string(self.fields.meta.uid)
    }

    /// `metadata.resourceVersion`, "" when missing.
    pub fn resource_version(&self) -> Cow<'a, str> {
        self.string(self.fields.meta.resource_version)
    }

    /// `namespace/name`, or `name` alone.
    pub fn key(&self) -> String {
        match self.namespace() {
            namespace if namespace.is_empty() => self.name().into_owned(),
            namespace => format!("{namespace}/{}", self.name()),
        }
    }

    /// The object in memory of its own: see [`Object`] for what becomes of the bytes. apiVersion and kind come from
    /// `defaults` when the object lacks them.
    pub fn to_object(&self, defaults: &TypeMeta, keep_managed_fields: bool) -> Object {
        build::object(self, defaults, keep_managed_fields)
    }

    /// The same, without what `transform` leaves out. The error is a malformed place that the scan did not look at.
    pub fn to_transformed(
        &self,
        transform: &Transform,
        defaults: &TypeMeta,
        keep_managed_fields: bool,
    ) -> Result<Object, ScanError> {
        let (cuts, body) = transform.cuts(self, keep_managed_fields).map_err(|fault| {
            let mut error = fault.at_base(self.base_offset);
            error.key = Some(self.key());
            error
        })?;
        let view = ObjectView {
            cuts,
            body,
            ..self.clone()
        };
        Ok(build::object(&view, defaults, keep_managed_fields))
    }

    /// The value of a label; the last of duplicate keys.
    pub(crate) fn label(&self, name: &str) -> Option<Cow<'_, str>> {
        let labels = self.fields.meta.labels;
        labels.is_present().then_some(())?;
        last_member(labels.of(self.text), name)
    }

    /// Where the parts are that the scan has been through.
    pub(crate) fn parts(&self) -> Parts {
        let Fields {
            metadata,
            spec,
            status,
            meta,
            ..
        } = &self.fields;
        Parts {
            metadata: *metadata,
            labels: meta.labels,
            annotations: meta.annotations,
            owner_references: meta.owner_references,
            spec: *spec,
            status: *status,
        }
    }

    pub(crate) fn string(&self, text: Text) -> Cow<'a, str> {
        let raw = text.span.of(self.text);
        if text.escaped {
            text::unescape(raw).unwrap_or(Cow::Borrowed(raw))
        } else {
            Cow::Borrowed(raw)
        }
    }
}

fn leading_space(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .position(|byte| !is_space(*byte))
        .unwrap_or(bytes.len())
}

/// The bytes as text.
pub(crate) fn utf8(bytes: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(bytes).map_err(|error| {
        Fault::new(
            ScanErrorKind::InvalidUtf8,
            "invalid UTF-8",
            error.valid_up_to(),
        )
    })
}
