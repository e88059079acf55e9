//! The walk over the members of an object and of its metadata. Invariant: it looks at each member once, skips what it does
//! not know, and what it has noted at the end is what the last of duplicate keys says.
use super::spans::{Cut, Fields, MetaFields, Span, Text};
use crate::error::{Fault, ScanErrorKind};
use crate::scan::cursor::{Cursor, Token};
use smallvec::SmallVec;

pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    pub cursor: Cursor<'a>,
    pub fields: Fields,
    /// In order of position, not overlapping.
    pub cuts: SmallVec<[Cut; 4]>,
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

impl<'a> Scanner<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            cursor: Cursor::new(bytes, 0),
            fields: Fields::default(),
            cuts: SmallVec::new(),
        }
    }

    /// The object; where the first member that stays in place starts.
    pub fn object(&mut self) -> Result<u32, Fault> {
        match self.bytes.first() {
            Some(b'{') => self.cursor.pos = 1,
            Some(_) => {
                return Err(Fault::new(
                    ScanErrorKind::NotAnObject,
                    "not a JSON object",
                    0,
                ))
            }
            None => return Err(Fault::truncated(0)),
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
                    self.fields.meta.namespace = self.text("metadata.namespace is not a string")?;
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
        let (at, end) = self.cursor.skip_value()?;
        if self.cursor.raw(Token {
            start: at,
            end,
            escaped: false,
        }) == b"null"
        {
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
    pub fn key_so_far(&self) -> Option<String> {
        let part = |text: Text| {
            let raw = self
                .bytes
                .get(text.span.start as usize..text.span.end as usize);
            String::from_utf8_lossy(raw.unwrap_or_default())
        };
        let (namespace, name) = (
            part(self.fields.meta.namespace),
            part(self.fields.meta.name),
        );
        if name.is_empty() {
            return None;
        }
        Some(if namespace.is_empty() {
            name.into_owned()
        } else {
            format!("{namespace}/{name}")
        })
    }
}
