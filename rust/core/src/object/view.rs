//! One pass over the bytes of an object. Invariant: an `ObjectView` exists iff the bytes are UTF-8, their brackets pair up
//! and they are a JSON object with a `metadata` object that has a name; its fields are those that a JSON decoder which
//! takes the last of duplicate keys would see.
use super::build;
use super::{Object, TypeMeta};
use crate::error::{Fault, ScanError, ScanErrorKind};
use crate::scan::cursor::{Cursor, Token};
use crate::scan::text;
use smallvec::SmallVec;
use std::borrow::Cow;

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

/// A scan of borrowed bytes. Nothing is copied or allocated unless a field holds escapes.
#[derive(Debug, Clone)]
pub struct ObjectView<'a> {
    pub(crate) text: &'a str,
    pub(crate) fields: Fields,
    /// In order of position, not overlapping.
    pub(crate) cuts: SmallVec<[Cut; 4]>,
    /// Where the first member starts that is neither apiVersion nor kind.
    pub(crate) body: u32,
}

impl<'a> ObjectView<'a> {
    /// Scans `bytes`, which hold one object and else only white space. `base_offset` is where they start in the stream or
    /// body: the offset of an error counts from there.
    pub fn scan(bytes: &'a [u8], base_offset: u64) -> Result<Self, ScanError> {
        let start = leading_space(bytes);
        let (view, end) = Self::scan_prefix(&bytes[start..], base_offset + start as u64)?;
        let behind = start + end;
        match bytes[behind..]
            .iter()
            .position(|byte| !byte.is_ascii_whitespace())
        {
            None => Ok(view),
            Some(extra) => Err(
                Fault::syntax("unexpected bytes behind the object", behind + extra)
                    .at_base(base_offset),
            ),
        }
    }

    /// Scans the object that starts with the first byte of `bytes`; also where it ends. The error's kind is `Truncated` iff
    /// `bytes` end before the object does.
    pub fn scan_prefix(bytes: &'a [u8], base_offset: u64) -> Result<(Self, usize), ScanError> {
        // Scanning past the limit is harmless, for nothing is kept before the end is known.
        let mut scanner = Scanner {
            cursor: Cursor::new(bytes, 0),
            fields: Fields::default(),
            cuts: SmallVec::new(),
        };
        let outcome = scanner.object().and_then(|body| {
            let end = scanner.cursor.pos;
            if end > MAX_BYTES {
                return Err(Fault::new(
                    ScanErrorKind::TooLarge,
                    "object larger than 1 GiB",
                    0,
                ));
            }
            let text = utf8(&bytes[..end])?;
            let view = Self {
                text,
                fields: scanner.fields,
                cuts: std::mem::take(&mut scanner.cuts),
                body,
            };
            view.check_strings()?;
            Ok((view, end))
        });
        outcome.map_err(|fault| {
            let mut error = fault.at_base(base_offset);
            error.key = scanner.key_so_far();
            error
        })
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
        .position(|byte| !matches!(byte, b' ' | b'\n' | b'\r' | b'\t'))
        .unwrap_or(bytes.len())
}

/// The bytes as text. Kubernetes objects are nearly always ASCII, which is told much faster.
pub(crate) fn utf8(bytes: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(bytes).map_err(|error| {
        Fault::new(
            ScanErrorKind::InvalidUtf8,
            "invalid UTF-8",
            error.valid_up_to(),
        )
    })
}

struct Scanner<'a> {
    cursor: Cursor<'a>,
    fields: Fields,
    cuts: SmallVec<[Cut; 4]>,
}

/// Collects the members to leave out of one object.
struct Members {
    /// Whether a member that stays has been seen.
    kept: bool,
    /// Where the member before ends.
    before: usize,
    /// Cuts up to the next member, for lack of a member before them; their end is not known yet.
    open: Option<usize>,
}

impl Members {
    fn new(start: usize) -> Self {
        Self {
            kept: false,
            before: start,
            open: None,
        }
    }
}

