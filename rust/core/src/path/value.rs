//! What a path leads to. Invariant: a `JsonValue` is the exact text of one JSON value, without white space around it.
use crate::scan::text;
use std::borrow::Cow;

/// The type of a JSON value, by its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JsonKind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

/// The text of a JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonValue<'a> {
    text: &'a str,
}

impl<'a> JsonValue<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text }
    }

    /// The text as it stands in the document.
    pub fn text(self) -> &'a str {
        self.text
    }

    /// The type.
    pub fn kind(self) -> JsonKind {
        match self.text.as_bytes().first() {
            Some(b'"') => JsonKind::String,
            Some(b'{') => JsonKind::Object,
            Some(b'[') => JsonKind::Array,
            Some(b't' | b'f') => JsonKind::Bool,
            Some(b'n') | None => JsonKind::Null,
            Some(_) => JsonKind::Number,
        }
    }

    /// The content of a string, without escapes; none for other types and for escapes that JSON does not know.
    pub fn as_str(self) -> Option<Cow<'a, str>> {
        let content = self.text.strip_prefix('"')?.strip_suffix('"')?;
        text::unescape(content).ok()
    }

    /// The value as an index has it: strings without escapes, `true`, `false`, and numbers as they are written. `null`,
    /// objects and arrays give none.
    pub fn index_value(self) -> Option<Cow<'a, str>> {
        match self.kind() {
            JsonKind::String => self.as_str(),
            JsonKind::Bool | JsonKind::Number => Some(Cow::Borrowed(self.text)),
            JsonKind::Null | JsonKind::Array | JsonKind::Object => None,
        }
    }
}