impl Scanner<'_> {
    /// The object; where the first member that stays in place starts.
    fn object(&mut self) -> Result<u32, Fault> {
        match self.cursor.peek() {
            Ok(b'{') => self.cursor.pos += 1,
            Ok(_) => {
                return Err(Fault::new(
                    ScanErrorKind::NotAnObject,
                    "not a JSON object",
                    self.cursor.pos,
                ))
            }
            Err(fault) => return Err(fault),
        }
        let mut first = true;
        let mut members = Members::new(self.cursor.pos);
        let mut body = 0;
        while let Some(key) = self.cursor.next_key(&mut first)? {
            let name = self.cursor.key(key);
            let stays = match &*name {
                b"apiVersion" => {
                    self.fields.api_version = self.text("apiVersion is not a string")?;
                    false
                }
                b"kind" => {
                    self.fields.kind = self.text("kind is not a string")?;
                    false
                }
                b"metadata" => {
                    self.metadata()?;
                    true
                }
                b"spec" => {
                    self.fields.spec = self.container()?;
                    true
                }
                b"status" => {
                    self.fields.status = self.container()?;
                    true
                }
                _ => {
                    self.cursor.skip_value()?;
                    true
                }
            };
            if stays && !members.kept {
                members.kept = true;
                body = key.start as u32 - 1;
            } else if !stays && members.kept {
                self.cut(members.before, self.cursor.pos, false);
            }
            members.before = self.cursor.pos;
        }
        if !self.fields.metadata.is_present() {
            return Err(Fault::new(
                ScanErrorKind::MissingMetadata,
                "object without metadata",
                0,
            ));
        }
        if self.fields.meta.name.span.start == self.fields.meta.name.span.end {
            let at = self.fields.metadata.start as usize;
            return Err(Fault::new(
                ScanErrorKind::MissingName,
                "object without metadata.name",
                at,
            ));
        }
        Ok(body)
    }

    fn metadata(&mut self) -> Result<(), Fault> {
        let start = self.cursor.pos;
        // The last of duplicates wins, with all that is in it.
        self.fields.meta = MetaFields::default();
        self.fields.metadata = Span::default();
        if self.cursor.peek()? != b'{' {
            let (at, _) = self.cursor.skip_value()?;
            return Err(Fault::new(
                ScanErrorKind::MissingMetadata,
                "metadata is not an object",
                at,
            ));
        }
        self.cursor.pos += 1;
        let mut first = true;
        let mut members = Members::new(self.cursor.pos);
        while let Some(key) = self.cursor.next_key(&mut first)? {
            if let Some(open) = members.open.take() {
                self.cut(open, key.start - 1, true);
            }
            let name = self.cursor.key(key);
            let managed = &*name == b"managedFields";
            match &*name {
                b"name" => self.fields.meta.name = self.text("metadata.name is not a string")?,
                b"namespace" => {
                    self.fields.meta.namespace = self.text("metadata.namespace is not a string")?
                }
                b"uid" => self.fields.meta.uid = self.text("metadata.uid is not a string")?,
                b"resourceVersion" => {
                    self.fields.meta.resource_version =
                        self.text("metadata.resourceVersion is not a string")?;
                }
                b"deletionTimestamp" => {
                    self.fields.meta.deletion_timestamp =
                        self.text("metadata.deletionTimestamp is not a string")?;
                }
                b"generation" => {
                    let (start, end) = self.cursor.skip_value()?;
                    self.fields.meta.generation = Span::new(start, end);
                }
                b"labels" => self.fields.meta.labels = self.container()?,
                b"annotations" => self.fields.meta.annotations = self.container()?,
                b"ownerReferences" => self.fields.meta.owner_references = self.container()?,
                b"finalizers" => self.fields.meta.finalizers = self.container()?,
                _ => {
                    self.cursor.skip_value()?;
                }
            }
            if !managed {
                members.kept = true;
            } else if members.kept {
                self.cut(members.before, self.cursor.pos, true);
            } else {
                members.open = Some(key.start - 1);
            }
            members.before = self.cursor.pos;
        }
        if let Some(open) = members.open {
            self.cut(open, members.before, true);
        }
        self.fields.metadata = Span::new(start, self.cursor.pos);
        Ok(())
    }

    fn cut(&mut self, start: usize, end: usize, managed: bool) {
        self.cuts.push(Cut {
            start: start as u32,
            end: end as u32,
            managed,
        });
    }

    /// A string; `null` counts as missing.
    #[inline]
    fn text(&mut self, what: &'static str) -> Result<Text, Fault> {
        if self.cursor.peek()? == b'"' {
            let Token {
                start,
                end,
                escaped,
            } = self.cursor.string()?;
            return Ok(Text {
                span: Span::new(start, end),
                escaped,
            });
        }
        let null = self.cursor.peek()? == b'n';
        let (at, _) = self.cursor.skip_value()?;
        if null {
            return Ok(Text::default());
        }
        Err(Fault::new(ScanErrorKind::WrongType, what, at))
    }

    /// An object or array; absent if the value is anything else.
    #[inline]
    fn container(&mut self) -> Result<Span, Fault> {
        let first = self.cursor.peek()?;
        let (start, end) = self.cursor.skip_value()?;
        Ok(if matches!(first, b'{' | b'[') {
            Span::new(start, end)
        } else {
            Span::default()
        })
    }

    /// The key as far as it was read when an error came up.
    fn key_so_far(&self) -> Option<String> {
        let meta = &self.fields.meta;
        let part = |text: Text| {
            let raw = self.cursor.raw(Token {
                start: text.span.start as usize,
                end: text.span.end as usize,
                escaped: text.escaped,
            });
            String::from_utf8_lossy(raw).into_owned()
        };
        let name = part(meta.name);
        if name.is_empty() {
            return None;
        }
        let namespace = part(meta.namespace);
        Some(if namespace.is_empty() {
            name
        } else {
            format!("{namespace}/{name}")
        })
    }
}
